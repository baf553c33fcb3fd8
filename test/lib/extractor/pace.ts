import test from 'ava';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pace, type Interest } from '../../../lib/extractor/pace.js';
import { MemoryJournal } from '../../helpers/extract.js';

const RECORD = Buffer.alloc(8);

/** A journal that says whom it would call, and a pace whose history is at `watermark`. */
class Watched extends MemoryJournal {
  calls = 0;
  watermark = 0;
  interest: { -readonly [name in keyof Interest]: boolean } = { awaited: false, followed: false };
  readonly pace = new Pace(this, () => this.watermark, { awaited: () => this.interest.awaited, followed: () => this.interest.followed });

  constructor() {
    super([]);
    this.pace.begin();
  }

  override onAppend(callback: ((lastSeq: number) => void) | null): void {
    super.onAppend(callback && ((seq) => { this.calls++; callback(seq); }));
  }

  /** How long a rest lasts, in milliseconds. */
  async rest(): Promise<number> {
    const began = performance.now();
    await this.pace.rest(() => undefined);
    return performance.now() - began;
  }

  /** A record every 5 ms until the answer is called. */
  busy(): () => void {
    const timer = setInterval(() => this.push(RECORD), 5);
    return () => clearInterval(timer);
  }
}

test.serial('records are taken as soon as none comes any more', async (t) => {
  const journal = new Watched();
  journal.push(RECORD);
  t.true((await journal.rest()) < 1500, 'records that keep coming would wait for two seconds');
});

test.serial('while records come they stay in the journal, but not for ever', async (t) => {
  const journal = new Watched();
  const stop = journal.busy();
  const took = await journal.rest();
  stop();
  t.true(took > 1500, `${took} ms`);
  t.true(took < 20_000, `${took} ms`);
  t.true(journal.calls <= 1, 'the journal calls nobody while records come');
});

test.serial('half of the room that the journal has is not waited beyond, however fast records come', async (t) => {
  const journal = new Watched();
  journal.backlogHardBytes = 1000;
  journal.push(RECORD);
  journal.appendedBytes = 499;
  await journal.rest();
  journal.watermark = 1;
  const stop = journal.busy();
  setTimeout(() => { journal.appendedBytes = 999; }, 200);
  const took = await journal.rest();
  stop();
  t.true(took > 150 && took < 1900, `${took} ms`);
});

test.serial('who waits for history is not kept waiting, who follows it hardly', async (t) => {
  // Nobody's records would wait for two seconds.
  for (const [name, most] of [['awaited', 1900], ['followed', 1900]] as const) {
    const journal = new Watched();
    journal.interest[name] = true;
    const stop = journal.busy();
    await sleep(20);
    const took = await journal.rest();
    stop();
    t.true(took < most, `${name}: ${took} ms`);
  }
});

test.serial('the first record after a silence ends it', async (t) => {
  const journal = new Watched();
  const resting = journal.rest();
  await sleep(50);
  journal.push(RECORD);
  t.true((await resting) < 900, 'it did not sleep to the end');
});

test.serial('a record that comes just before the journal is asked to call is not overlooked', async (t) => {
  class Racing extends Watched {
    override arm(afterSeq: number): void {
      if (this.records.length === 0) this.push(RECORD);
      super.arm(afterSeq);
    }
  }
  t.true((await new Racing().rest()) < 900);
});

test.serial('a hurry ends a rest with nothing to do, also one that has not begun', async (t) => {
  const journal = new Watched();
  const resting = journal.rest();
  await sleep(20);
  journal.pace.hurry();
  t.true((await resting) < 900);
  journal.pace.hurry();
  t.true((await journal.rest()) < 500, 'a rest would last a second');
});

test.serial('what is due by time is done also in a silence', async (t) => {
  const journal = new Watched();
  let idle = 0;
  const resting = journal.pace.rest(() => { idle++; });
  await sleep(1200);
  journal.pace.hurry();
  await resting;
  t.true(idle >= 2);
});

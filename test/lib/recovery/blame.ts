import test, { type ExecutionContext } from 'ava';
import { blameLines } from '../../../lib/recovery/blame.js';
import { blameBytes } from '../../../lib/recovery/byteblame.js';
import { matchLines } from '../../../lib/recovery/lines.js';
import type { Stage } from '../../../lib/recovery/ancestry.js';
import type { HistoryReader } from '../../../lib/history/reader.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import type { History } from '../../../lib/history/history.js';
import { UNTHROTTLED } from '../../../lib/retention/editor.js';
import { mergeDue } from '../../../lib/retention/stretch.js';
import { thinTimeline } from '../../../lib/retention/timeline.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped } from '../../helpers/scope.js';

const SEEDS = 5;
const MERGED_SEEDS = 2;
const MINUTE = 60_000_000_000n;
const LINE = 12;
const b = (text: string): Buffer => Buffer.from(text, 'latin1');

/** A file that several writers save in every way that programs have, and beside it who wrote what. */
class Writers {
  readonly tree = new ModelTree();
  path = 'f';
  /** Each line with who wrote it; every byte with the writer of its record. */
  lines: { text: string; writer: number }[] = [];
  byteWriters: number[] = [];
  private count = 0;

  constructor(private readonly random: Random) {
    this.do({ op: 'mkdir', path: b('d'), mode: 0o755 });
    this.as(100);
    this.do({ op: 'create', path: b('f'), mode: 0o644 });
  }

  do(op: Parameters<ModelTree['do']>[0]): void {
    const errno = this.tree.do(op);
    if (errno !== 0) throw new Error(`${op.op}: errno ${errno}`);
  }
  private as(writer: number): void {
    this.tree.sleep(MINUTE * 3n);
    this.tree.writer = writer;
    this.tree.save = 0;
  }
  private fresh(writer: number): { text: string; writer: number } {
    return { text: `${String(++this.count).padStart(LINE - 1, '.')}\n`, writer };
  }
  private content = (): Buffer => b(this.lines.map(({ text }) => text).join(''));

  /** Some lines removed, some put in. */
  private edit(writer: number): void {
    const { random } = this;
    for (let edits = random.between(1, 4); edits > 0; edits--) {
      const at = random.below(this.lines.length + 1);
      const added = Array.from({ length: random.below(4) }, () => this.fresh(writer));
      this.lines.splice(at, random.below(4), ...added);
    }
  }

  private written(path: string, writer: number): void {
    const data = this.content();
    this.tree.save = this.tree.record();
    for (let at = 0; at < data.length; at += 1000) this.do({ op: 'write', path: b(path), offset: at, data: data.subarray(at, at + 1000) });
    this.tree.save = 0;
    this.byteWriters = Array<number>(data.length).fill(writer);
  }

  step(): void {
    const { random } = this;
    const writer = random.between(101, 105);
    this.as(writer);
    const way = random.below(8);
    if (way < 2) {
      this.edit(writer);
      this.do({ op: 'truncate', path: b(this.path), size: 0 });
      this.written(this.path, writer);
    } else if (way < 4) {
      this.edit(writer);
      this.do({ op: 'create', path: b('swap'), mode: 0o644 });
      this.written('swap', writer);
      this.do({ op: 'rename', from: b('swap'), path: b(this.path) });
    } else if (way === 4) {
      this.edit(writer);
      this.do({ op: 'rename', from: b(this.path), path: b(`${this.path}~`) });
      this.do({ op: 'create', path: b(this.path), mode: 0o644 });
      this.written(this.path, writer);
      this.do({ op: 'unlink', path: b(`${this.path}~`) });
    } else if (way === 5) {
      this.append(writer);
    } else if (way === 6) {
      const to = random.pick(['f', 'g', 'd/f'].filter((path) => path !== this.path));
      this.do({ op: 'rename', from: b(this.path), path: b(to) });
      this.path = to;
    } else {
      this.interleave();
    }
  }

  private append(writer: number): void {
    const line = this.fresh(writer);
    this.tree.save = this.tree.record();
    this.do({ op: 'write', path: b(this.path), offset: this.lines.length * LINE, data: b(line.text) });
    this.lines.push(line);
    this.byteWriters.push(...Array<number>(LINE).fill(writer));
  }

  /** Two have it open and write lines in turn. */
  private interleave(): void {
    if (this.lines.length === 0) return;
    const saves = [this.tree.record(), this.tree.record()];
    for (let turn = 0; turn < 8; turn++) {
      const writer = 101 + (turn % 2);
      const at = this.random.below(this.lines.length);
      this.lines[at] = this.fresh(writer);
      Object.assign(this.tree, { writer, save: saves[turn % 2]! });
      this.do({ op: 'write', path: b(this.path), offset: at * LINE, data: b(this.lines[at]!.text) });
      this.byteWriters.fill(writer, at * LINE, (at + 1) * LINE);
    }
    this.tree.save = 0;
  }
}

async function stageOf(history: HistoryReader, path: string, seq: number): Promise<Stage> {
  const names = path.split('/');
  const parent = (await history.resolve(names.slice(0, -1), seq))!;
  return { node: (await history.resolve(names, seq))!, seq, slot: { parent, name: names.at(-1)! } };
}

test.serial('every line and every byte has the writer that the model says, at any instant, however it was saved', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  for (let seed = base; seed < base + SEEDS; seed++) {
    await scoped(async (scope) => {
      const random = new Random(seed);
      const writers = new Writers(random);
      const instants: { seq: number; path: string; lines: Writers['lines']; bytes: number[] }[] = [];
      for (let i = 0; i < 40; i++) {
        writers.step();
        instants.push({ seq: writers.tree.seq, path: writers.path, lines: [...writers.lines], bytes: [...writers.byteWriters] });
      }
      const folded = await FoldedHistory.open(scope.temporary('memory'), writers.tree);
      scope.defer(() => folded.history.close());
      for (const { seq, path, lines, bytes } of instants) {
        const stage = await stageOf(folded.history, path, seq);
        const found = await blameLines(folded.history, stage);
        t.deepEqual(found.lines.map((text, i) => `${text.trim()} ${found.origins[i]!.writer}`), lines.map(({ text, writer }) => `${text.trim()} ${writer}`), `seed ${seed}, #${seq}`);
        const own: number[] = [];
        for (const { offset, length, origin } of await blameBytes(folded.history, stage)) {
          t.is(offset, own.length, `seed ${seed}, #${seq}: stretches without gaps`);
          own.push(...Array<number>(length).fill(origin.writer));
        }
        t.deepEqual(own, bytes, `seed ${seed}, #${seq}: bytes`);
        for (const origin of found.origins) t.true(origin.seq <= seq && origin.seq > 0);
      }
    });
  }
});

interface Instant { seq: number; path: string; lines: { text: string; writer: number }[]; bytes: number[] }

/** Nobody is said to have written what another one has, without a doubt. Answers how many lines and bytes have a writer that is certain. */
async function expectNobodyWrong(t: ExecutionContext, history: History, { seq, path, lines, bytes }: Instant, label: string): Promise<number> {
  const stage = await stageOf(history, path, seq);
  const { origins } = await blameLines(history, stage);
  t.is(origins.length, lines.length);
  let certain = 0;
  for (const [i, { writer, uncertain }] of origins.entries()) {
    if (!uncertain) t.is(writer, lines[i]!.writer, `${label}, #${seq}: line ${i}`);
    if (!uncertain) certain++;
  }
  let at = 0;
  for (const { offset, length, origin } of await blameBytes(history, stage)) {
    t.is(offset, at);
    at += length;
    if (origin.uncertain) continue;
    t.true(bytes.slice(offset, at).every((writer) => writer === origin.writer), `${label}, #${seq}: bytes ${offset} to ${at} are of ${[...new Set(bytes.slice(offset, at))].join(', ')}, not ${origin.writer}`);
    certain += length;
  }
  t.is(at, bytes.length);
  return certain;
}

test.serial('where states were merged and changes given up, no writer is named for certain that may be the wrong one', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  const certain = { before: 0, merged: 0, thinned: 0 };
  for (let seed = base; seed < base + MERGED_SEEDS; seed++) {
    await scoped(async (scope) => {
      const random = new Random(seed);
      const writers = new Writers(random);
      const folded = await FoldedHistory.open(scope.temporary('memory'), writers.tree);
      const { history } = folded;
      scope.defer(() => history.close());
      const instants: Instant[] = [];
      for (let i = 0; i < 40; i++) {
        writers.step();
        if (random.chance(0.7)) await folded.catchUp();
        instants.push({ seq: writers.tree.seq, path: writers.path, lines: [...writers.lines], bytes: [...writers.byteWriters] });
      }
      await folded.catchUp();
      const kept = instants.filter((_, i) => i === instants.length - 1 || random.chance(0.25));
      const look = async (what: keyof typeof certain): Promise<void> => { for (const one of kept) certain[what] += await expectNobodyWrong(t, history, one, `seed ${seed}, ${what}`); };
      await look('before');
      await history.forget(history.rocks.batch(), { ...history.retention(), due: kept.map(({ seq }, i) => ({ from: kept[i - 1]?.seq ?? 0, to: seq })).filter(({ from, to }) => to > from + 1) });
      await mergeDue(history, Infinity, UNTHROTTLED, new AbortController().signal);
      await look('merged');
      t.true(await thinTimeline(history, Infinity, UNTHROTTLED, new AbortController().signal) > 0, `seed ${seed}`);
      await look('thinned');
    });
  }
  t.true(certain.thinned > certain.before / 10, 'what is certain is said to be');
  t.log(certain);
});

test.serial('who wrote the same again, and is told no more, may have written it; what he alone can have written is his', (t) => scoped(async (scope) => {
  const tree = new ModelTree();
  const folded = await FoldedHistory.open(scope.temporary('memory'), tree);
  const { history } = folded;
  scope.defer(() => history.close());
  const write = async (writer: number, offset: number, text: string): Promise<void> => {
    tree.sleep(MINUTE);
    tree.writer = writer;
    tree.do({ op: 'write', path: b('f'), offset, data: b(text) });
    await folded.catchUp();
  };
  tree.do({ op: 'create', path: b('f'), mode: 0o644 });
  await write(1, 0, 'aaaabbbbcccc');
  const from = tree.seq;
  await write(2, 0, 'aaaaBBBB');
  await write(2, 100, 'x');
  await write(3, 200, 'y');
  await history.forget(history.rocks.batch(), { ...history.retention(), due: [{ from, to: tree.seq }] });
  await mergeDue(history, Infinity, UNTHROTTLED, new AbortController().signal);
  t.is(await thinTimeline(history, Infinity, UNTHROTTLED, new AbortController().signal), 1);
  const told = (await blameBytes(history, await stageOf(history, 'f', tree.seq))).map(({ offset, length, origin: { writer, uncertain } }) => `${offset} ${length}: ${writer}${uncertain ? '?' : ''}`);
  t.deepEqual(told.filter((one) => /^([0-9]|200) /.test(one)), ['0 4: 1?', '4 4: 2?', '8 4: 1', '200 1: 3']);
}));

test.serial('lines in common keep their order, also where too much differs to follow all of it', (t) => {
  const then = Array.from({ length: 6000 }, (_, i) => `then ${i}\n`);
  const now = then.map((line, i) => (i % 3 === 0 ? line : `now ${i}\n`));
  const matched = matchLines(then, now);
  t.deepEqual([...matched], now.map((_, i) => (i % 3 === 0 ? i : -1)));
  t.deepEqual([...matchLines(['a\n', 'b\n'], ['b\n', 'a\n', 'b\n'])].filter((i) => i >= 0).length, 2);
  t.deepEqual([...matchLines(['a\n'], ['a'])], [-1], 'a line that got its line feed was written anew');
  t.deepEqual([...matchLines([], [])], []);
});

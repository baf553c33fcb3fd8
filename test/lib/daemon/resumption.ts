import { constants } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { GapNote } from '../../../lib/daemon/gap-note.js';
import { Resumption, type Resumed } from '../../../lib/daemon/resumption.js';
import type { IsLost } from '../../../lib/history/live.js';
import { MemoryJournal } from '../../helpers/extract.js';
import { until } from '../../helpers/run.js';
import { scoped } from '../../helpers/scope.js';

const SECOND = 1_000_000_000n;
const SINCE = 1_700_000_000n * SECOND;
const GAP = { errno: constants.errno.ENOSPC, sinceNs: SINCE, records: 1 };

/** Of a tree with one file, which holds something else than history says, though its times are those that history knows. */
function resumed(note: GapNote) {
  let isLost: IsLost | undefined;
  const seen = { gap: null as typeof GAP | null, resumes: 0, told: [] as string[], badSyncs: 0, isLost: () => isLost! };
  const memory = new MemoryJournal([]);
  const on = {
    note,
    history: { liveEntries: (of: IsLost) => { isLost = of; return []; }, baselineSince: () => null, pathOf: async () => ['file'], attr: async () => ({ size: 1 }), read: async () => Buffer.from('a') },
    journal: { stats: () => ({ ...memory.stats(), gap: seen.gap }), sync: async () => { if (seen.badSyncs-- > 0) throw new Error('the disk does not answer'); return 0; } },
    engine: {
      resume: async () => { seen.gap = null; seen.resumes++; return { mountSeq: 7, rootIno: 1n }; },
      readBacking: async () => ({ data: Buffer.from('b'), size: 1, ino: 5, ctimeNs: SINCE }),
    },
    extractor: { caughtUp: async () => undefined, release: async () => undefined },
    walk: { abandon: async () => undefined, begin: () => undefined, start: () => undefined },
    report: (what: string) => { seen.told.push(what); },
  } as unknown as Resumed;
  return { on, seen };
}

test.serial('a gap is kept while it lasts, told, and ended; what was changed right before it is compared by content; one that soon follows waits', (t) => scoped(async (scope) => {
  const file = path.join(scope.temporary(), 'gap.json');
  const { on, seen } = resumed(await GapNote.load(file));
  const resumption = new Resumption(on);
  resumption.start();
  scope.defer(() => resumption.stop());
  seen.gap = GAP;
  await until('it is ended', () => seen.told.length === 2);
  t.deepEqual(seen.told, ['Recording stopped', 'Recording goes on']);
  const file5 = { node: 5, ino: 5n };
  t.true(await seen.isLost()({ ...file5, ctimeNs: SINCE - SECOND / 2n }), 'at the same tick of the clock it may have been changed twice');
  t.false(await seen.isLost()({ ...file5, ctimeNs: SINCE - 2n * SECOND }), 'of what was changed before, the times tell');
  seen.gap = GAP;
  await until('the next begins', () => seen.told.length === 3);
  await until('it is kept', async () => (await GapNote.load(file)).text === '{"error":"ENOSPC","since_ns":"1700000000000000000"}');
  t.is(seen.resumes, 1);
  await until('it is ended, too', () => seen.resumes === 2);
  await until('it is kept no more', async () => (await GapNote.load(file)).text === undefined);
}));

test.serial('what the last session left is told by the mount record; where that cannot be synced at once, it is tried again', (t) => scoped(async (scope) => {
  const file = path.join(scope.temporary(), 'gap.json');
  await (await GapNote.load(file)).keep(GAP);
  const note = await GapNote.load(file);
  t.is(note.text, '{"error":"ENOSPC","since_ns":"1700000000000000000"}');
  const { on, seen } = resumed(note);
  seen.badSyncs = 1;
  const resumption = new Resumption(on);
  resumption.start();
  scope.defer(() => resumption.stop());
  await until('it is kept no more', async () => (await GapNote.load(file)).text === undefined);
  t.is(seen.badSyncs, -1);
  t.deepEqual(seen.told, []);
}));

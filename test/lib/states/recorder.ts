/** Points that make themselves: before and after installations, before writes that matter, in intervals. */
import test from 'ava';
import type { Change, Writer } from '../../../lib/history/types.js';
import { parsePolicy } from '../../../lib/policy/file.js';
import { Lines } from '../../../lib/policy/lines.js';
import { DEFAULT_POINTS, parsePoints, type PointRules } from '../../../lib/policy/points.js';
import { DEFAULT_TRIPS } from '../../../lib/policy/trips.js';
import { StateRecorder, type PointDraft } from '../../../lib/states/recorder.js';
import type { Socket } from '../../../lib/states/connections.js';
import type { ProcessId } from '../../../lib/states/processes.js';

const S_IFREG = 0o100000;

interface Made { recorder: StateRecorder; points: PointDraft[]; failures: unknown[]; change(writer: number, path: string, atS?: number): Change; pass(ms: number): void; ended: Set<number>; full(error: Error | null): void; sockets: Socket[]; lag(records: number): void; search(ms: number): void }

/** A recorder over writers 1.., each with a command and the pid of who started it; pid = 100 * writer. */
function made(commands: Record<number, { argv: string; ppid?: number; exe?: string; uid?: number }>, rules: PointRules = DEFAULT_POINTS): Made {
  const points: PointDraft[] = [];
  const failures: unknown[] = [];
  const ended = new Set<number>();
  const paths = new Map<number, string>();
  let seq = 10;
  let nowMs = 0;
  let lag = 0;
  let search = 0;
  let refusal: Error | null = null;
  const sockets: Socket[] = [];
  const writerOf = (id: number): Writer | null => {
    const known = commands[id];
    if (!known) return null;
    const argv = known.argv.split(' ');
    return { id, pid: id * 100, start: id, ppid: known.ppid ?? 1, exe: known.exe ?? `/usr/bin/${argv[0]}`, argv, uid: known.uid ?? 0, gid: 0, cgroup: '', certain: true };
  };
  const recorder = new StateRecorder({
    history: {
      watermark: () => seq - lag,
      writer: async (id) => writerOf(id),
      pathOf: async (node) => paths.get(node)?.split('/') ?? null,
      attr: async () => ({ mode: S_IFREG, size: 1 }) as never,
      read: async () => Buffer.alloc(1),
      nodeChanges: async function* () { /* nobody wrote before */ },
    },
    processes: {
      runs: async ({ pid }: ProcessId) => !ended.has(pid / 100),
      parent: async ({ ppid }) => (ended.has(ppid / 100) ? null : writerOf(ppid / 100)),
    },
    add: async (point) => {
      if (refusal) throw refusal;
      points.push(point);
    },
    pid: 1,
    lastSeq: () => seq,
    network: {
      sockets: async () => sockets,
      owners: async (inodes) => {
        nowMs += search;
        return [...inodes].map((inode) => ({ inode, pid: Number(inode) }));
      },
      lineage: async (pid) => [`${pid}:${pid / 100}`], command: async (pid) => `curl ${pid}`, addresses: async () => ['203.0.113.7'], now: () => nowMs,
    },
    alarm: async () => '',
    failed: (error) => failures.push(error),
    now: () => nowMs,
  }, rules, DEFAULT_TRIPS);
  return {
    recorder, points, failures, ended,
    change(writer, path, atS = 0) {
      paths.set(++seq, path);
      return { seq, record: seq, timeNs: BigInt(atS) * 1_000_000_000n, kind: 24, marker: 'modify', node: seq, offset: 0, length: 1, size: 1, writer, save: 1, writeback: false, unmounted: false };
    },
    pass: (ms) => { nowMs += ms; },
    full: (error) => { refusal = error; },
    sockets,
    lag: (records) => { lag = records; },
    search: (ms) => { search = ms; },
  };
}

const rules = (text: { points?: object; point?: object[] }): PointRules => parsePoints(text.points, text.point, undefined, new Lines(''), (_, reason) => { throw new Error(reason); });

test.serial('an installation has a point before its first change and one after its end', async (t) => {
  const { recorder, points, change, ended } = made({ 1: { argv: 'vim x' }, 2: { argv: 'cargo install ripgrep' } });
  recorder.changed([change(1, 'x'), change(2, 'bin/rg'), change(2, 'bin/rg')]);
  await recorder.tick();
  t.deepEqual(points, [{ kind: 'install', name: '', note: 'cargo install ripgrep', phase: 'before', at: 11 }]);
  ended.add(2);
  recorder.changed([change(1, 'x')]);
  await recorder.tick();
  t.deepEqual(points[1], { kind: 'install', name: '', note: 'cargo install ripgrep', phase: 'after', at: 14 });
  await recorder.tick();
  t.is(points.length, 2);
});

test.serial('the point after an installation holds all of it, though history lags behind its end', async (t) => {
  const { recorder, points, change, ended, lag } = made({ 1: { argv: 'npm ci' }, 2: { argv: 'vim x' } });
  recorder.changed([change(1, 'a')]);
  change(1, 'b');
  change(1, 'c');
  lag(2);
  ended.add(1);
  await recorder.tick();
  t.deepEqual(points.map(({ phase }) => phase), ['before']);
  recorder.changed([change(2, 'x')]);
  await recorder.tick();
  t.is(points.length, 1);
  lag(1);
  await recorder.tick();
  t.deepEqual(points.map(({ phase, at }) => [phase, at]), [['before', 10], ['after', 13]]);
});

test.serial('what an installer starts belongs to it, and so does an installer within it', async (t) => {
  const { recorder, points, change } = made({ 1: { argv: 'npm ci' }, 2: { argv: 'sh -c node-gyp', ppid: 100 }, 3: { argv: 'make install', ppid: 200 } });
  recorder.changed([change(3, 'a'), change(2, 'b'), change(1, 'c')]);
  await recorder.tick();
  t.deepEqual(points.map(({ kind, note, at }) => [kind, note, at]), [['install', 'npm ci', 10]]);
});

test.serial('two installers at once have each their pair', async (t) => {
  const { recorder, points, change, ended } = made({ 1: { argv: 'npm ci' }, 2: { argv: 'pip uninstall x' } });
  recorder.changed([change(1, 'a'), change(2, 'b')]);
  ended.add(1);
  await recorder.tick();
  ended.add(2);
  await recorder.tick();
  t.deepEqual(points.map(({ kind, phase }) => `${phase} ${kind}`), ['before install', 'before uninstall', 'after install', 'after uninstall']);
});

test.serial('install = false asks for none', async (t) => {
  const { recorder, points, change } = made({ 1: { argv: 'npm ci' } }, rules({ points: { install: false } }));
  recorder.changed([change(1, 'a')]);
  await recorder.tick();
  t.deepEqual(points, []);
});

test.serial('writes that a rule names have a point before them, one a burst', async (t) => {
  const { recorder, points, change } = made({ 1: { argv: 'psql' }, 2: { argv: 'vim' } }, rules({ point: [{ name: 'schema', match: ['migrations/', '*.sql'], exe: 'psql*', quiet: '10s' }] }));
  recorder.changed([change(2, 'a.sql', 1), change(1, 'other', 1), change(1, 'deep/a.sql', 2), change(1, 'migrations/b', 8), change(1, 'a.sql', 17), change(1, 'a.sql', 40)]);
  await recorder.tick();
  t.deepEqual(points.map(({ name, phase, at }) => [name, phase, at]), [['schema', 'before', 12], ['schema', 'before', 15]]);
});

test.serial('a rule can ask for many writes in a short time: the point is before the first of them', async (t) => {
  const { recorder, points, change } = made({ 1: { argv: 'x', uid: 7 } }, rules({ point: [{ name: 'flood', user: 7, count: 3, within: '2s' }] }));
  recorder.changed([change(1, 'a', 1), change(1, 'b', 5), change(1, 'c', 6), change(1, 'd', 7), change(1, 'e', 8)]);
  await recorder.tick();
  t.deepEqual(points.map(({ name, at }) => [name, at]), [['flood', 11]]);
});

test.serial('a connection that a rule names has a point before the first change of its family, whichever came first', async (t) => {
  const { recorder, points, change, sockets, pass } = made({ 1: { argv: 'curl x' }, 2: { argv: 'vim' } }, rules({ point: [{ name: 'site', host: 'updates.example.org', port: 443, note: 'its updates' }] }));
  sockets.push({ address: '203.0.113.7', port: 80, inode: '100' }, { address: '203.0.113.8', port: 443, inode: '200' });
  recorder.changed([change(2, 'a', 1), change(1, 'b', 2), change(1, 'c', 3)]);
  await recorder.tick();
  t.deepEqual(points, []);
  sockets.push({ address: '203.0.113.7', port: 443, inode: '100' });
  pass(1000);
  await recorder.tick();
  t.deepEqual(points, [{ kind: 'connection', name: 'site', note: 'its updates: curl 100 [100] with 203.0.113.7:443', phase: 'before', at: 11 }]);
  sockets.length = 0;
  pass(50_000);
  recorder.changed([change(1, 'd', 60), change(1, 'e', 130)]);
  await recorder.tick();
  t.deepEqual(points.map(({ at }) => at), [11, 14], 'it has just had one; a burst later it has one point more');
  pass(70_000);
  recorder.changed([change(1, 'f', 300)]);
  await recorder.tick();
  t.is(points.length, 2, 'no longer');
});

test.serial('however long it takes to find whose a connection is, it counts as seen when it was looked for', async (t) => {
  const { recorder, points, change, sockets, pass, search } = made({ 1: { argv: 'curl x' } }, rules({ point: [{ name: 'site', port: 443, within: '1s' }] }));
  recorder.changed([change(1, 'b', 2)]);
  await recorder.tick();
  sockets.push({ address: '203.0.113.7', port: 443, inode: '100' });
  search(5000);
  pass(900);
  await recorder.tick();
  t.deepEqual(points.map(({ at }) => at), [10]);
});

test.serial('intervals make a point only when something changed since the last one of any kind', async (t) => {
  const { recorder, points, change, pass } = made({ 1: { argv: 'vim' } }, rules({ points: { every: '10m' } }));
  pass(600_000);
  await recorder.tick();
  t.is(points.length, 0);
  recorder.changed([change(1, 'a')]);
  await recorder.tick();
  pass(599_000);
  await recorder.tick();
  t.deepEqual(points.map(({ kind }) => kind), ['interval']);
  recorder.changed([change(1, 'a')]);
  pass(2000);
  await recorder.tick();
  t.is(points.length, 2);
});

test.serial('a point that somebody else made begins an interval anew, and stands for one when nothing changed since', async (t) => {
  const { recorder, points, change, pass } = made({ 1: { argv: 'vim' } }, rules({ points: { every: '10m' } }));
  recorder.changed([change(1, 'a')]);
  pass(599_000);
  recorder.pointMade(11);
  pass(1000);
  await recorder.tick();
  pass(600_000);
  await recorder.tick();
  t.deepEqual(points, []);
  recorder.changed([change(1, 'a')]);
  await recorder.tick();
  t.deepEqual(points.map(({ kind, at }) => [kind, at]), [['interval', 12]]);
});

test.serial('a point before a change is none of the state after it', async (t) => {
  const { recorder, points, change, pass } = made({ 1: { argv: 'vim' } }, rules({ points: { every: '10m' }, point: [{ name: 'x', match: 'x' }] }));
  recorder.changed([change(1, 'x')]);
  await recorder.tick();
  pass(600_000);
  await recorder.tick();
  t.deepEqual(points.map(({ kind, at }) => [kind, at]), [['write', 10], ['interval', 11]]);
});

test.serial('what this process does for somebody who asked is no write that a rule names', async (t) => {
  const { recorder, points, change } = made({ 0.01: { argv: 'node daemon.js' }, 2: { argv: 'vim' } }, rules({ point: [{ name: 'schema', match: '*.sql', quiet: '1s' }] }));
  recorder.changed([change(2, 'a.sql', 1), change(0.01, 'a.sql', 100), change(0.01, 'b.sql', 200)]);
  await recorder.tick();
  t.deepEqual(points.map(({ at }) => at), [10]);
});

test.serial('a point that cannot be made is reported, and the next one is made', async (t) => {
  const { recorder, points, failures, change, full } = made({ 1: { argv: 'npm ci' }, 2: { argv: 'npm ci' } });
  full(new Error('no room'));
  recorder.changed([change(1, 'a')]);
  await recorder.tick();
  t.is(failures.length, 1);
  full(null);
  recorder.changed([change(2, 'a')]);
  await recorder.tick();
  t.deepEqual(points.map(({ at }) => at), [11]);
});

test.serial('a group with a schedule has a point when a member changed, and only then', async (t) => {
  const [group] = parsePolicy('[[group]]\nname = "sql"\ninclude = "*.sql"\nevery = "10s"\nnote = "tables"', 'p').groups;
  const { recorder, points, change, pass } = made({ 1: { argv: 'vim' } });
  recorder.setRules(DEFAULT_POINTS, DEFAULT_TRIPS, [group!]);
  recorder.changed([change(1, 'a.c')]);
  pass(10_000);
  await recorder.tick();
  t.deepEqual(points, []);
  recorder.changed([change(1, 'a.sql')]);
  recorder.setRules(DEFAULT_POINTS, DEFAULT_TRIPS, [group!]);
  await recorder.tick();
  t.deepEqual(points, [{ kind: 'interval', name: 'sql', note: 'tables', phase: 'after', at: 12 }]);
  recorder.changed([change(1, 'a.sql')]);
  pass(9000);
  await recorder.tick();
  t.is(points.length, 1);
  pass(1000);
  await recorder.tick();
  t.is(points.length, 2);
});

test.serial('a state that holds all changes of a group stands for its point; another interval does not', async (t) => {
  const [group] = parsePolicy('[[group]]\nname = "sql"\ninclude = "*.sql"\nevery = "10s"', 'p').groups;
  const { recorder, points, change, pass } = made({ 1: { argv: 'vim' } }, rules({ points: { every: '5s' } }));
  recorder.setRules(rules({ points: { every: '5s' } }), DEFAULT_TRIPS, [group!]);
  recorder.changed([change(1, 'a.sql')]);
  const covered = change(1, 'b.sql');
  recorder.pointMade(12);
  recorder.changed([covered]);
  pass(10_000);
  await recorder.tick();
  t.deepEqual(points, []);
  recorder.changed([change(1, 'a.sql')]);
  await recorder.tick();
  t.deepEqual(points.map(({ name }) => name), ['sql']);
  recorder.changed([change(1, 'a.sql')]);
  pass(6000);
  await recorder.tick();
  pass(4000);
  await recorder.tick();
  t.deepEqual(points.map(({ name }) => name), ['sql', '', 'sql']);
});

const WRONG: [text: { points?: unknown; point?: unknown }, says: RegExp][] = [
  [{ points: [] }, /points is a table/],
  [{ points: { evry: '1m' } }, /"evry" is not known/],
  [{ points: { every: '10' } }, /every is "10"/],
  [{ points: { every: '0m' } }, /every is "0m"/],
  [{ points: { install: 1 } }, /install must be true or false/],
  [{ point: {} }, /two brackets/],
  [{ point: [{ match: 'a' }] }, /has no name/],
  [{ point: [{ name: 'a b', match: 'a' }] }, /has no name/],
  [{ point: [{ name: 'a' }] }, /neither match nor exe nor user nor host nor port/],
  [{ point: [{ name: 'a', host: [] }] }, /the list is empty/],
  [{ point: [{ name: 'a', host: '1.2.3' }] }, /"1.2.3" is no host/],
  [{ point: [{ name: 'a', host: '1.2.3.4/33' }] }, /"1.2.3.4\/33" is no host/],
  [{ point: [{ name: 'a', host: 'a b' }] }, /"a b" is no host/],
  [{ point: [{ name: 'a', port: 0 }] }, /0 is no port/],
  [{ point: [{ name: 'a', port: '443' }] }, /"443" is no port/],
  [{ point: [{ name: 'a', match: [] }] }, /lists no pattern/],
  [{ point: [{ name: 'a', match: '[' }] }, /has no "\]"/],
  [{ point: [{ name: 'a', user: 'root' }] }, /number of a user/],
  [{ point: [{ name: 'a', exe: 5 }] }, /pattern for programs/],
  [{ point: [{ name: 'a', exe: '[a' }] }, /the set \[a has no/],
  [{ point: [{ name: 'a', exe: 'x', count: 0 }] }, /count is a whole number/],
  [{ point: [{ name: 'a', exe: 'x', within: 5 }] }, /within is 5/],
  [{ point: [{ name: 'a', exe: 'x', note: 1 }] }, /note is a text/],
  [{ point: [{ name: 'a', exe: 'x', color: 1 }] }, /"color" is not known/],
];

for (const [text, says] of WRONG) {
  test.serial(`${JSON.stringify(text)} is refused`, (t) => {
    t.throws(() => rules(text as { points?: object; point?: object[] }), { message: says });
  });
}

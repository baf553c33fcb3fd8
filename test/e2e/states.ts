/** Points that make themselves, on a mounted tree: found again by their reason, and the state that they name is exact. */
import test from 'ava';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import type { PointRow } from '../../lib/index.js';
import type { PointKind } from '../../lib/history/types.js';
import { noteEnd } from '../../lib/daemon/sessions.js';
import { startOptions } from '../../lib/daemon/start.js';
import { History } from '../../lib/history/history.js';
import { native } from '../../lib/native.js';
import { cli, mountSettled, rewind, type MountedTree } from '../helpers/mount.js';
import { must, shell, sleep, until } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';

const points = (tree: MountedTree, kind?: PointKind): Promise<PointRow[]> => tree.points(kind && { kinds: [kind] });

async function setPolicy(tree: MountedTree, text: string): Promise<void> {
  fs.writeFileSync(path.join(tree.store, 'policy.toml'), text);
  await until('the policy is in force', async () => fs.existsSync(path.join(tree.store, 'policy.good.toml')) && fs.readFileSync(path.join(tree.store, 'policy.good.toml'), 'utf8') === text);
}

/** Names, modes and content. */
const listing = (tree: string): string => execFileSync('sh', ['-c', 'find . -name .snapshots -prune -o -printf "%P %m %s %l\\n" | sort; find . -name .snapshots -prune -o -type f -print | sort | xargs -d "\\n" -r sha256sum'], { cwd: tree, encoding: 'utf8' });

test.serial('an installation and a removal are taken back by their names', async (t) => {
  await scoped(async (scope) => {
    const tree = await mountSettled(scope, { where: 'memory' });
    const inside = (name: string, text: string): void => {
      fs.mkdirSync(path.dirname(path.join(tree.tree, name)), { recursive: true });
      fs.writeFileSync(path.join(tree.tree, name), text);
    };
    inside('package.json', '{ "name": "app", "version": "1.0.0" }');
    inside('lib/dep/package.json', '{ "name": "dep", "version": "1.0.0" }');
    inside('lib/dep/index.js', 'module.exports = 1;\n');
    await tree.settled();
    const before = listing(tree.tree);
    await must('npm', ['install', '--offline', '--no-audit', '--no-fund', '--install-links', './lib/dep'], { cwd: tree.tree, timeoutMs: 120_000 });
    const installed = listing(tree.tree);
    await until('it has a pair of points', async () => (await points(tree, 'install')).length === 2);
    const [first, last] = await points(tree, 'install');
    t.like(first, { kind: 'install', phase: 'before' });
    t.regex(first!.note, /^npm install .*dep/);
    t.like(last, { kind: 'install', phase: 'after', note: first!.note });
    fs.writeFileSync(path.join(tree.tree, 'mine'), 'written later');
    await tree.rewind('rollback', 'package.json', 'package-lock.json', 'node_modules', '--to', 'before:install', '--yes');
    t.is(fs.readFileSync(path.join(tree.tree, 'mine'), 'utf8'), 'written later');
    fs.rmSync(path.join(tree.tree, 'mine'));
    t.is(listing(tree.tree), before);
    await tree.rewind('rollback', '--to', 'after:install', '--yes');
    t.is(listing(tree.tree), installed);
    await must('npm', ['uninstall', '--offline', '--no-audit', '--no-fund', 'dep'], { cwd: tree.tree, timeoutMs: 120_000 });
    await until('the removal has its pair', async () => (await points(tree, 'uninstall')).length === 2);
    await tree.rewind('rollback', '--to', 'before:uninstall', '--yes');
    t.is(listing(tree.tree), installed);
    const refused = await rewind(['points', '--state', 'instal', '--tree', tree.tree]);
    t.is(refused.code, 2);
  });
});

test.serial('writes that a rule names, and intervals, have points; a change of the rules counts at once', async (t) => {
  await scoped(async (scope) => {
    const tree = await mountSettled(scope, { where: 'memory' });
    await setPolicy(tree, '[points]\nevery = "1s"\n\n[[point]]\nname = "schema"\nmatch = "*.sql"\nquiet = "1s"\nnote = "the tables"\n');
    const file = path.join(tree.tree, 'tables.sql');
    fs.writeFileSync(path.join(tree.tree, 'other'), 'x');
    fs.writeFileSync(file, 'create table a;');
    await until('the first write has its point', async () => (await points(tree, 'write')).length === 1);
    await sleep(1500);
    await shell(`printf 'drop table a;' > '${file}'`);
    await until('the second burst has its point', async () => (await points(tree, 'write')).length === 2);
    t.is(await tree.rewind('cat', file, '--at', 'before:schema'), 'create table a;');
    t.is(await tree.rewind('cat', file, '--at', 'last-write'), 'create table a;');
    t.is((await points(tree, 'write'))[0]!.note, 'the tables');
    await sleep(1200);
    fs.writeFileSync(path.join(tree.tree, 'other'), 'y');
    await until('an interval has ended', async () => (await points(tree, 'interval')).length > 0);
    const count = (await points(tree, 'interval')).length;
    await sleep(2500);
    t.true((await points(tree, 'interval')).length <= count + 1, 'where nothing changes there is nothing to find again');
    await setPolicy(tree, '');
    const known = (await points(tree)).length;
    await sleep(1500);
    fs.writeFileSync(file, 'create table b;');
    await sleep(2500);
    t.is((await points(tree)).length, known);
  });
});

test.serial('a start of the machine since the last mount is two points, a daemon that was found dead is one', async (t) => {
  const appended: { kind: string; note: string; at: number; at_time: string }[] = [];
  const journal = { append: async (_: number, payload: Buffer) => { appended.push(JSON.parse(payload.toString()) as never); return { seq: 0, timeNs: 0n }; } };
  const mount = (seq: number, boot: string) => ({ id: seq, seq, timeNs: 0n, kind: 'mount' as const, name: '', note: '', boot });
  const place = { journal: journal as never, history: { timeOf: async (seq: number) => BigInt(seq) }, mountSeq: 90 };
  const unmount = { ...mount(60, ''), kind: 'unmount' as const };
  await noteEnd([mount(1, 'a'), mount(50, 'b'), unmount], 'b', place);
  await noteEnd([], 'b', place);
  t.deepEqual(appended, []);
  await noteEnd([unmount, mount(50, 'b'), mount(1, 'a')], 'c', place);
  t.deepEqual(appended.splice(0).map(({ kind, at, at_time }) => [kind, at, at_time]), [['shutdown', 89, '89'], ['boot', 90, '90']]);
  await noteEnd([mount(1, 'a'), unmount, mount(70, 'b')], 'b', place);
  t.deepEqual(appended.splice(0).map(({ kind, at, note }) => [kind, at, note]), [['killed', 89, 'the daemon was found dead']]);
  await noteEnd([mount(70, 'b')], 'c', place);
  t.deepEqual(appended.map(({ kind, note }) => [kind, note]), [['killed', 'the daemon ended with the machine'], ['shutdown', ''], ['boot', '']]);
});

test.serial('a daemon that was killed is found again as such, and the state at its end', async (t) => {
  await scoped(async (scope) => {
    const tree = await mountSettled(scope, { where: 'memory' });
    const file = path.join(tree.tree, 'plan');
    fs.writeFileSync(file, 'one');
    await tree.kill();
    await tree.mount();
    fs.writeFileSync(file, 'two');
    const killed = await points(tree, 'killed');
    t.deepEqual(killed.map(({ phase, note }) => [phase, note]), [['after', 'the daemon was found dead']]);
    t.is(await tree.rewind('cat', file, '--at', 'last-killed'), 'one');
    t.is(await tree.rewind('cat', file, '--at', 'last-killed@now'), 'one');
    t.is(fs.readFileSync(path.join(tree.tree, '.snapshots/@last-killed@0s/plan'), 'utf8'), 'one');
    t.deepEqual(await tree.points({ kinds: ['killed'], until: `#${killed[0]!.seq - 1}` }), []);
    await tree.unmount();
    await tree.mount();
    t.is((await points(tree, 'killed')).length, 1);
  });
});

test.serial('what a mount is for is the name of its point, and its words are kept with both ends', async (t) => {
  await scoped(async (scope) => {
    const tree = await mountSettled(scope, { where: 'memory', args: ['--purpose', 'cad  plans', '--tag', 'fast', '--tag', 'ann'] });
    const file = path.join(tree.tree, 'plan');
    fs.writeFileSync(file, 'one');
    await tree.unmount();
    fs.writeFileSync(file, 'two, while nobody looked');
    await rewind(['mount', tree.tree, '--store', tree.store]);
    t.like((await points(tree, 'mount'))[0], { name: 'cad plans', tags: ['fast', 'ann'] });
    t.like((await points(tree, 'unmount'))[0], { note: 'unmount: cad plans', tags: ['fast', 'ann'] });
    t.regex(await tree.rewind('points'), /cad plans {2}\[fast, ann\]/);
    t.is((await tree.rewind('ls', '--at', 'cad plans')).trim(), '');
    t.is(await tree.rewind('cat', file, '--at', 'last-unmount'), 'one');
    await tree.rewind('rollback', '--to', 'cad plans', '--yes');
    t.deepEqual(fs.readdirSync(tree.tree), []);
    const refused = await rewind(['mount', scope.temporary('memory'), '--purpose', '10m']);
    t.is(refused.code, 2);
    t.regex(refused.stderr, /"10m" cannot be the purpose of a mount/);
  });
});

test.serial('what cannot be asked for again is no purpose', async (t) => {
  for (const purpose of ['', '   ', 'now', 'yesterday 17:00', '#12', 'a/b', 'before:x', 'last-mount', 'a\u0007', 'x'.repeat(129)]) await t.throwsAsync(startOptions(purpose, []), { code: 'ERR_POINT_NAME' }, purpose);
  for (const tag of ['', 'a b', '-x', 'a/b']) await t.throwsAsync(startOptions(undefined, [tag]), { code: 'ERR_USAGE' }, tag);
  t.deepEqual(await startOptions(' nightly\tbuild 7 ', ['a:b']), { purpose: 'nightly build 7', tags: ['a:b'] });
});

for (const [how, stop] of [['unmount', (tree: MountedTree) => tree.unmount()], ['SIGTERM', async (tree: MountedTree) => {
  process.kill(tree.daemon, 'SIGTERM');
  await tree.daemonEnded();
}]] as const) {
  test.serial(`a stop by ${how} is a complete point: history has all of it, and the state that it names is the directory`, async (t) => {
    await scoped(async (scope) => {
      const tree = await mountSettled(scope, { where: 'memory' });
      const writing = shell('i=0; while printf %08d $i >> log && cp log copy-$((i % 50)); do i=$((i + 1)); done', { cwd: tree.tree }).catch(() => null);
      await sleep(1500);
      await shell('for i in $(seq 300); do head -c 20000 /dev/urandom > big-$i; done', { cwd: tree.tree });
      await (how === 'unmount' ? rewind(['unmount', '--lazy', tree.tree]).then(() => tree.daemonEnded()) : stop(tree));
      await writing;
      const { id } = JSON.parse(fs.readFileSync(path.join(tree.store, 'store.json'), 'utf8')) as { id: string };
      const history = await History.open(path.join(tree.store, 'history'), { storeId: Buffer.from(id, 'hex') });
      const journal = new native.Journal({ directory: path.join(tree.store, 'journal'), storeId: Buffer.from(id, 'hex'), nextSeq: history.watermark() + 1, readOnly: true });
      const { lastSeq } = await journal.open();
      t.is(lastSeq, history.watermark());
      await journal.close();
      await history.close();
      const into = path.join(scope.temporary('memory'), 'copy');
      await must(process.execPath, [cli, 'restore', '', '--store', tree.store, '--at', 'last-unmount', '--into', into]);
      t.is(listing(into), listing(tree.tree));
    });
  });
}

test.serial('changes by a process that is connected with whom a rule names have a point before them', async (t) => {
  await scoped(async (scope) => {
    const tree = await mountSettled(scope, { where: 'memory' });
    const server = createServer((socket) => socket.end('update')).listen(0, '127.0.0.1');
    scope.defer(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await setPolicy(tree, `[[point]]\nname = "site"\nhost = "localhost"\nport = ${port}\nwithin = "1s"\n`);
    fs.writeFileSync(path.join(tree.tree, 'mine'), 'one');
    await sleep(1500);
    t.deepEqual(await points(tree, 'connection'), []);
    await shell(`exec 3<>/dev/tcp/127.0.0.1/${port}; cat <&3 > fetched; sleep 3; echo more > mine`, { cwd: tree.tree });
    await until('it has its point', async () => (await points(tree, 'connection')).length === 1);
    t.regex((await points(tree, 'connection'))[0]!.note, new RegExp(`^bash .*with 127\\.0\\.0\\.1:${port}$`));
    t.deepEqual((await tree.rewind('ls', '--at', 'before:site')).trim().split('\n').length, 1);
    await tree.rewind('rollback', '--to', 'before:site', '--yes');
    t.deepEqual([fs.readdirSync(tree.tree), fs.readFileSync(path.join(tree.tree, 'mine'), 'utf8')], [['mine'], 'one']);
  });
});

/** What a mount says when it cannot begin, or should not: who is in the way, and why. Nothing is left behind. */
import test from 'ava';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { cli, MountedTree, mountTree, rewind } from '../helpers/mount.js';
import { must, until, type RunResult } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { onTerminal } from '../helpers/terminal.js';
import { asUser, userDirectory } from '../helpers/user.js';
import { native } from '../../lib/native.js';
import type { GapRow } from '../../lib/daemon/protocol.js';

interface Failure { error: string; message: string; hint: string }
const failureOf = ({ stderr }: RunResult): Failure => JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as Failure;

/** A shell in the background that has done so much, until the scope ends. */
async function shellThat(scope: Scope, script: string): Promise<number> {
  const child = spawn('bash', ['-c', `${script}; echo ready; read`], { cwd: '/', stdio: ['pipe', 'pipe', 'inherit'] });
  scope.defer(async () => {
    child.kill('SIGKILL');
    await once(child, 'close');
  });
  await once(child.stdout, 'data');
  return child.pid!;
}

test.serial('programs with files open for writing are named and stop a mount, unless it is forced; those that only stand there are told', (t) => scoped(async (scope) => {
  const place = scope.temporary();
  const tree = path.join(place, 'tree');
  fs.mkdirSync(tree);
  const stands = await shellThat(scope, `cd ${tree}`);
  const writes = await shellThat(scope, `exec 3> ${tree}/log`);
  const mount = ['mount', tree, '--store', path.join(place, 'store'), '--json'];
  const refused = failureOf(await rewind(mount));
  t.is(refused.error, 'ERR_BUSY');
  t.true(refused.message.includes(`bash (${writes})`) && !refused.message.includes(String(stands)), refused.message);
  t.regex(refused.hint, /--force/);
  t.deepEqual(fs.readdirSync(place), ['tree']);

  const mounted = new MountedTree(scope, tree, path.join(place, 'store'), ['--force']);
  scope.defer(() => mounted.dispose());
  await mounted.mount();
  const gap = (await mounted.settled())['last_gap'] as GapRow;
  t.like(gap, { reason: 'past-the-mount', detail: { programs: [{ pid: writes, command: 'bash' }] }, text: `files were open for writing before the mount, by bash (${writes})` });
  await mounted.unmount();
  const forced = await rewind([...mount, '--force']);
  t.deepEqual((JSON.parse(forced.stdout) as { past_the_mount: { pid: number; writing: boolean }[] }).past_the_mount.map(({ pid, writing }) => [pid, writing]).sort(), [[stands, false], [writes, true]].sort());
  await mounted.unmount();
  const told = await rewind(['mount', tree, '--store', path.join(place, 'store'), '--force']);
  t.true(told.stderr.includes(`bash (${stands})`) && told.stderr.includes(`bash (${writes})`), told.stderr);
}));

test.serial('who waits for history after a crash is told how far it is', (t) => scoped(async (scope) => {
  const mounted = await mountTree(scope);
  await mounted.unmount();
  const { id } = JSON.parse(fs.readFileSync(path.join(mounted.store, 'store.json'), 'utf8')) as { id: string };
  const journal = new native.Journal({ directory: path.join(mounted.store, 'journal'), storeId: Buffer.from(id, 'hex'), nextSeq: 1 });
  await journal.open();
  for (let i = 0; i < 3; i++) await journal.append(5, Buffer.from('{"kind":"mark","name":"late"}'));
  await journal.close();
  const { stdout } = await onTerminal([process.execPath, cli, 'mount', mounted.tree, '--store', mounted.store]);
  t.regex(stdout, /Bringing history up to date after a crash: 0 of 3 changes/);
  t.regex(stdout, /is protected/);
}));

test.serial('a helper that refuses is quoted, and a directory that was made for the store beforehand stays', (t) => scoped(async (scope) => {
  const place = scope.temporary();
  const tree = userDirectory(place, 'tree');
  const store = userDirectory(place, 'store');
  // Such a directory everyone may write to, and fusermount3 wants it to be the user's own.
  fs.chownSync(tree, 0, 0);
  fs.chmodSync(tree, 0o1777);
  const refused = failureOf(await asUser(place, ['mount', tree, '--store', store, '--json']));
  t.is(refused.error, 'ERR_MOUNT_FAILED');
  t.regex(refused.message, /fusermount3: .*(not owned|no write access)/);
  t.deepEqual(fs.readdirSync(store), []);
  const nested = path.join(place, 'state', 'a', 'b');
  t.is(failureOf(await asUser(place, ['mount', tree, '--store', nested, '--json'])).error, 'ERR_MOUNT_FAILED');
  t.false(fs.existsSync(path.join(place, 'state', 'a')), 'what was made goes again');
}));

test.serial('a daemon that ends without a word: what it printed is in the error, for its log goes with the new store', (t) => scoped(async (scope) => {
  const place = scope.temporary();
  const tree = path.join(place, 'tree');
  fs.mkdirSync(tree);
  const preload = path.join(place, 'preload.cjs');
  fs.writeFileSync(preload, "if (process.argv.includes('--foreground')) { console.error('the test ends it'); process.exit(7); }");
  const result = await rewind(['mount', tree, '--store', path.join(place, 'store'), '--json'], { env: { ...process.env, NODE_OPTIONS: `--require=${preload}` } });
  const refused = failureOf(result);
  t.is(refused.error, 'ERR_DAEMON_START');
  t.regex(refused.message, /exit code 7; it said:\n {2}the test ends it/);
  t.deepEqual(fs.readdirSync(place).sort(), ['preload.cjs', 'tree']);
}));

test.serial('what another user\'s dead daemon left cannot be taken away, and is named', (t) => scoped(async (scope) => {
  const mounted = await mountTree(scope);
  const place = scope.temporary();
  await mounted.kill();
  await until('the mount is dead', () => { try { fs.statfsSync(mounted.tree); return false; } catch { return true; } });
  const refused = failureOf(await asUser(place, ['mount', mounted.tree, '--json']));
  t.is(refused.error, 'ERR_DAEMON_DEAD');
  t.true(refused.message.includes(mounted.tree));
  t.regex(refused.hint, /umount -l/);
  await must('umount', ['-l', mounted.tree]);
}));

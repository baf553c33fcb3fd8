import test from 'ava';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { mountOf, readMounts } from '../../../lib/store/mounts.js';
import { nameUsers, usersOf, writersPast } from '../../../lib/store/users.js';
import { must } from '../../helpers/run.js';
import { scoped, type Scope } from '../../helpers/scope.js';

/** A process that says when it is where it wants to be, and stays there until the scope ends. */
async function settle(scope: Scope, command: string, args: string[], cwd = '/'): Promise<number> {
  const child = spawn(command, args, { cwd, stdio: ['pipe', 'pipe', 'inherit'] });
  scope.defer(async () => {
    child.kill('SIGKILL');
    await once(child, 'close');
  });
  await once(child.stdout, 'data');
  return child.pid!;
}

test.serial('who stands in a directory, reads or writes a file there, or has one mapped, is found; who does not is not', (t) => scoped(async (scope) => {
  const directory = scope.temporary();
  const other = scope.temporary();
  for (const place of [directory, other]) fs.writeFileSync(path.join(place, 'file'), 'x'.repeat(5000));
  const shell = (script: string, cwd = '/') => settle(scope, 'bash', ['-c', `${script}; echo ready; read`, 'bash', path.join(directory, 'file')], cwd);
  const stands = await shell('true', directory);
  const reads = await shell('exec 3< "$1"');
  const writes = await shell('exec 3>> "$1"');
  const maps = await settle(scope, 'python3', ['-c', `import mmap, os, sys
with open(sys.argv[1], 'r+b') as f: m = mmap.mmap(f.fileno(), 0)
fd = os.open('/proc/self/maps', os.O_RDONLY)
for i in range(3, 20):
  if i != fd:
    try: os.close(i)
    except OSError: pass
print('ready', flush=True); sys.stdin.read()`, path.join(directory, 'file')]);
  await shell(`exec 3>> ${other}/file`, other);
  const found = await usersOf(directory);
  t.deepEqual(found.sort((a, b) => a.pid - b.pid).map(({ pid, writing }) => [pid, writing]), [[stands, false], [reads, false], [writes, true], [maps, true]].sort((a, b) => Number(a[0]) - Number(b[0])));
  t.is(found.find(({ pid }) => pid === writes)?.command, 'bash');
  t.is((await usersOf(directory, 1)).length, 1);
  t.deepEqual(await usersOf(`${directory}/nothing`), []);
}));

test.serial('who writes past a file system that was mounted over a directory is told from who writes to it', (t) => scoped(async (scope) => {
  const directory = scope.temporary();
  const map = ['-c', "import mmap, sys; f = open(sys.argv[1], 'r+b'); m = mmap.mmap(f.fileno(), 0); f.close(); print('ready', flush=True); sys.stdin.read()", path.join(directory, 'file')];
  const writers = async (): Promise<number[]> => {
    fs.writeFileSync(path.join(directory, 'file'), 'x'.repeat(5000));
    return [await settle(scope, 'bash', ['-c', 'exec 3>> "$1"; echo ready; read', 'bash', path.join(directory, 'file')]), await settle(scope, 'python3', map)];
  };
  const past = await writers();
  await must('mount', ['-t', 'tmpfs', 'rewindfs-test', directory]);
  scope.defer(async () => void (await must('umount', ['-l', directory])));
  await writers();
  const found = await writersPast(directory, mountOf(await readMounts(), directory)!.device);
  t.deepEqual(found.map(({ pid }) => pid).sort(), past.sort());
}));

test.serial('a message names a few', (t) => {
  const users = [1, 2, 3].map((pid) => ({ pid, command: 'vi', writing: false }));
  t.is(nameUsers(users), 'vi (1), vi (2), vi (3)');
  t.is(nameUsers(users, 1), 'vi (1) and 2 more');
});

/** What is measured: the directory itself, pass-through file systems over it, and rewindfs over each transport. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { MountedTree, baselineDone } from '../test/helpers/mount.js';
import { must, projectRoot, run, sleep, until } from '../test/helpers/run.js';
import { mountsUnder, type Scope } from '../test/helpers/scope.js';
import type { Where } from './model.js';
import { uringOffered } from './uring.js';

/** A mounted subject: `directory` is where the work is done. */
export interface Subject {
  directory: string;
  /** Only rewindfs. */
  tree?: MountedTree;
  end(): Promise<void>;
}

export interface SubjectKind {
  name: string;
  role: 'raw' | 'script' | 'peer' | 'rewindfs';
  start(scope: Scope, where: Where): Promise<Subject>;
}

const mountedAt = (directory: string): boolean => mountsUnder(directory).includes(directory);

type Command = (backing: string, mountpoint: string) => [string, string[]];

/** A program that mounts, in the foreground or not. What it says on stderr is in the error when it does not mount. */
async function passThrough(scope: Scope, where: Where, command: Command, stop: (pid: number, mountpoint: string) => Promise<void>): Promise<Subject> {
  const base = scope.temporary(where);
  const [backing, mountpoint] = [path.join(base, 'backing'), path.join(base, 'mount')];
  fs.mkdirSync(backing);
  fs.mkdirSync(mountpoint);
  const [program, args] = command(backing, mountpoint);
  const said = path.join(base, 'said');
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', fs.openSync(said, 'w')] });
  let exit: number | null = null;
  child.on('error', () => (exit = -1)).on('exit', (code) => (exit = code ?? -1));
  const end = async (): Promise<void> => {
    if (mountedAt(mountpoint)) await stop(child.pid!, mountpoint);
    await until(`${program} unmounts`, () => !mountedAt(mountpoint));
    await until(`${program} ends`, () => exit !== null).catch(() => child.kill('SIGKILL'));
  };
  scope.defer(end);
  await until(`${program} mounts`, () => mountedAt(mountpoint) || (exit ?? 0) !== 0, 10_000).catch(() => undefined);
  if (!mountedAt(mountpoint)) throw new Error(`${program} ${args.join(' ')} did not mount: ${fs.readFileSync(said, 'utf8').trim()}`);
  return { directory: mountpoint, end };
}

/** Not at once: a peer may still have releases to answer. */
async function unmount(_: number, mountpoint: string): Promise<void> {
  await sleep(100);
  const [program, args] = process.geteuid?.() === 0 ? ['umount', [mountpoint]] : ['fusermount3', ['-u', mountpoint]];
  await until(`${mountpoint} is unmounted`, async () => (await run(program as string, args as string[])).code === 0, 10_000);
}

/**
 * A peer of the user's: `NAME=CMD`, run by the shell as `CMD SRC MNT`.
 * @throws Error when it is not of that form
 */
export function peer(text: string): SubjectKind {
  const [, name, command] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (!name || !command) throw new Error(`--peer ${text}: NAME=CMD was expected; CMD is run with the directory and the mountpoint behind it`);
  return { name, role: 'peer', start: (scope, where) => passThrough(scope, where, (backing, mountpoint) => ['sh', ['-c', `${command} "$0" "$1"`, backing, mountpoint]], unmount) };
}

/** rewindfs in each way that it is mounted: more arguments of `rewind mount`, and whether this machine offers it. */
const MOUNTS: readonly { name: string; args: string[]; offered?: () => boolean }[] = [
  { name: 'rewindfs', args: ['--transport', 'dev'] },
  { name: 'rewindfs, io_uring', args: ['--transport', 'io_uring'], offered: uringOffered },
];

function rewindfs({ name, args }: (typeof MOUNTS)[number]): SubjectKind {
  return {
    name,
    role: 'rewindfs',
    async start(scope, where) {
      const base = scope.temporary(where);
      const directory = path.join(base, 'tree');
      fs.mkdirSync(directory);
      const tree = new MountedTree(scope, directory, path.join(base, 'store'), args);
      scope.defer(() => tree.dispose());
      await tree.mount();
      await baselineDone(tree);
      return { directory, tree, end: () => tree.dispose() };
    },
  };
}

/** All that this machine can measure now without peers of the user's. */
export const subjects = (): SubjectKind[] => [
  {
    name: 'directory',
    role: 'raw',
    async start(scope, where) {
      return { directory: scope.temporary(where), end: async () => undefined };
    },
  },
  {
    name: 'fuse-native',
    role: 'script',
    start: (scope, where) =>
      passThrough(scope, where, (backing, mountpoint) => [process.execPath, [path.join(projectRoot, 'bench/peers/fuse-native.mjs'), backing, mountpoint]], async (pid) => {
        await sleep(200);
        process.kill(pid, 'SIGTERM');
      }),
  },
  {
    name: 'bindfs',
    role: 'peer',
    start: (scope, where) => passThrough(scope, where, (backing, mountpoint) => ['bindfs', ['-f', backing, mountpoint]], unmount),
  },
  ...MOUNTS.filter(({ offered }) => offered?.() ?? true).map(rewindfs),
];

/** Forgets names and inodes that the kernel keeps (2), or pages too (3), where we may: what is `cold` afterwards. */
export async function dropCaches(what: 2 | 3 = 2): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  await must('sync', [], { timeoutMs: 300_000 });
  fs.writeFileSync('/proc/sys/vm/drop_caches', String(what));
}

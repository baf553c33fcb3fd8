/** What is measured: the directory itself, two pass-through file systems over it, and rewindfs. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { MountedTree, baselineDone } from '../test/helpers/mount.js';
import { must, projectRoot, sleep, until } from '../test/helpers/run.js';
import { mountsUnder, type Scope } from '../test/helpers/scope.js';

export type Where = 'memory' | 'disk';

/** A mounted subject: `directory` is where the work is done. */
export interface Subject {
  directory: string;
  /** Only rewindfs. */
  tree?: MountedTree;
  end(): Promise<void>;
}

export interface SubjectKind {
  name: string;
  start(scope: Scope, where: Where): Promise<Subject>;
}

const mountedAt = (directory: string): boolean => mountsUnder(directory).includes(directory);

async function passThrough(scope: Scope, where: Where, command: (backing: string, mountpoint: string) => [string, string[]], stop: (pid: number, mountpoint: string) => Promise<void>): Promise<Subject> {
  const base = scope.temporary(where);
  const [backing, mountpoint] = [path.join(base, 'backing'), path.join(base, 'mount')];
  fs.mkdirSync(backing);
  fs.mkdirSync(mountpoint);
  const [program, args] = command(backing, mountpoint);
  const child = spawn(program, args, { stdio: 'ignore' });
  await until(`${program} mounts`, () => mountedAt(mountpoint));
  const end = async (): Promise<void> => {
    if (!mountedAt(mountpoint)) return;
    await stop(child.pid!, mountpoint);
    await until(`${program} unmounts`, () => !mountedAt(mountpoint));
  };
  scope.defer(end);
  return { directory: mountpoint, end };
}

export const subjects: SubjectKind[] = [
  {
    name: 'directory',
    async start(scope, where) {
      return { directory: scope.temporary(where), end: async () => undefined };
    },
  },
  {
    name: 'fuse-native',
    start: (scope, where) =>
      passThrough(scope, where, (backing, mountpoint) => [process.execPath, [path.join(projectRoot, 'bench/peers/fuse-native.mjs'), backing, mountpoint]], async (pid) => {
        await sleep(200);
        process.kill(pid, 'SIGTERM');
      }),
  },
  {
    name: 'bindfs',
    start: (scope, where) =>
      passThrough(scope, where, (backing, mountpoint) => ['bindfs', ['-f', backing, mountpoint]], async (_, mountpoint) => {
        await must('fusermount3', ['-u', mountpoint]);
      }),
  },
  {
    name: 'rewindfs',
    async start(scope, where) {
      const base = scope.temporary(where);
      const directory = path.join(base, 'tree');
      fs.mkdirSync(directory);
      const tree = new MountedTree(scope, directory, path.join(base, 'store'));
      scope.defer(() => tree.dispose());
      await tree.mount();
      await baselineDone(tree);
      return { directory, tree, end: () => tree.dispose() };
    },
  },
];

/** Forgets names and inodes that the kernel keeps, where we may: what is `cold` afterwards. */
export function dropCaches(): boolean {
  try {
    fs.writeFileSync('/proc/sys/vm/drop_caches', '2');
    return true;
  } catch {
    return false;
  }
}

/** Peak and present resident memory of a process, in MiB. */
export function memoryMiB(pid: number): { now: number; peak: number } {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1024;
  return { now: Math.round(field('VmRSS')), peak: Math.round(field('VmHWM')) };
}

/** The machine that the figures belong to. */
export const machine = (): Record<string, unknown> => ({ cpus: os.cpus().length, model: os.cpus()[0]?.model, kernel: os.release(), memory_gib: Math.round(os.totalmem() / 2 ** 30), node: process.version });

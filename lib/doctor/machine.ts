/**
 * What this machine offers a mount, each with what it means and how to get more. Reads /proc, /sys and /etc only: looking
 * changes nothing and needs no privileges.
 */
import { access, constants, readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/** One thing that was looked at. */
export interface Finding {
  name: string;
  /** 'slower' works, but not as well as it could; 'missing': no mount without it. */
  state: 'ok' | 'slower' | 'missing';
  found: string;
  /** What to do about it; null when nothing is to be done. */
  remedy: string | null;
}

/** The switch of FUSE over io_uring, and what a process may use io_uring at all (0 all, 1 a group, 2 nobody). */
const SWITCH = '/sys/module/fuse/parameters/enable_uring';
const FORBIDDEN = '/proc/sys/kernel/io_uring_disabled';
/** Below this many, a tree with many open files runs out. */
const DESCRIPTORS = 65_536;

/** Where the machine's answers are read from. */
export interface Machine {
  release: string;
  root: boolean;
  /** A file's text without white space around it, null when it cannot be read. */
  text(file: string): Promise<string | null>;
  usable(file: string, mode: number): Promise<boolean>;
  searchPath: string[];
}

/** This machine. */
export function thisMachine(): Machine {
  return {
    release: os.release(),
    root: process.geteuid?.() === 0,
    text: (file) => readFile(file, 'utf8').then((text) => text.trim(), () => null),
    usable: (file, mode) => access(file, mode).then(() => true, () => false),
    searchPath: (process.env['PATH'] ?? '').split(':').filter((directory) => directory !== ''),
  };
}

/** Every finding, in the order in which they matter. */
export async function examine(machine: Machine = thisMachine()): Promise<Finding[]> {
  return Promise.all([kernel(machine), device(machine), mounting(machine), transport(machine), passThrough(machine), descriptors(machine)]);
}

/** Is the kernel's release at least this one? */
function atLeast(machine: Machine, major: number, minor: number): boolean {
  const [, a, b] = /^(\d+)\.(\d+)/.exec(machine.release) ?? [];
  return Number(a) > major || (Number(a) === major && Number(b) >= minor);
}

async function kernel(machine: Machine): Promise<Finding> {
  const enough = atLeast(machine, 5, 17);
  return { name: 'kernel', state: enough ? 'ok' : 'missing', found: machine.release, remedy: enough ? null : 'rewindfs needs Linux 5.17 (FUSE protocol 7.36) or newer.' };
}

async function device(machine: Machine): Promise<Finding> {
  const usable = await machine.usable('/dev/fuse', constants.R_OK | constants.W_OK);
  return {
    name: '/dev/fuse', state: usable ? 'ok' : 'missing', found: usable ? 'can be opened' : 'cannot be opened',
    remedy: usable ? null : 'Load the module (modprobe fuse); in a container give it the device (--device /dev/fuse).',
  };
}

async function mounting(machine: Machine): Promise<Finding> {
  if (machine.root) return { name: 'mounting', state: 'ok', found: 'by mount(2), as root', remedy: null };
  for (const directory of machine.searchPath) {
    const file = path.join(directory, 'fusermount3');
    if (await machine.usable(file, constants.X_OK)) return { name: 'mounting', state: 'ok', found: `through ${file}; the tree is yours alone`, remedy: null };
  }
  return { name: 'mounting', state: 'missing', found: 'not root, and no fusermount3', remedy: 'apt-get install fuse3, or mount as root.' };
}

async function transport(machine: Machine): Promise<Finding> {
  const slower = (found: string, remedy: string): Finding => ({ name: 'transport', state: 'slower', found: `/dev/fuse: ${found}`, remedy });
  if (!atLeast(machine, 6, 14)) return slower(`FUSE over io_uring came with Linux 6.14, this is ${machine.release}`, 'A newer kernel.');
  const enabled = await machine.text(SWITCH);
  if (enabled === null) return slower('this kernel was built without FUSE over io_uring', 'A kernel with CONFIG_FUSE_IO_URING.');
  if (enabled !== 'Y') {
    return slower(`${SWITCH} is ${enabled}`, `echo Y | sudo tee ${SWITCH}; for good: fuse.enable_uring=1 on the kernel's command line. Then mount again.`);
  }
  const forbidden = await machine.text(FORBIDDEN);
  if (forbidden === '2' || (forbidden === '1' && !machine.root)) return slower(`${FORBIDDEN} is ${forbidden}`, 'sudo sysctl kernel.io_uring_disabled=0. Then mount again.');
  return { name: 'transport', state: 'ok', found: 'io_uring', remedy: null };
}

async function passThrough(machine: Machine): Promise<Finding> {
  const offered = machine.root && atLeast(machine, 6, 9);
  return {
    name: 'pass-through', state: offered ? 'ok' : 'slower', found: offered ? 'for files that policy does not record write by write' : machine.root ? `came with Linux 6.9, this is ${machine.release}` : 'for root only',
    remedy: offered ? null : 'Files that policy does not record write by write are read and written through the daemon.',
  };
}

async function descriptors(machine: Machine): Promise<Finding> {
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(await machine.text('/proc/self/limits') ?? '')?.[1] ?? 'unknown';
  const enough = limit === 'unlimited' || Number(limit) >= DESCRIPTORS;
  return {
    name: 'open files', state: enough ? 'ok' : 'slower', found: `at most ${limit}`,
    remedy: enough ? null : `Raise the hard limit (ulimit -Hn ${DESCRIPTORS}): open files of the tree's programs count against it.`,
  };
}

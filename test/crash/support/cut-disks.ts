/**
 * Disks that log all that is written to them (test/native/disk), each with a file system, mounted. For a process in a mount
 * namespace of its own: what it leaves mounted goes with it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { unmount } from '../../helpers/disk.js';
import { must, projectRoot, until } from '../../helpers/run.js';

export const FILE_SYSTEMS = ['ext4', 'xfs', 'btrfs'] as const;
export type FileSystem = (typeof FILE_SYSTEMS)[number];

/** Room for a store, of which almost nothing is ever taken. */
const DISK_BYTES = 2 ** 30;

const MAKE: Record<FileSystem, string[]> = {
  ext4: ['mkfs.ext4', '-q', '-F', '-E', 'nodiscard,lazy_itable_init=0,lazy_journal_init=0'],
  xfs: ['mkfs.xfs', '-q', '-K'],
  btrfs: ['mkfs.btrfs', '-q', '-K'],
};

/** A fresh, sparse image with a file system. */
export async function makeImage(image: string, fileSystem: FileSystem): Promise<void> {
  fs.closeSync(fs.openSync(image, 'wx'));
  fs.truncateSync(image, DISK_BYTES);
  const [command, ...args] = MAKE[fileSystem];
  await must(command!, [...args, image]);
}

/** Mounts an image, which gets a loop device as long as that lasts. */
export async function mountImage(image: string, at: string): Promise<void> {
  // Images are copies of each other: xfs would refuse a second one beside the first.
  const uuid = (await must('blkid', ['-o', 'value', '-s', 'TYPE', image])).trim() === 'xfs' ? ',nouuid' : '';
  await must('mount', ['-o', `loop${uuid}`, image, at]);
}

/** The running disks. */
export class CutDisks {
  private constructor(private readonly server: ChildProcess, private readonly place: string, private readonly mounts: readonly string[]) {}

  /** Serves copies of these images, and mounts each where it says. `logPath` must not exist. */
  static async start(top: string, logPath: string, disks: readonly { image: string; at: string }[]): Promise<CutDisks> {
    const place = path.join(top, 'disks');
    fs.mkdirSync(place, { recursive: true });
    const working = disks.map((_, i) => path.join(top, `working-${i}`));
    await Promise.all(disks.map(({ image }, i) => must('cp', ['--sparse=always', image, working[i]!])));
    const server = spawn(path.join(projectRoot, 'build/cut-disk'), [place, logPath, ...working.map((image, i) => `disk${i}=${image}`)], { stdio: ['ignore', 'inherit', 'inherit'] });
    await until('the disks are there', () => fs.existsSync(path.join(place, 'disk0')));
    for (const [i, { at }] of disks.entries()) await mountImage(path.join(place, `disk${i}`), at);
    return new CutDisks(server, place, disks.map(({ at }) => at));
  }

  /** Takes all away. What was not written by then may come to the log, later than anything that counts. */
  async stop(): Promise<void> {
    for (const at of this.mounts) await unmount(at);
    await unmount(this.place);
    await until('their server ends', () => this.server.exitCode !== null);
  }
}

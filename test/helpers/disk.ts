/** A small file system of its own, in a loop device: for what only a full or a new disk shows. */
import fs from 'node:fs';
import path from 'node:path';
import { must, run, until } from './run.js';
import type { Scope } from './scope.js';

/** Unmounts what a test has mounted. The kernel and a loop device let go of it a little after who used it has ended. */
export async function unmount(at: string): Promise<void> {
  let said = '';
  await until(`${at} is unmounted`, async () => {
    const { code, stderr } = await run('umount', [at], { timeoutMs: 120_000 });
    said = stderr.trim();
    return code === 0;
  }).catch((error: Error) => { throw new Error(`${error.message}: ${said}`); });
}

/** A new ext4 of so many MiB, mounted for the life of the scope; resolves to where. `options` go to mkfs.ext4. */
export async function smallDisk(scope: Scope, mib: number, options: string[] = []): Promise<string> {
  const top = scope.temporary('memory');
  const image = path.join(top, 'image');
  const at = path.join(top, 'disk');
  fs.mkdirSync(at);
  fs.closeSync(fs.openSync(image, 'w'));
  fs.truncateSync(image, mib << 20);
  await must('mkfs.ext4', ['-q', '-F', '-E', 'nodiscard', ...options, image]);
  const device = (await must('losetup', ['--find', '--show', image])).trim();
  scope.defer(async () => { await run('losetup', ['-d', device]); });
  await must('mount', [device, at]);
  scope.defer(() => unmount(at));
  return at;
}

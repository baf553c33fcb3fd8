/** A disk that refuses what it had room for: a write is taken, and its sync fails. */
import fs from 'node:fs';
import path from 'node:path';
import { unmount } from '../../helpers/disk.js';
import { must } from '../../helpers/run.js';
import type { Scope } from '../../helpers/scope.js';

/** An ext4 that believes to have 1 GiB, in an image that may grow to less. */
export async function thinDisk(scope: Scope): Promise<{ disk: string; holder: string }> {
  const top = scope.temporary('memory');
  const [disk, holder] = [path.join(top, 'disk'), path.join(top, 'holder')];
  for (const place of [disk, holder]) fs.mkdirSync(place);
  await must('mount', ['-t', 'tmpfs', '-o', 'size=120M', 'rewindfs-test', holder]);
  scope.defer(() => unmount(holder));
  const image = path.join(holder, 'image');
  fs.writeFileSync(image, '');
  fs.truncateSync(image, 1 << 30);
  await must('mkfs.ext4', ['-q', '-F', '-O', '^has_journal', '-E', 'nodiscard', image]);
  const device = (await must('losetup', ['--find', '--show', image])).trim();
  scope.defer(async () => void (await must('losetup', ['-d', device])));
  await must('mount', [device, disk]);
  scope.defer(() => unmount(disk));
  return { disk, holder };
}

/** All that is left of what it can grow by. */
export function fill(file: string): void {
  const fd = fs.openSync(file, 'w');
  try {
    for (const block = Buffer.alloc(1 << 16, 1); ;) fs.writeSync(fd, block);
  } catch {
    // That is what was wanted.
  } finally {
    fs.closeSync(fd);
  }
}

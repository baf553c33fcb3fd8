/** An ext4 on a disk of its own that dies when a test wants it to, and comes back with what was on stable storage. */
import fs from 'node:fs';
import path from 'node:path';
import { unmount } from '../../helpers/disk.js';
import { must } from '../../helpers/run.js';
import type { Scope } from '../../helpers/scope.js';

/** EXT4_IOC_SHUTDOWN, without writing anything any more: what the kernel does when the device is gone. */
const SHUT_DOWN = 'import fcntl, os, struct, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))';

export class MortalDisk {
  private constructor(readonly at: string, private image: string) {}

  /** Of so many MiB, of which only what is written takes memory; mounted for the life of the scope. */
  static async make(scope: Scope, mib: number): Promise<MortalDisk> {
    const top = scope.temporary('memory');
    const disk = new MortalDisk(path.join(top, 'disk'), path.join(top, 'image'));
    fs.mkdirSync(disk.at);
    fs.closeSync(fs.openSync(disk.image, 'w'));
    fs.truncateSync(disk.image, mib << 20);
    await must('mkfs.ext4', ['-q', '-F', '-E', 'nodiscard', '-e', 'remount-ro', disk.image]);
    await disk.attach();
    scope.defer(() => unmount(disk.at));
    return disk;
  }

  /** Every call that needs the device is EIO. */
  async die(): Promise<void> {
    await must('python3', ['-c', SHUT_DOWN, this.at]);
  }

  /** The kernel finds an error in the file system, and lets nobody write to it any more. */
  async turnReadOnly(): Promise<void> {
    const device = path.basename((await must('findmnt', ['-no', 'SOURCE', this.at])).trim());
    fs.writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, 'a test');
  }

  /** As a person does it who has plugged it in again; who had files open keeps them, of the dead one, whose cache reaches the image no more. */
  async comeBack(): Promise<void> {
    await must('umount', ['-l', this.at]);
    const dead = this.image;
    this.image = `${dead}-again`;
    await must('cp', ['--sparse=always', dead, this.image]);
    await this.attach();
  }

  private async attach(): Promise<void> {
    await must('mount', ['-o', 'loop', this.image, this.at]);
  }
}

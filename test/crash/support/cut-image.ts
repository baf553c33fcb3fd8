/**
 * The images of disks as a power cut leaves them: all that a flush had covered, and of what was written since then what
 * the cut lets through. A write may have come through in part: whole sectors of it.
 */
import fs from 'node:fs';
import { must } from '../../helpers/run.js';
import type { Random } from '../../helpers/random.js';
import { readLog, type LoggedRequest } from './disk-log.js';

const SECTOR = 512;

/** What becomes of the writes that no flush had covered. */
export interface Cut {
  atNs: bigint;
  /** Each is lost with this probability. */
  lose: number;
  /** And those that are not, in part with this. */
  tear: number;
}

/** Either none of them was lost, or all, or some. */
export function randomCut(random: Random, fromNs: bigint, toNs: bigint): Cut {
  const atNs = fromNs + (toNs - fromNs) * BigInt(random.below(1 << 30)) / BigInt(1 << 30);
  const lose = random.pick([0, 1, random.below(100) / 100, random.below(100) / 100]);
  return { atNs, lose, tear: random.pick([0, 0.1]) };
}

/** Images of the disks of one log at instants that only go on. */
export class CutImages {
  private readonly requests: LoggedRequest[];
  private readonly log: number;
  private readonly stable: number[];
  /** Requests before it are in the stable images of their disks, or were not covered by a flush yet. */
  private next = 0;
  private pending: LoggedRequest[] = [];

  /** `images`: of each disk, as it was before the first request; they become what is stable. */
  constructor(logPath: string, private readonly images: readonly string[]) {
    this.requests = readLog(logPath);
    this.log = fs.openSync(logPath, 'r');
    this.stable = images.map((image) => fs.openSync(image, 'r+'));
  }

  /** Writes the image of each disk to the file of the same place in `targets`. Resolves to how many writes were lost or torn. */
  async make(cut: Cut, targets: readonly string[], random: Random): Promise<{ uncovered: number; lost: number; torn: number }> {
    this.advance(cut.atNs);
    await Promise.all(this.images.map((image, i) => must('cp', ['--sparse=always', image, targets[i]!])));
    const opened = targets.map((target) => fs.openSync(target, 'r+'));
    const count = { uncovered: this.pending.length, lost: 0, torn: 0 };
    try {
      for (const request of this.pending) {
        if (random.chance(cut.lose)) count.lost++;
        else if (random.chance(cut.tear)) {
          count.torn++;
          this.applyInPart(request, opened[request.disk]!, random);
        } else this.apply(request, opened[request.disk]!);
      }
    } finally {
      for (const fd of opened) fs.closeSync(fd);
    }
    return count;
  }

  close(): void {
    for (const fd of [this.log, ...this.stable]) fs.closeSync(fd);
  }

  private advance(atNs: bigint): void {
    for (; this.next < this.requests.length && this.requests[this.next]!.timeNs <= atNs; this.next++) {
      const request = this.requests[this.next]!;
      if (!request.flush) {
        this.pending.push(request);
        continue;
      }
      for (const one of this.pending) if (one.disk === request.disk) this.apply(one, this.stable[one.disk]!);
      this.pending = this.pending.filter(({ disk }) => disk !== request.disk);
    }
  }

  private dataOf({ at, bytes }: LoggedRequest): Buffer {
    const data = Buffer.allocUnsafe(bytes);
    fs.readSync(this.log, data, 0, bytes, at);
    return data;
  }

  private apply(request: LoggedRequest, fd: number): void {
    fs.writeSync(fd, this.dataOf(request), 0, request.bytes, request.offset);
  }

  private applyInPart(request: LoggedRequest, fd: number, random: Random): void {
    const data = this.dataOf(request);
    for (let at = 0; at < data.length; at += SECTOR) if (random.chance(0.5)) fs.writeSync(fd, data, at, Math.min(SECTOR, data.length - at), request.offset + at);
  }
}

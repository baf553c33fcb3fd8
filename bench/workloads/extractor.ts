/** The extractor by itself: records that are already there become history as fast as it can. */
import { randomFillSync } from 'node:crypto';
import path from 'node:path';
import { Extractor } from '../../lib/extractor/loop.js';
import { Kind } from '../../lib/extractor/record.js';
import { History } from '../../lib/history/history.js';
import type { Journal } from '../../lib/native.js';
import { encodeRecord, type AttrDraft } from '../../test/helpers/records.js';
import { scoped } from '../../test/helpers/scope.js';
import type { Workload } from '../run.js';

const start = 1_800_000_000_000_000_000n;

function attributes(seq: number, mode: number, size: number): AttrDraft {
  const time = start + BigInt(seq) * 20_000n;
  return { mode, uid: 0, gid: 0, nlink: mode >> 12 === 4 ? 2 : 1, size, rdev: 0n, atime: start, mtime: time, ctime: time, btime: start };
}

const STAMP_EVERY = 4096;

/** Bytes that no other write has: what comes a second time is found, and takes less work. */
function distinct(random: Buffer, i: number, bytes: number): Buffer {
  const out = Buffer.from(random.subarray((i * 37) % STAMP_EVERY).subarray(0, bytes));
  for (let at = 0; at < bytes; at += STAMP_EVERY) out.writeUInt32LE(i, at);
  return out;
}

/** A mount, `files` creates, then writes of `payloadBytes` one after another through the files. */
function records(count: number, files: number, payloadBytes: number): Buffer[] {
  const root = 1;
  const random = randomFillSync(Buffer.alloc(payloadBytes + STAMP_EVERY));
  const out: Buffer[] = [];
  const add = (draft: Omit<Parameters<typeof encodeRecord>[0], 'seq' | 'timeNs'>): void => {
    const seq = out.length + 1;
    out.push(encodeRecord({ ...draft, seq, timeNs: start + BigInt(seq) * 20_000n }));
  };
  add({ kind: Kind.Mount, ino: root, attr: attributes(1, 0o40755, 4096), payload: { boot_id: 'bench', pid: 1, mountpoint: '/', root_ino: root, clean: true, version: '0' } });
  add({ kind: Kind.BaseNode, ino: root, attr: attributes(1, 0o40755, 4096), payload: Buffer.alloc(4) });
  for (let i = 0; i < files; i++) {
    add({ kind: Kind.Create, ino: 100 + i, parent: root, name: `file${i}`, attr: attributes(out.length, 0o100644, 0), parentAttr: attributes(out.length, 0o40755, 4096) });
  }
  for (let i = 0; out.length < count; i++) {
    const offset = Math.floor(i / files) * payloadBytes;
    add({ kind: Kind.Write, ino: 100 + (i % files), offset, length: payloadBytes, attr: attributes(out.length, 0o100644, offset + payloadBytes), payload: distinct(random, i, payloadBytes) });
  }
  return out;
}

/** A journal that holds these records and nothing else. */
function journalOf(all: Buffer[]): Journal {
  const stats = { firstSeq: 1, lastSeq: all.length, releasedSeq: 0, syncedSeq: 0, segments: 1, backlogBytes: 0, backlogHardBytes: 2 ** 31, appendedBytes: 0, syncs: 0, freeBytes: 2 ** 64, failedErrno: 0, refusedErrno: 0, gap: null };
  const journal: Partial<Journal> = {
    async read(fromSeq, maxBytes) {
      const taken: Buffer[] = [];
      for (let i = fromSeq - 1, bytes = 0; i < all.length && (taken.length === 0 || bytes + all[i]!.length <= maxBytes); i++) {
        taken.push(all[i]!);
        bytes += all[i]!.length;
      }
      return Buffer.concat(taken);
    },
    sync: async () => all.length,
    release: async () => undefined,
    onAppend: () => undefined,
    arm: () => undefined,
    stats: () => stats,
  };
  return journal as Journal;
}

async function extract(count: number, files: number, payloadBytes: number): Promise<{ records: number; mebibytes: number }> {
  const all = records(count, files, payloadBytes);
  return scoped(async (scope) => {
    const history = await History.open(path.join(scope.temporary('disk'), 'history'));
    const extractor = new Extractor(journalOf(all), history);
    const started = process.hrtime.bigint();
    extractor.start();
    await extractor.caughtUp(all.length);
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    await extractor.stop();
    await history.close();
    return { records: all.length / seconds, mebibytes: (all.length * payloadBytes) / 1048576 / seconds };
  });
}

const perSecond = (name: string) => ({ name, unit: 'records/s', digits: 0 });

export const extractor: readonly Workload[] = [
  {
    name: 'extractor',
    rows: [perSecond('extractor, 100-byte writes'), perSecond('extractor, 4 KiB writes'), { name: 'extractor, 128 KiB writes', unit: 'MiB/s', digits: 0 }],
    where: ['disk'],
    on: 'rewindfs',
    once: true,
    async run(run) {
      const { records: most } = run.scale;
      run.note('extractor, 100-byte writes', (await extract(Math.min(300_000, most), 500, 100)).records);
      run.note('extractor, 4 KiB writes', (await extract(Math.min(100_000, most / 5), 500, 4096)).records);
      run.note('extractor, 128 KiB writes', (await extract(Math.min(5_000, most / 100), 20, 131_072)).mebibytes);
    },
  },
];

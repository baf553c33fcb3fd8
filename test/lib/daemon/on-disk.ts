import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import { doubtfulSince, LostFiles } from '../../../lib/daemon/on-disk.js';
import { RewindError } from '../../../lib/errors.js';
import { noteLost } from '../../../lib/daemon/unrecorded.js';
import type { HistoryReader } from '../../../lib/history/reader.js';
import type { BackingPiece } from '../../../lib/native.js';

/** One file of history, node 7 at `file`, that was so. */
const historyOf = (content: string): HistoryReader => ({
  pathOf: async () => ['file'], attr: async () => ({ size: content.length }), read: async (_: number, at: number, length: number) => Buffer.from(content).subarray(at, at + length),
}) as unknown as HistoryReader;

/** `ctimeNs` as history has it, when not given. */
const fileOf = (content: string, ino = 5, ctimeNs = 1000n) => async (_: Buffer, at: number, length: number): Promise<BackingPiece> => ({ data: Buffer.from(content).subarray(at, at + length), size: content.length, ino, ctimeNs, writers: 0 });

const FILE = { node: 7, ino: 5n, ctimeNs: 1000n };
const MOUNTED = 10_000_000_000n;

test.serial('what the same boot wrote is in the page cache at least; of another one the time counts, of an unknown one nothing is sure', async (t) => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'on-disk-')), 'on-disk.json');
  t.is(await doubtfulSince(file, 'a'), 0n);
  fs.writeFileSync(file, JSON.stringify({ boot: 'a', time_ns: '5000000000' }));
  t.is(await doubtfulSince(file, 'a'), null);
  t.is(await doubtfulSince(file, 'b'), 4_950_000_000n);
  fs.writeFileSync(file, '{"boot":');
  t.is(await doubtfulSince(file, 'b'), 0n);
  fs.rmSync(path.dirname(file), { recursive: true });
});

test.serial('a file that holds what was written has lost nothing; other bytes, another size and another file are found', async (t) => {
  const found = async (live: string, ino = 5, sinceNs: bigint | null = 0n, ctimeNs = 1000n) => {
    const lost = new LostFiles(historyOf('content'), 9, sinceNs, MOUNTED, fileOf(live, ino, ctimeNs));
    return { lost: await lost.isLost(FILE), nodes: lost.nodes };
  };
  t.deepEqual(await found('content'), { lost: false, nodes: [] });
  t.deepEqual(await found('conten\0'), { lost: true, nodes: [7] });
  t.deepEqual(await found('con'), { lost: true, nodes: [7] });
  t.deepEqual(await found('content', 6), { lost: true, nodes: [] }, 'another file: the walk sees what it is');
  t.deepEqual(await found('conten\0', 5, 2000n), { lost: false, nodes: [] }, 'it was on the disk by then');
  t.deepEqual(await found('conten\0', 5, null), { lost: false, nodes: [] }, 'the machine has run on');
  t.deepEqual(await found('changed', 5, 0n, MOUNTED + 1n), { lost: false, nodes: [] }, 'a program changed it while it was waited for, which is on record');
});

test.serial('what cannot be read, in the tree or in history, is left to the walk', async (t) => {
  const damaged = { ...historyOf('content'), read: async () => { throw new RewindError('ERR_HISTORY_CORRUPT', 'content with another hash than it had'); } };
  for (const lost of [
    new LostFiles(historyOf('content'), 9, 0n, MOUNTED, async () => { throw new Error('EIO'); }),
    new LostFiles(damaged as HistoryReader, 9, 0n, MOUNTED, fileOf('content')),
  ]) {
    t.true(await lost.isLost(FILE));
    t.deepEqual(lost.nodes, []);
  }
});

test.serial('lost content is a gap that names the files, and where it can be had', async (t) => {
  const lost = new LostFiles(historyOf('content'), 9, 0n, MOUNTED, fileOf(''));
  await lost.isLost(FILE);
  const appended: unknown[] = [];
  const told: string[] = [];
  await noteLost(lost, historyOf('content'), { append: async (_, payload) => { appended.push(JSON.parse(payload.toString())); return { seq: 1, timeNs: 0n }; } }, (what) => told.push(what));
  t.like(appended[0], { reason: 'lost-content', count: 1, files: ['file'], last: 9 });
  t.is(told.length, 1);
});

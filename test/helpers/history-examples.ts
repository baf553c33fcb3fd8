/** One worked entry for every family and form of value: what docs/history.md shows, byte for byte. */
import type { Family } from '../../lib/history/families.js';
import { blockKey, clockKey, cutKey, linkKey, nameKey, nodeKey, pairKey, tripleKey, u64Key } from '../../lib/history/keys.js';
import { encodeBinding, encodeBlock, encodeChange, encodeTimes } from '../../lib/history/values.js';
import { encodeAttr } from './records.js';

export interface Example { family: Family; note: string; key: Buffer; value: Buffer }

const NS = 1_000_000_000n;
const ino = Buffer.alloc(8);
ino.writeBigUInt64LE(1001n);
const attr = encodeAttr({ mode: 0o100644, uid: 1000, gid: 1000, nlink: 1, size: 5, rdev: 0n, atime: 10n * NS, mtime: 11n * NS, ctime: 12n * NS + 7n, btime: 9n * NS });
const change = {
  seq: 1003, record: 1003, timeNs: 12n * NS + 7n, kind: 24, marker: 'modify' as const, node: 7, offset: 0, length: 5, size: 5,
  writer: 990, save: 1002, writeback: false, unmounted: false,
};
const full = { kind: 'full' as const, depth: 0, chainBytes: 0, offset: 0 };
const patch = { kind: 'patch' as const, depth: 2, chainBytes: 9, offset: 100 };

export const EXAMPLES: readonly Example[] = [
  { family: 'nodes', note: 'node 7 at seq 1003: inode 1001, a file of 5 bytes', key: nodeKey(7, 1003), value: Buffer.concat([ino, attr]) },
  { family: 'names', note: 'in directory 1, `foo` leads to node 7 from seq 1002 on', key: nameKey(1, 'foo', 1002), value: u64Key(7) },
  { family: 'names', note: '... and nowhere from seq 1010 on', key: nameKey(1, 'foo', 1010), value: Buffer.alloc(0) },
  { family: 'links', note: 'node 7 is `foo` in directory 1 from seq 1002 on', key: linkKey(7, 1, 'foo', 1002), value: Buffer.from([1]) },
  { family: 'xattrs', note: 'node 7 has user.a = "x" from seq 1005 on', key: nameKey(7, 'user.a', 1005), value: Buffer.from('\x01x') },
  { family: 'inodes', note: 'inode 1001 stands for node 7, a file born at 9 s', key: u64Key(1001), value: encodeBinding({ node: 7, type: 0o100000, btime: 9n * NS }) },
  { family: 'blocks', note: 'block 0 of node 7 is zero', key: blockKey(7, 0, 1001), value: encodeBlock({ ...full, length: 65536, data: null }) },
  { family: 'blocks', note: 'it is content 42, 5,000 bytes, then zeroes', key: blockKey(7, 0, 1003), value: encodeBlock({ ...full, length: 5000, data: { content: 42 } }) },
  { family: 'blocks', note: 'it is `hello`, then zeroes', key: blockKey(7, 0, 1004), value: encodeBlock({ ...full, length: 5, data: Buffer.from('hello') }) },
  { family: 'blocks', note: 'patch 2, 9 bytes of patches in all: 4 zeroes at 100', key: blockKey(7, 0, 1005), value: encodeBlock({ ...patch, length: 4, data: null }) },
  { family: 'blocks', note: 'the same with 4 bytes of content 43', key: blockKey(7, 0, 1006), value: encodeBlock({ ...patch, length: 4, data: { content: 43 } }) },
  { family: 'blocks', note: 'the same with `data`', key: blockKey(7, 0, 1007), value: encodeBlock({ ...patch, length: 4, data: Buffer.from('data') }) },
  { family: 'cuts', note: 'from seq 1008 on, what node 7 held from byte 5 on is zero', key: cutKey(7, 1008, 5), value: u64Key(Number.MAX_SAFE_INTEGER) },
  { family: 'content', note: 'content 43: as it is, hash, `data`', key: u64Key(43), value: Buffer.concat([Buffer.from([0]), Buffer.from('0123456789abcdef', 'hex'), Buffer.from('data')]) },
  { family: 'hashes', note: 'that hash is content 43', key: Buffer.from('0123456789abcdef', 'hex'), value: u64Key(43) },
  { family: 'changes', note: 'seq 1003: 5 bytes written to node 7', key: pairKey(1003, 1003), value: encodeChange(change) },
  { family: 'changes', note: 'found at mount 1000 by record 1020: `foo` of directory 1 renamed to `bar` over node 8', key: pairKey(1000, 1020), value: encodeChange({ ...change, seq: 1000, record: 1020, kind: 16, marker: 'rename', parent: 1, name: 'foo', parent2: 1, name2: 'bar', target: 8, offset: 0, length: 0, unmounted: true }) },
  { family: 'nodechanges', note: 'node 7 is concerned', key: tripleKey(7, 1003, 1003), value: Buffer.alloc(0) },
  { family: 'clock', note: 'at 12.000000007 s came record 1003', key: clockKey(12n * NS + 7n, 1003), value: Buffer.alloc(0) },
  { family: 'times', note: '... and record 1004 500 ns later', key: u64Key(1003), value: encodeTimes(12n * NS + 7n, [0, 500]) },
];

/** The line of an example in docs/history.md. */
export const exampleLine = ({ family, note, key, value }: Example): string => `${family}: ${note}\n  ${key.toString('hex')}\n  ${value.toString('hex') || '(empty)'}`;

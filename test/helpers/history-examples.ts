/** One worked entry for every family and form of value: what docs/history.md shows, byte for byte. */
import type { Family } from '../../lib/history/families.js';
import { packStates } from '../../lib/history/attributes.js';
import { encodeFull, packPatches, type Patch } from '../../lib/history/blocks.js';
import { encodeLink, joined } from '../../lib/history/chain.js';
import { encodeCold } from '../../lib/history/cold/place.js';
import { packChange, packRefs } from '../../lib/history/changes.js';
import { blockKey, clockKey, cutKey, linkKey, nameKey, nodeChangeKey, nodeKey, pairKey, u64Key } from '../../lib/history/keys.js';
import { Packer } from '../../lib/history/packing.js';
import type { Change } from '../../lib/history/types.js';
import { encodeBinding, encodeTimes } from '../../lib/history/values.js';
import { encodeAttr } from './records.js';

export interface Example { family: Family; note: string; key: Buffer; value: Buffer }

const NS = 1_000_000_000n;
const attrs = (size: number, ctime: bigint) => {
  const bytes = encodeAttr({ mode: 0o100644, uid: 1000, gid: 1000, nlink: 1, size, rdev: 0n, atime: 10n * NS, mtime: 11n * NS, ctime, btime: 9n * NS });
  return new DataView(bytes.buffer, bytes.byteOffset);
};
const views = [attrs(5, 12n * NS + 7n), attrs(9, 12n * NS + 507n)];
const change: Change = {
  seq: 1003, record: 1003, timeNs: 12n * NS + 7n, kind: 24, marker: 'modify', node: 7, offset: 0, length: 5, size: 5,
  writer: 990, save: 1002, writeback: false, unmounted: false,
};
const after: Change = { ...change, seq: 1005, record: 1005, timeNs: change.timeNs + 500n, offset: 5, length: 4, size: 9 };
const found: Change = { ...change, seq: 1000, record: 1020, kind: 16, marker: 'rename', parent: 1, name: 'foo', parent2: 1, name2: 'bar', target: 8, offset: 0, length: 0, unmounted: true };
const here = (seq: number, offset: number, text: string): Patch => ({ seq, offset, length: text.length, zero: false, content: 0, bytes: Buffer.from(text), at: 0 });

function packed(pack: (packer: Packer) => void): Buffer {
  const packer = new Packer();
  pack(packer);
  return Buffer.from(packer.packed());
}
const patches = (depth: number, chainBytes: number, ...all: Patch[]): Buffer => packed((packer) => packPatches(packer, depth, chainBytes, all));

export const EXAMPLES: readonly Example[] = [
  { family: 'nodes', note: 'node 7 at seq 1003: inode 1001, a file of 5 bytes', key: nodeKey(7, 1003), value: packed((packer) => packStates(packer, { ino: 1001, uncaptured: false, seqs: [1003], views, places: [0] })) },
  { family: 'nodes', note: 'the same, and at seq 1005 of 9 bytes, ctime 500 ns later', key: nodeKey(7, 1003), value: packed((packer) => packStates(packer, { ino: 1001, uncaptured: false, seqs: [1003, 1005], views, places: [0, 0] })) },
  { family: 'names', note: 'in directory 1, `foo` leads to node 7 from seq 1002 on', key: nameKey(1, 'foo', 1002), value: u64Key(7) },
  { family: 'names', note: '... and nowhere from seq 1010 on', key: nameKey(1, 'foo', 1010), value: Buffer.alloc(0) },
  { family: 'links', note: 'node 7 is `foo` in directory 1 from seq 1002 on', key: linkKey(7, 1, 'foo', 1002), value: Buffer.from([1]) },
  { family: 'xattrs', note: 'node 7 has user.a = "x" from seq 1005 on', key: nameKey(7, 'user.a', 1005), value: Buffer.from('\x01x') },
  { family: 'inodes', note: 'inode 1001 stands for node 7, a file born at 9 s', key: u64Key(1001), value: encodeBinding({ node: 7, type: 0o100000, btime: 9n * NS }) },
  { family: 'inodes', note: 'the same, and not all of what it held at mount 1000 is here yet', key: u64Key(1001), value: encodeBinding({ node: 7, type: 0o100000, btime: 9n * NS, pending: { since: 1000, lost: false } }) },
  { family: 'blocks', note: 'block 0 of node 7 is zero', key: blockKey(7, 0, 1001), value: encodeFull({ ...here(1001, 0, ''), length: 65536, zero: true }) },
  { family: 'blocks', note: 'it is content 42, 5,000 bytes, then zeroes', key: blockKey(7, 0, 1003), value: encodeFull({ ...here(1003, 0, ''), length: 5000, content: 42 }) },
  { family: 'blocks', note: 'it is `hello`, then zeroes', key: blockKey(7, 0, 1004), value: encodeFull(here(1004, 0, 'hello')) },
  { family: 'blocks', note: 'look-up 2, 24 bytes of patches in all: 4 zeroes at 100', key: blockKey(7, 0, 1005), value: patches(2, 24, { ...here(1005, 100, 'zero'), zero: true }) },
  { family: 'blocks', note: 'the same with 4 bytes of content 43', key: blockKey(7, 0, 1006), value: patches(3, 24, { ...here(1006, 100, 'data'), content: 43 }) },
  { family: 'blocks', note: 'the same with `data`, and at seq 1009 `more` after it', key: blockKey(7, 0, 1007), value: patches(2, 36, here(1007, 100, 'data'), here(1009, 104, 'more')) },
  { family: 'cuts', note: 'from seq 1008 on, what node 7 held from byte 5 on is zero', key: cutKey(7, 1008, 5), value: u64Key(Number.MAX_SAFE_INTEGER) },
  { family: 'content', note: 'content 43: as it is, hash, `data`', key: u64Key(43), value: Buffer.from('00b7119b48552d1da364617461', 'hex') },
  { family: 'content', note: 'content 44: `data ` six times and `data`, compressed', key: u64Key(44), value: Buffer.from('0153747586cdcf370628b52ffd2022650000306461746120640100604a11', 'hex') },
  { family: 'content', note: 'content 45: `more data`, compressed with content 43 as dictionary, one deep', key: u64Key(45), value: Buffer.from('028020aea902d720ac2b0128b52ffd20094900006d6f72652064617461', 'hex') },
  { family: 'content', note: 'content 46: the same as 45, in file 3 of cold content, from byte 300 on, 61 bytes of frame', key: u64Key(46), value: encodeCold(Buffer.from('028020aea902d720ac2b0128b52ffd20094900006d6f72652064617461', 'hex'), { file: 3, at: 300, length: 61 }) },
  { family: 'hashes', note: 'that hash is content 43', key: Buffer.from('b7119b48552d1da3', 'hex'), value: u64Key(43) },
  { family: 'changes', note: 'seq 1003: 5 bytes written to node 7', key: pairKey(1003, 1003), value: packed((packer) => packChange(packer, change, null)) },
  { family: 'changes', note: 'the same, and at seq 1005, 500 ns later, 4 bytes more', key: pairKey(1003, 1003), value: packed((packer) => { packChange(packer, change, null); packChange(packer, after, change); }) },
  { family: 'changes', note: 'the second of them, which stands for 3 more that wrote somewhere from byte 5 on, up to 40 bytes', key: pairKey(1005, 1005), value: packed((packer) => packChange(packer, { ...after, givenUp: { count: 3, from: 5, to: 45 } }, null)) },
  { family: 'changes', note: 'found at mount 1000 by record 1020: `foo` of directory 1 renamed to `bar` over node 8', key: pairKey(1000, 1020), value: packed((packer) => packChange(packer, found, null)) },
  { family: 'nodechanges', note: 'node 7 is concerned by changes 1003 and 1005 of the run that begins at 1003', key: nodeChangeKey(7, 1003, 1003), value: packed((packer) => packRefs(packer, [1003, 1003, 1005, 1003])) },
  { family: 'nodechanges', note: '... and by what record 1020 found at mount 1000', key: nodeChangeKey(7, 1000, 1020), value: Buffer.alloc(0) },
  { family: 'clock', note: 'at 12.000000007 s came record 1003', key: clockKey(12n * NS + 7n, 1003), value: Buffer.alloc(0) },
  { family: 'times', note: '... and record 1004 500 ns later', key: u64Key(1003), value: encodeTimes(12n * NS + 7n, [0, 500]) },
  {
    family: 'chain', note: 'records 1003 to 1005, of the session of mount 1000: node 7 was written to, and 100 bytes of block 2 of node 9 were found at the mount, with its attributes', key: u64Key(1003),
    value: encodeLink({
      from: 1003, count: 3, mount: 1000, found: 1, attributes: Buffer.alloc(16, 0xa7), head: Buffer.alloc(32, 0x4d), mendedNs: null, thinned: null,
      seals: [{ node: 7, found: null, digest: Buffer.alloc(16, 0xc7) }, { node: 9, found: { seq: 1000, attributes: true, pieces: [{ block: 2, length: 100 }] }, digest: Buffer.alloc(16, 0xc9) }],
    }),
  },
  {
    family: 'chain', note: 'the same link by itself, but that changes were given up which brought what node 7 got', key: u64Key(1003),
    value: encodeLink(joined([{
      link: {
        from: 1003, count: 3, mount: 1000, found: 1, attributes: Buffer.alloc(16, 0xa7), mendedNs: null, thinned: null,
        seals: [{ node: 7, found: null, digest: Buffer.alloc(16, 0xc7), partial: true }, { node: 9, found: { seq: 1000, attributes: true, pieces: [{ block: 2, length: 100 }] }, digest: Buffer.alloc(16, 0xc9) }],
      },
      records: Buffer.alloc(32, 0x4e),
    }], Buffer.alloc(16, 0x1e), Buffer.alloc(32, 0x4d))),
  },
  { family: 'chain', note: 'what they were is not known since a repair at 12.000000007 s', key: u64Key(1003), value: encodeLink({ from: 1003, count: 3, mount: 1003, found: 0, attributes: Buffer.alloc(0), seals: [], head: Buffer.alloc(32, 0x4d), mendedNs: 12n * NS + 7n, thinned: null }) },
];

/** The line of an example in docs/history.md. */
export const exampleLine = ({ family, note, key, value }: Example): string => `${family}: ${note}\n  ${key.toString('hex')}\n  ${value.toString('hex') || '(empty)'}`;

/**
 * Values of `blocks`: what a block of a file holds from an instant on, byte for byte as docs/history.md says. A run is several
 * patches of one block under the seq of the first, so that many small writes cost one entry. Guarantee: what was
 * encoded is what is decoded; a value that cannot be one is refused with ERR_HISTORY_CORRUPT.
 */
import { putU64 } from './keys.js';
import { Unpacker, MOST_VARINT_BYTES, type Packer } from './packing.js';
import type { Seq } from './types.js';
import { BLOCK_BYTES, corrupt } from './values.js';

/** A stretch of a block as it is from `seq` on. */
export interface Patch {
  seq: Seq;
  /** Within the block. */
  offset: number;
  length: number;
  zero: boolean;
  /** Id of the content that holds its bytes; 0 = they are here. */
  content: number;
  /** Where they are here: `length` of them from `at` on. */
  bytes: Buffer;
  at: number;
}

/** What an entry of `blocks` says. */
export interface BlockValue {
  /** Is it all of the block (what its one patch does not cover reads as zero), or only patches of it? */
  full: boolean;
  /** Look-ups for the patches since the newest full entry, these included: one an entry, one for each in `content`. 0 for full. */
  depth: number;
  /** Their bytes. */
  chainBytes: number;
  /** Oldest first. */
  patches: Patch[];
}

const enum Form { Zero = 0, Content = 1, Here = 2, Patches = 3 }
/** Where the bytes of a patch in a run are: the lowest two bits of its length. */
const enum Where { Zero = 0, Content = 1, Here = 2 }

/** What a patch in a run takes beside its bytes, at most. */
const PATCH_BYTES = 2 + 3 * MOST_VARINT_BYTES;

/** All of a block. */
export function encodeFull(patch: Patch): Buffer {
  if (patch.zero) return Buffer.from([Form.Zero]);
  if (patch.content === 0) {
    const value = Buffer.allocUnsafe(1 + patch.length);
    value[0] = Form.Here;
    patch.bytes.copy(value, 1, patch.at, patch.at + patch.length);
    return value;
  }
  const value = Buffer.allocUnsafe(13);
  value[0] = Form.Content;
  value.writeUInt32BE(patch.length, 1);
  putU64(value, patch.content, 5);
  return value;
}

/** Patches of a block, oldest first. */
export function packPatches(packer: Packer, depth: number, chainBytes: number, patches: readonly Patch[]): void {
  packer.reserve(7);
  packer.u8(Form.Patches);
  packer.u16(Math.min(depth, 0xffff));
  packer.u32(Math.min(chainBytes, 0xffff_ffff));
  let { seq } = patches[0]!;
  for (const patch of patches) {
    packer.reserve(PATCH_BYTES + patch.length);
    packer.varint(patch.seq - seq);
    packer.u16(patch.offset);
    packer.varint(patch.length * 4 + (patch.zero ? Where.Zero : patch.content > 0 ? Where.Content : Where.Here));
    if (patch.content > 0) packer.varint(patch.content);
    else if (!patch.zero) packer.copy(patch.bytes, patch.at, patch.at + patch.length);
    seq = patch.seq;
  }
}

const NOTHING = Buffer.alloc(0);

/** An entry under the key of `seq`; bytes that lie in it are a view of the value. */
export function decodeBlock(value: Buffer, seq: Seq): BlockValue {
  const from = new Unpacker(value);
  const form = from.more ? from.u8() : -1;
  const full = (patch: Partial<Patch>): BlockValue => ({
    full: true, depth: 0, chainBytes: 0, patches: [inBlock({ seq, offset: 0, length: BLOCK_BYTES, zero: false, content: 0, bytes: NOTHING, at: 0, ...patch })],
  });
  switch (form) {
    case Form.Zero: return full({ zero: true });
    case Form.Content: return full({ length: from.u32(), content: Number(from.u64()) });
    case Form.Here: return full({ length: value.length - 1, bytes: value, at: 1 });
    case Form.Patches: return { full: false, depth: from.u16(), chainBytes: from.u32(), patches: patchesIn(from, value, seq) };
    default: throw corrupt(`a block entry of unknown form ${form < 0 ? 'none' : form}`);
  }
}

function patchesIn(from: Unpacker, value: Buffer, first: Seq): Patch[] {
  const patches: Patch[] = [];
  for (let seq = first; from.more;) {
    seq += from.varint();
    const offset = from.u16();
    const packed = from.varint();
    const length = Math.floor(packed / 4);
    const where = packed % 4;
    if (where > Where.Here) throw corrupt('a patch whose bytes are nowhere');
    const content = where === Where.Content ? from.varint() : 0;
    const at = where === Where.Here ? from.skip(length) : 0;
    patches.push(inBlock({ seq, offset, length, zero: where === Where.Zero, content, bytes: value, at }));
  }
  if (patches.length === 0) throw corrupt('a block entry of no patch');
  return patches;
}

function inBlock(patch: Patch): Patch {
  if (patch.offset + patch.length > BLOCK_BYTES) throw corrupt(`a block entry of bytes ${patch.offset} to ${patch.offset + patch.length}, a block has ${BLOCK_BYTES}`);
  return patch;
}

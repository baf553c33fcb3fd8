/** What a sample of a file's content tells of what was done to it. Pure. */
import { deflateRawSync } from 'node:zlib';

/** So much of the beginning of a file is looked at. */
export const SAMPLE_BYTES = 4096;
/** Shorter samples do not compress, whatever they hold. */
export const MIN_SEALED_BYTES = 256;
const INCOMPRESSIBLE = 0.95;
/** How packed content begins: zlib (git's objects), gzip, zip, xz, zstd, bzip2, PNG, JPEG, git's packs, PDF. */
const PACKED_HEADS = ['7801', '785e', '789c', '78da', '1f8b', '504b0304', 'fd377a58', '28b52ffd', '425a68', '89504e47', 'ffd8ff', '5041434b', '25504446'].map((hex) => Buffer.from(hex, 'hex'));
const PIECE_BYTES = 8;
/** Of less than so many pieces nothing can be told. */
const MIN_PIECES = 6;
/** Who formats a text anew keeps most of its words; who writes something else over it keeps next to nothing. */
const LEAST_KEPT = 0.1;

/** Can this content hardly be compressed, though it is in no format that is packed? */
export function isSealed(sample: Buffer): boolean {
  if (PACKED_HEADS.some((head) => sample.subarray(0, head.length).equals(head))) return false;
  return sample.length >= MIN_SEALED_BYTES && deflateRawSync(sample, { level: 1 }).length > sample.length * INCOMPRESSIBLE;
}

/** Is next to nothing of what was there still there, wherever it stands now? False for what is too short to tell. */
export function isReplaced(before: Buffer, after: Buffer): boolean {
  const [old, now] = [withoutSpace(before), withoutSpace(after)];
  if (old.length < MIN_PIECES * PIECE_BYTES) return false;
  const pieces = new Set<string>();
  for (let at = 0; at + PIECE_BYTES <= old.length; at += PIECE_BYTES) pieces.add(old.slice(at, at + PIECE_BYTES));
  let kept = 0;
  for (const piece of pieces) if (now.includes(piece)) kept++;
  return kept < pieces.size * LEAST_KEPT;
}

/** One char a byte. */
const withoutSpace = (content: Buffer): string => content.toString('latin1').replace(/[ \t\r\n]+/g, '');

/**
 * Which cold files a history has, as `meta` keeps it: written in the batch that it tells of. Guarantee: whatever a reference
 * names up to `bytes` of a file was on stable storage before it was named.
 */
import { corrupt } from '../values.js';

export const META_COLD = Buffer.from('cold');

/** A file of cold content. */
export interface ColdFile {
  /** The directory of the policy that it was written to, or was found in since. */
  directory: string;
  tag: string;
  /** Up to here it holds what was written; what lies behind nothing names. */
  bytes: number;
  /** Of that, bytes of contents that history still has. */
  live: number;
  /** Nothing of it is needed any more: it is being removed. */
  gone?: true;
}

export interface ColdBook {
  /** By number. */
  files: Map<number, ColdFile>;
  /** When the last pass over all content ended, in milliseconds; 0: none did. */
  passedMs: number;
}

export const emptyBook = (): ColdBook => ({ files: new Map(), passedMs: 0 });

export function encodeBook({ files, passedMs }: ColdBook): Buffer {
  return Buffer.from(JSON.stringify({ files: Object.fromEntries(files), passedMs }));
}

/** @throws ERR_HISTORY_CORRUPT */
export function decodeBook(value: Buffer): ColdBook {
  try {
    const { files, passedMs } = JSON.parse(value.toString()) as { files: Record<string, ColdFile>; passedMs: number };
    const entries = Object.entries(files).map(([number, file]): [number, ColdFile] => [Number(number), file]);
    const isWhole = ([number, { directory, tag, bytes, live }]: [number, ColdFile]): boolean =>
      Number.isSafeInteger(number) && typeof directory === 'string' && typeof tag === 'string' && Number.isSafeInteger(bytes) && Number.isSafeInteger(live);
    if (Number.isFinite(passedMs) && entries.every(isWhole)) return { files: new Map(entries), passedMs };
  } catch {
    // Said below.
  }
  throw corrupt(`a book of cold files that cannot be read (${value.toString('latin1', 0, 80)})`);
}

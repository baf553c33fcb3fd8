/** How far packing has come, as `meta` keeps it beside the fold's place: written in the batch that it counts. */
import { MERGED_CONTENT } from '../history/retained.js';
import type { Rocks } from '../history/rocks.js';
import { corrupt } from '../history/values.js';

export const META_PACK = Buffer.from('pack');

export interface PackProgress {
  /** The first content that was not looked at. */
  next: number;
  /** The first of those that retention made by merging (lib/history/retained.ts) that was not looked at. */
  merged: number;
  /** The first that was not looked at thoroughly. */
  cold: number;
  /** Of the contents before `next`: their bytes, and what they take now. */
  writtenBytes: number;
  storedBytes: number;
  /** When packing was where, oldest first: so old are the contents before it at least. */
  marks: { next: number; atMs: number }[];
}

const NONE: Readonly<PackProgress> = Object.freeze({ next: 1, merged: MERGED_CONTENT, cold: 1, writtenBytes: 0, storedBytes: 0, marks: [] });

export async function loadProgress(rocks: Rocks): Promise<PackProgress> {
  const value = await rocks.get('meta', META_PACK);
  if (value === null) return structuredClone(NONE);
  try {
    const raw = JSON.parse(value.toString()) as PackProgress;
    if (Number.isSafeInteger(raw.next)) return { ...structuredClone(NONE), ...raw };
  } catch {
    // Said below.
  }
  throw corrupt(`a place of packing that cannot be read (${value.toString('latin1', 0, 80)})`);
}

export const encodeProgress = (progress: PackProgress): Buffer => Buffer.from(JSON.stringify(progress));

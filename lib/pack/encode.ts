/**
 * The smallest way to keep a content. Guarantees: no chain becomes deeper than MAX_DEPTH; what hardly becomes smaller is left
 * as it is, and is found out by a sample.
 */
import { encodePacked, type Base } from '../history/codec.js';
import { CONTENT_HEAD } from '../history/values.js';
import { compress } from '../history/zstd.js';

/** Dictionaries that a read has to come to before it, at most. */
export const MAX_DEPTH = 8;
/** How hard to try, in zstd's levels: while the tree is in use, and when there is time. */
export interface Effort { plain: number; delta: number }
export const QUICK: Effort = { plain: 5, delta: 5 };
export const THOROUGH: Effort = { plain: 19, delta: 12 };

/** A sample of so many bytes, and what it must become to be worth the rest. */
const SAMPLE_BYTES = 8192;
const WORTH = 0.95;
/** A chain goes on from further up when that costs at most so many times as much: so it can go on for long. */
const FURTHER_UP = 2;
const FURTHER_UP_BYTES = 64;
/** A difference this much smaller than the whole is taken without looking at the whole. */
const CLEAR_DIFFERENCE = 8;

/**
 * A value for these bytes that is smaller than `asItIs`, or null. `chains`: contents that they may resemble, each with what it
 * is based on itself behind it, the nearest first.
 */
export function smallest(bytes: Buffer, asItIs: number, chains: readonly (readonly Base[])[], effort: Effort): Buffer | null {
  let best: Buffer | null = null;
  for (const chain of chains) {
    const value = onChain(bytes, chain, effort.delta);
    if (value !== null && value.length < (best?.length ?? asItIs)) best = value;
  }
  if (best !== null && best.length * CLEAR_DIFFERENCE < bytes.length) return best;
  if (!worthwhile(bytes)) return best;
  const plain = encodePacked(bytes, effort.plain);
  return plain.length < (best?.length ?? asItIs * WORTH) ? plain : best;
}

/**
 * The difference to the nearest of a chain; where that lies as deep as may be, to one further up, as far as it costs little.
 * The chain's depth then grows with the logarithm of its length.
 */
function onChain(bytes: Buffer, chain: readonly Base[], level: number): Buffer | null {
  const usable = chain.filter(({ depth }) => depth < MAX_DEPTH);
  if (usable.length === 0) return null;
  const nearest = delta(bytes, usable[0]!, level);
  if (usable.length === chain.length) return nearest;
  let chosen = nearest;
  for (const base of usable.slice(1)) {
    const value = delta(bytes, base, level);
    if (value.length > FURTHER_UP * nearest.length + FURTHER_UP_BYTES) break;
    chosen = value;
  }
  return chosen;
}

/** `depth` of a value counts itself. */
const delta = (bytes: Buffer, base: Base, level: number): Buffer => encodePacked(bytes, level, { ...base, depth: base.depth + 1 });

/** Does its middle become smaller? */
function worthwhile(bytes: Buffer): boolean {
  if (bytes.length < 2 * SAMPLE_BYTES) return true;
  const from = Math.floor((bytes.length - SAMPLE_BYTES) / 2);
  return compress(bytes.subarray(from, from + SAMPLE_BYTES), 1).length < SAMPLE_BYTES * WORTH - CONTENT_HEAD;
}

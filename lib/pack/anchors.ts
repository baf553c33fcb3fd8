/**
 * Anchors: hashes of the short stretches of content at which a rolling hash says so. Guarantees: a stretch is an anchor
 * whatever surrounds it, so that content which was shifted, cut out, put together anew or moved to another file keeps those of
 * what it still holds; short content has the anchors of long content and more, so that a page finds the block it came from.
 */

/** A stretch of so many bytes: older ones have left the 32 bits of a gear hash. */
const STRETCH_BYTES = 32;
/** About one anchor for so many bytes of short content, and of long. */
const FEWEST_BYTES = 16;
const MOST_BYTES = 512;
/** About so many anchors for a content between the two. */
const ANCHORS = 32;

/** Fixed numbers without pattern, two for each byte: where anchors are, and what they are called. */
const [PLACES, NAMES] = [gears(0x9e3779b9), gears(0x7f4a7c15)];

function gears(seed: number): Int32Array {
  let state = seed | 0;
  return Int32Array.from({ length: 256 }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return mixed ^ (mixed >>> 14);
  });
}

/** The anchors of these bytes, each once, in no order. */
export function anchorsOf(bytes: Uint8Array): number[] {
  const every = Math.min(Math.max(2 ** Math.floor(Math.log2(Math.max(bytes.length, 1) / ANCHORS)), FEWEST_BYTES), MOST_BYTES);
  // The highest bits depend on most bytes.
  const shift = 32 - Math.log2(every);
  const found = new Set<number>();
  let place = 0;
  let name = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    place = ((place << 1) + PLACES[byte]!) | 0;
    name = ((name << 1) + NAMES[byte]!) | 0;
    if (i >= STRETCH_BYTES - 1 && place >>> shift === 0) found.add(name >>> 0);
  }
  return [...found];
}

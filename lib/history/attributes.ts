/**
 * Values of `nodes`: an object's attributes from an instant on, byte for byte as docs/history.md says. A run is several
 * states of one object under the seq of the first; what does not change from one to the next is not said again.
 */
import { MOST_VARINT_BYTES, Unpacker, type Packer } from './packing.js';
import type { Seq } from './types.js';
import { NODE_BYTES } from './values.js';

/**
 * States of an object under one inode number whose content is known all the time, or never: when, and where the journal's
 * attributes then lie.
 */
export interface StateRun { ino: number; uncaptured: boolean; seqs: readonly Seq[]; views: readonly DataView[]; places: readonly number[] }

/** The journal's attributes are ten words of 8 bytes. */
const WORDS = 10;
/** ino before them. */
const INO_BYTES = 8;
const STEP_BYTES = MOST_VARINT_BYTES + 2 + 8 * WORDS;

export function packStates(packer: Packer, run: StateRun): void {
  const { ino, seqs, views, places } = run;
  packer.reserve(NODE_BYTES + 1);
  packer.view.setUint32(packer.length, ino >>> 0, true);
  packer.view.setUint32(packer.length + 4, Math.floor(ino / 0x1_0000_0000), true);
  packer.length += INO_BYTES;
  let view = views[0]!;
  let place = places[0]!;
  for (let word = 0; word < WORDS; word++) packWord(packer, view, place + 8 * word);
  if (run.uncaptured || seqs.length > 1) packer.u8(run.uncaptured ? 1 : 0);
  for (let i = 1; i < seqs.length; i++) {
    const [lastView, lastPlace] = [view, place];
    view = views[i]!;
    place = places[i]!;
    packer.reserve(STEP_BYTES);
    packer.varint(seqs[i]! - seqs[i - 1]!);
    const maskAt = packer.length;
    packer.length += 2;
    let mask = 0;
    for (let word = 0; word < WORDS; word++) {
      if (sameWord(view, place + 8 * word, lastView, lastPlace + 8 * word)) continue;
      mask |= 1 << word;
      packWord(packer, view, place + 8 * word);
    }
    packer.view.setUint16(maskAt, mask);
  }
}

const sameWord = (a: DataView, i: number, b: DataView, j: number): boolean => a.getInt32(i) === b.getInt32(j) && a.getInt32(i + 4) === b.getInt32(j + 4);

function packWord(packer: Packer, view: DataView, at: number): void {
  packer.view.setInt32(packer.length, view.getInt32(at));
  packer.view.setInt32(packer.length + 4, view.getInt32(at + 4));
  packer.length += 8;
}

/** The first state of an entry: NODE_BYTES, and one more, 1, when the content was not captured. */
export function firstState(value: Buffer): Buffer {
  return value.length <= NODE_BYTES + 1 ? value : value.subarray(0, NODE_BYTES + value[NODE_BYTES]!);
}

/** The newest state at or before `seq` of an entry under the key of `first`. */
export function stateAt(value: Buffer, first: Seq, seq: Seq): Buffer {
  if (value.length <= NODE_BYTES + 1 || first >= seq) return firstState(value);
  const state = Buffer.from(firstState(value));
  const from = new Unpacker(value, NODE_BYTES + 1);
  for (let now = first; from.more;) {
    now += from.varint();
    if (now > seq) break;
    const mask = from.u16();
    for (let word = 0; word < WORDS; word++) {
      if ((mask & (1 << word)) === 0) continue;
      const at = from.skip(8);
      value.copy(state, INO_BYTES + 8 * word, at, at + 8);
    }
  }
  return state;
}

/** All states of an entry, oldest first. */
export function statesIn(value: Buffer, first: Seq): { seq: Seq; value: Buffer }[] {
  let state = firstState(value);
  const states = [{ seq: first, value: state }];
  if (value.length <= NODE_BYTES + 1) return states;
  const from = new Unpacker(value, NODE_BYTES + 1);
  for (let seq = first; from.more;) {
    seq += from.varint();
    state = Buffer.from(state);
    const mask = from.u16();
    for (let word = 0; word < WORDS; word++) {
      if ((mask & (1 << word)) === 0) continue;
      const at = from.skip(8);
      value.copy(state, INO_BYTES + 8 * word, at, at + 8);
    }
    states.push({ seq, value: state });
  }
  return states;
}

/** The newest state of an entry. */
export const lastState = (value: Buffer, first: Seq): Buffer => stateAt(value, first, Infinity);

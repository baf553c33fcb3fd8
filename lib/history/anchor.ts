/**
 * An anchor: the head of a store's chain as one line, to be kept where whoever can write the store cannot. Guarantee: it says
 * by itself of which store and of which instant it is.
 */
import { RewindError } from '../errors.js';
import type { Seq } from './types.js';

export interface Anchor {
  /** Id of the store, in hexadecimal. */
  store: string;
  seq: Seq;
  /** Head of the chain at that seq, in hexadecimal. */
  head: string;
}

const SHAPE = /^rewindfs-anchor:([0-9a-f]{32}):([1-9][0-9]{0,15}):([0-9a-f]{64})$/;

export const formatAnchor = ({ store, seq, head }: Anchor): string => `rewindfs-anchor:${store}:${seq}:${head}`;

/** @throws RewindError ERR_USAGE */
export function parseAnchor(text: string): Anchor {
  const [, store, seq, head] = SHAPE.exec(text.trim()) ?? [];
  if (store === undefined || !Number.isSafeInteger(Number(seq))) {
    throw new RewindError('ERR_USAGE', `${JSON.stringify(text.slice(0, 200))} is no anchor`, 'An anchor is a line as `rewind anchor` prints it: rewindfs-anchor:STORE:NUMBER:HASH');
  }
  return { store, seq: Number(seq), head: head! };
}

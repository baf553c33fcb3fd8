/**
 * Thinning, as data: the entries of one place and a stretch of instants -> what to delete and to put. Guarantees: what the
 * place reads as at the stretch's end, and at every instant outside of it, stays the same, whatever order stretches are
 * merged in; the newest entry of a stretch stands for all of them. Nothing is read or written here.
 */
import { packStates, statesIn } from '../history/attributes.js';
import { decodeBlock, packPatches, type Patch } from '../history/blocks.js';
import { getInverse, getU64, nodeKey, putInverse, seqInKey } from '../history/keys.js';
import { Packer } from '../history/packing.js';
import type { Stretch } from '../history/retained.js';
import type { Entry } from '../history/rocks.js';
import type { NodeId, Seq } from '../history/types.js';
import { inoOf, isUncaptured } from '../history/values.js';
import { MAX_CHAIN, MAX_CHAIN_BYTES } from '../extractor/fold-data.js';

/** What becomes of the entries of a place. */
export interface Edit { deletes: Buffer[]; puts: Entry[] }

/** Is it after `from` and not after `to`? */
export const isIn = ({ from, to }: Stretch, seq: Seq): boolean => seq > from && seq <= to;

/** Entries that hold one thing each (names, links, xattrs), newest first, from the stretch's end down to the first before it. */
export function thinPlain(entries: readonly Entry[], stretch: Stretch): Edit {
  const inside = entries.filter(({ key }) => isIn(stretch, seqInKey(key)));
  const [newest, ...rest] = inside;
  if (newest === undefined) return { deletes: [], puts: [] };
  const older = entries.find(({ key }) => seqInKey(key) <= stretch.from);
  // Gone at the end, and not there before: it lived within the stretch.
  const vanishes = newest.value.length === 0 && (older === undefined || older.value.length === 0);
  return { deletes: (vanishes ? inside : rest).map(({ key }) => key), puts: [] };
}

/** States of one object, in the same order. */
export function thinStates(node: NodeId, entries: readonly Entry[], stretch: Stretch): Edit {
  const edit: Edit = { deletes: [], puts: [] };
  let met = false;
  for (const { key, value } of entries) {
    const states = statesIn(value, seqInKey(key));
    const kept = [...states].reverse().filter(({ seq }) => {
      if (!isIn(stretch, seq)) return true;
      const newest = !met;
      met = true;
      return newest;
    }).reverse();
    if (kept.length === states.length) continue;
    if (kept[0]?.seq !== seqInKey(key)) edit.deletes.push(key);
    if (kept.length > 0) edit.puts.push({ key: nodeKey(node, kept[0]!.seq), value: encodeStates(kept) });
  }
  return edit;
}

/** An entry of `nodes`: states of one inode number, all with their content or none. */
export function encodeStates(states: readonly { seq: Seq; value: Buffer }[]): Buffer {
  const { value } = states[0]!;
  const packer = new Packer();
  packStates(packer, {
    ino: Number(inoOf(value)), uncaptured: isUncaptured(value), seqs: states.map(({ seq }) => seq),
    views: states.map((state) => new DataView(state.value.buffer, state.value.byteOffset, state.value.byteLength)), places: states.map(() => 8),
  });
  return Buffer.from(packer.packed());
}

/** Zero from `from` to `to` of a file: an older cut that a newer one of the stretch covers says nothing. */
export function thinCuts(entries: readonly Entry[], stretch: Stretch): Edit {
  const kept: { from: number; to: number }[] = [];
  const deletes: Buffer[] = [];
  for (const { key, value } of entries) {
    if (!isIn(stretch, getInverse(key, 8))) continue;
    const cut = { from: getU64(key, 16), to: getU64(value, 0) };
    if (kept.some((newer) => newer.from <= cut.from && newer.to >= cut.to)) deletes.push(key);
    else kept.push(cut);
  }
  return { deletes, puts: [] };
}

/** What takes the place of a block's patches: at `seq`, these stretches of the block as it is at the end, or all of it. */
export interface Merged { seq: Seq; full: boolean; spans: { offset: number; end: number }[]; depth: number; chainBytes: number }

/** Entries of one block, in the same order; of what they say beside the edit, `merged` has to be put. */
export function thinBlock(entries: readonly Entry[], stretch: Stretch): Edit & { merged: Merged | null } {
  const none = { deletes: [], puts: [], merged: null };
  const decoded = entries.map(({ key, value }) => ({ key, ...decodeBlock(value, seqInKey(key)) }));
  const inside = decoded.flatMap(({ patches }) => patches.filter(({ seq }) => isIn(stretch, seq)).reverse());
  const [newest] = inside;
  if (newest === undefined || inside.length === 1) return none;
  const touched = decoded.filter(({ patches }) => patches.some(({ seq }) => isIn(stretch, seq)));
  if (touched[0]!.full) return { ...none, deletes: touched.slice(1).map(({ key }) => key), puts: touched.slice(1).flatMap((entry) => outside(entry, stretch)) };
  const older = decoded.find(({ patches }) => patches[0]!.seq <= stretch.from);
  return { deletes: touched.map(({ key }) => key), puts: touched.flatMap((entry) => outside(entry, stretch)), merged: mergedOf(newest.seq, inside, touched, older) };
}

/** Entries of one block of a file that is gone at the end, in the same order: none of the stretch stays. */
export function dropBlock(entries: readonly Entry[], stretch: Stretch): Edit {
  const touched = entries.map(({ key, value }) => ({ key, ...decodeBlock(value, seqInKey(key)) })).filter(({ patches }) => patches.some(({ seq }) => isIn(stretch, seq)));
  return { deletes: touched.map(({ key }) => key), puts: touched.flatMap((entry) => outside(entry, stretch)) };
}

/** The same of its cuts. */
export const dropCuts = (entries: readonly Entry[], stretch: Stretch): Edit => ({ deletes: entries.filter(({ key }) => isIn(stretch, getInverse(key, 8))).map(({ key }) => key), puts: [] });

/**
 * Which instants of a stretch read otherwise once a file's content is merged over it, or dropped with a file that is `gone`
 * at its end: from the first change that is not kept up to just before the last, or up to the end.
 */
export class LostInstants {
  private first = Infinity;
  private last = 0;

  constructor(private readonly stretch: Stretch, private readonly gone: boolean) {}

  /** Entries of one block. */
  block(entries: readonly Entry[]): void {
    const { deletes } = this.gone ? dropBlock(entries, this.stretch) : thinBlock(entries, this.stretch);
    if (deletes.length === 0) return;
    const seqs = entries.flatMap(({ key, value }) => decodeBlock(value, seqInKey(key)).patches.map(({ seq }) => seq)).filter((seq) => isIn(this.stretch, seq));
    this.first = Math.min(this.first, ...seqs);
    this.last = Math.max(this.last, ...seqs);
  }

  /** All cuts of the stretch. What blocks are merged to is as they left it. */
  cuts(entries: readonly Entry[]): void {
    const { deletes } = this.gone ? dropCuts(entries, this.stretch) : thinCuts(entries, this.stretch);
    this.first = Math.min(this.first, ...deletes.map((key) => getInverse(key, 8)));
    this.last = Math.max(this.last, ...entries.map(({ key }) => getInverse(key, 8)).filter((seq) => isIn(this.stretch, seq)));
  }

  /** null when nothing is lost. */
  range(): { from: Seq; to: Seq } | null {
    return this.first === Infinity ? null : { from: this.first, to: this.gone ? this.stretch.to : this.last - 1 };
  }
}

interface Decoded { key: Buffer; full: boolean; depth: number; chainBytes: number; patches: Patch[] }

function mergedOf(seq: Seq, inside: readonly Patch[], touched: readonly Decoded[], older: Decoded | undefined): Merged {
  const spans: Merged['spans'] = [];
  for (const { offset, length } of [...inside].sort((a, b) => a.offset - b.offset)) {
    const last = spans.at(-1);
    if (last !== undefined && offset <= last.end) last.end = Math.max(last.end, offset + length);
    else spans.push({ offset, end: offset + length });
  }
  const depth = (older?.depth ?? 0) + 1 + spans.length;
  const chainBytes = (older?.chainBytes ?? 0) + spans.reduce((sum, { offset, end }) => sum + end - offset + 8, 0);
  const full = touched.some((entry) => entry.full) || depth >= MAX_CHAIN || chainBytes > MAX_CHAIN_BYTES;
  return { seq, full, spans, depth, chainBytes };
}

/** The patches of a run that lie before or behind the stretch: a run of their own on either side. */
function outside({ key, depth, chainBytes, patches }: Decoded, stretch: Stretch): Entry[] {
  return [patches.filter(({ seq }) => seq <= stretch.from), patches.filter(({ seq }) => seq > stretch.to)].filter((part) => part.length > 0).map((part) => {
    const packer = new Packer();
    packPatches(packer, depth, chainBytes, part);
    const at = Buffer.from(key);
    putInverse(at, part[0]!.seq, at.length - 8);
    return { key: at, value: Buffer.from(packer.packed()) };
  });
}

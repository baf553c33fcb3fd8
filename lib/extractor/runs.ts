/**
 * The runs of a batch: entries of one place one after another that go to history as one (docs/history.md). Guarantee: what
 * was added since the last `end` is put by the next one; until then nothing of it is in the sink but what was full.
 */
import { packStates } from '../history/attributes.js';
import { packPatches } from '../history/blocks.js';
import { packChange, packRefs, RUN_SEQS } from '../history/changes.js';
import type { Family } from '../history/families.js';
import { blockKey, nodeChangeKey, nodeKey, pairKey } from '../history/keys.js';
import { Packer } from '../history/packing.js';
import type { Change, NodeId, Seq } from '../history/types.js';
import { TOMBSTONE } from '../history/values.js';
import type { Piece } from './pieces.js';
import type { Head } from './state.js';

/** What a run holds at most: a reader reads all of it to find one entry. */
const MAX_STATES = 64;
const MAX_REFS = 256;
const MAX_PATCHES = 256;
const MAX_PATCH_BYTES = 16 << 10;

/** Puts a copy of what was packed. */
export type PutPacked = (family: Family, key: Buffer, packed: Packer) => void;
export type Put = (family: Family, key: Buffer, value: Buffer) => void;

/** Patches of one block, how many bytes lie in the entry itself, and how long the chain is with them. */
export interface BlockRun { node: NodeId; block: number; pieces: Piece[]; bytes: number; depth: number; chainBytes: number }

/** Does history hold an object's content: all of it, or none; or is it still to come, so that until then it counts as none? */
export type Held = 'all' | 'none' | 'pending';

interface States { node: NodeId; ino: number; held: Held; seqs: Seq[]; views: DataView[]; places: number[] }

export class Runs {
  private readonly packer = new Packer();
  private readonly timeline = new Packer();
  private firstChange: Change | null = null;
  private lastChange: Change | null = null;
  private readonly refs = new Map<NodeId, number[]>();
  private readonly states = new Map<NodeId, States>();
  /** Runs that are full, of objects whose content may still come in this batch. */
  private readonly waiting = new Map<NodeId, States[]>();
  private readonly heads = new Set<Head>();

  constructor(private readonly put: Put, private readonly putPacked: PutPacked) {}

  /** A change of the timeline, found from every node that it concerns. */
  change(change: Change): void {
    if (change.seq !== change.record) return this.foundAtMount(change);
    const first = this.firstChange;
    const last = this.lastChange;
    const goesOn = first !== null && last !== null && change.seq - first.seq < RUN_SEQS && change.timeNs >= last.timeNs;
    if (!goesOn) {
      this.endChanges();
      this.firstChange = change;
    }
    packChange(this.timeline, change, goesOn ? last : null);
    this.lastChange = change;
    const run = this.firstChange!.seq;
    this.refer(change.node, change.seq, run);
    if (change.parent === undefined && change.target === undefined) return;
    for (const node of othersOf(change)) this.refer(node, change.seq, run);
  }

  private foundAtMount(change: Change): void {
    this.packer.clear();
    packChange(this.packer, change, null);
    this.putPacked('changes', pairKey(change.seq, change.record), this.packer);
    for (const node of [change.node, ...othersOf(change)]) this.put('nodechanges', nodeChangeKey(node, change.seq, change.record), TOMBSTONE);
  }

  private refer(node: NodeId, seq: Seq, run: Seq): void {
    const refs = this.refs.get(node);
    if (refs !== undefined && refs.length < 2 * MAX_REFS) {
      refs.push(seq, run);
      return;
    }
    if (refs !== undefined) this.endRefs(node, refs);
    this.refs.set(node, [seq, run]);
  }

  /** An object's attributes from seq on, which lie in this place. One of before the run (a mount's) is an entry of its own. */
  state(node: NodeId, ino: number, held: Held, seq: Seq, view: DataView, place: number): void {
    const run = this.states.get(node);
    if (run === undefined) {
      this.states.set(node, { node, ino, held, seqs: [seq], views: [view], places: [place] });
      return;
    }
    const { seqs, views, places } = run;
    const last = seqs.length - 1;
    const same = run.ino === ino && run.held === held;
    if (same && (seq === seqs[last] || seq === seqs[0])) {
      const i = seq === seqs[last] ? last : 0;
      views[i] = view;
      places[i] = place;
    } else if (seq < seqs[last]!) {
      this.endStates({ node, ino, held, seqs: [seq], views: [view], places: [place] });
    } else if (same && seqs.length < MAX_STATES) {
      seqs.push(seq);
      views.push(view);
      places.push(place);
    } else {
      this.endStates(run);
      this.states.set(node, { node, ino, held, seqs: [seq], views: [view], places: [place] });
    }
  }

  /** What was to come of this object's content is there: its states of this batch that waited for it have it. */
  arrived(node: NodeId): void {
    const run = this.states.get(node);
    for (const one of [...this.waiting.get(node) ?? [], ...run ? [run] : []]) if (one.held === 'pending') one.held = 'all';
  }

  /** A patch of a block whose head counts it already: it goes on in this run, which answered `roomFor`, or begins one. */
  patch(head: Head, run: BlockRun | null, node: NodeId, piece: Piece): void {
    if (run === null) {
      if (head.run !== null) this.putPatches(head.run);
      head.run = run = { node, block: piece.block, pieces: [], bytes: 0, depth: 0, chainBytes: 0 };
      this.heads.add(head);
    }
    run.pieces.push(piece);
    if (!piece.zero && piece.content === 0) run.bytes += piece.length;
    run.depth = head.depth;
    run.chainBytes = head.chainBytes;
  }

  /** Puts what is not put yet. */
  end(): void {
    this.endChanges();
    for (const [node, refs] of this.refs) this.endRefs(node, refs);
    this.refs.clear();
    for (const runs of this.waiting.values()) for (const run of runs) this.putStates(run);
    for (const run of this.states.values()) this.putStates(run);
    this.waiting.clear();
    this.states.clear();
    for (const head of this.heads) {
      this.putPatches(head.run!);
      head.run = null;
    }
    this.heads.clear();
  }

  private endChanges(): void {
    if (this.firstChange !== null) this.putPacked('changes', pairKey(this.firstChange.seq, this.firstChange.record), this.timeline);
    this.timeline.clear();
    this.firstChange = null;
    this.lastChange = null;
  }

  private endRefs(node: NodeId, refs: number[]): void {
    this.packer.clear();
    packRefs(this.packer, refs);
    this.putPacked('nodechanges', nodeChangeKey(node, refs[0]!, refs[0]!), this.packer);
  }

  private endStates(run: States): void {
    if (run.held !== 'pending') return this.putStates(run);
    const others = this.waiting.get(run.node);
    if (others) others.push(run);
    else this.waiting.set(run.node, [run]);
  }

  private putStates(run: States): void {
    this.packer.clear();
    packStates(this.packer, { ...run, uncaptured: run.held !== 'all' });
    this.putPacked('nodes', nodeKey(run.node, run.seqs[0]!), this.packer);
  }

  private putPatches({ node, block, pieces, depth, chainBytes }: BlockRun): void {
    this.packer.clear();
    packPatches(this.packer, depth, chainBytes, pieces);
    this.putPacked('blocks', blockKey(node, block, pieces[0]!.seq), this.packer);
  }
}

/** The nodes that a change concerns beside its own. */
function othersOf({ node, parent, parent2, target }: Change): Set<NodeId> {
  const others = new Set<NodeId>();
  for (const other of [parent, parent2, target]) if (other !== undefined && other !== node) others.add(other);
  return others;
}

/** The run that a patch with so many bytes of its own can go on in. */
export function roomFor({ run }: Head, bytes: number): BlockRun | null {
  return run !== null && run.pieces.length < MAX_PATCHES && run.bytes + bytes <= MAX_PATCH_BYTES ? run : null;
}

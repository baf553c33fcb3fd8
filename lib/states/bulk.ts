/** What one group of processes did lately, in bulk: kept for a time, then forgotten. */
import type { Name, NodeId, Seq, Writer } from '../history/types.js';
import type { Alarm } from '../policy/trips.js';
import { Recent } from './recent.js';

/** One change of one file. `by`: what has the content that took the place of the file's. */
export interface Seen { seq: Seq; timeNs: bigint; node: NodeId; by: NodeId; name: Name | undefined; program: string; writer: Writer }

/** Files of one group that are remembered within the time, at most. */
const MAX_WROTE = 32_768;
/** What has left the time is dropped in so many steps: each costs what stays. */
const DROPS = 50n;

/** Nothing of it was looked into but what `sealed` holds. */
export class Bulk {
  readonly deleted = new Recent<Seen>();
  readonly renamed = new Recent<Seen>();
  readonly overwritten = new Recent<Seen>();
  /** Files whose content is no more: overwritten, deleted, renamed over. */
  readonly lost = new Recent<Seen>();
  /** Files with unreadable content that came. */
  readonly sealed = new Recent<Seen>();
  readonly samples = new Recent<{ timeNs: bigint }>();
  /** Files that it has written, in the order of their first change. */
  readonly wrote = new Map<NodeId, { seq: Seq; timeNs: bigint }>();
  readonly told = new Set<Alarm>();
  private droppedNs: bigint;

  constructor(public lastNs: bigint) {
    this.droppedNs = lastNs;
  }

  /** Goes on at this time, and forgets what lies further back than `withinNs`. */
  pass(nowNs: bigint, withinNs: bigint): void {
    this.lastNs = nowNs;
    if ((nowNs - this.droppedNs) * DROPS < withinNs) return;
    this.droppedNs = nowNs;
    for (const recent of [this.deleted, this.renamed, this.overwritten, this.lost, this.sealed, this.samples]) recent.dropOlder(nowNs - withinNs);
    for (const [node, { timeNs }] of this.wrote) {
      if (timeNs >= nowNs - withinNs) break;
      this.wrote.delete(node);
    }
  }

  /** Is it the first change of this file that is remembered? */
  writes({ node, seq, timeNs }: Seen): boolean {
    if (this.wrote.has(node) || this.wrote.size >= MAX_WROTE) return false;
    this.wrote.set(node, { seq, timeNs });
    return true;
  }
}

/**
 * Thinning the timeline, as data: the changes of a stretch that was merged -> those that stay. Guarantees: what stays is what
 * was recorded; whatever made, moved or removed a name, and whatever a mount found, stays; of the changes of one kind that one
 * writer made to one object the last stays, and says for how many it stands, so that whoever asks what was touched, and by
 * whom, is told the same. Nothing is read or written here.
 */
import type { Change, GivenUp, Seq } from '../history/types.js';

/** Number of `Kind` (native/journal/format.h). */
const TRUNCATE = 25;

/** Can a later change stand for it? */
const isThinnable = ({ marker, parent, target, unmounted, seq, record }: Change): boolean =>
  marker === 'modify' && parent === undefined && target === undefined && !unmounted && seq === record;

/** Changes of one group are those of which the last stands for all. */
const groupOf = ({ node, writer, kind, writeback }: Change): string => `${node} ${writer} ${kind}${writeback ? ' writeback' : ''}`;

/** A change as one that is given up. */
const itself = ({ kind, offset, length }: Change): GivenUp => (kind === TRUNCATE ? { count: 1, from: length, to: length } : { count: 1, from: offset, to: offset + length });

function together(one: GivenUp, other: GivenUp | undefined): GivenUp {
  return other === undefined ? one : { count: one.count + other.count, from: Math.min(one.from, other.from), to: Math.max(one.to, other.to) };
}

export class ThinnedChanges {
  private readonly lasts = new Map<string, Seq>();
  private readonly gone = new Map<string, GivenUp>();
  /** Of all that were counted. */
  total = 0;

  /** First every run of the stretch is seen, */
  see(run: readonly Change[]): void {
    for (const change of run.filter(isThinnable)) this.lasts.set(groupOf(change), Math.max(change.seq, this.lasts.get(groupOf(change)) ?? 0));
  }

  /** then each is counted. */
  count(run: readonly Change[]): void {
    for (const change of this.goingOf(run)) {
      this.gone.set(groupOf(change), [this.gone.get(groupOf(change)), change.givenUp].reduce<GivenUp>(together, itself(change)));
      this.total++;
    }
  }

  /** What goes of a run. Its first change stays when any does: the run's key is of it. */
  goingOf(run: readonly Change[]): Change[] {
    const going = run.filter((change) => isThinnable(change) && !this.isLast(change));
    return going.length < run.length && going[0] === run[0] ? going.slice(1) : going;
  }

  /** A change that stays, with how many it stands for. */
  standing(change: Change): Change {
    const gone = isThinnable(change) && this.isLast(change) ? this.gone.get(groupOf(change)) : undefined;
    return gone === undefined ? change : { ...change, givenUp: together(gone, change.givenUp) };
  }

  private isLast(change: Change): boolean {
    return this.lasts.get(groupOf(change)) === change.seq;
  }
}

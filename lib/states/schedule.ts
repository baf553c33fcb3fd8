/** Points in intervals: of the whole tree, and of each group that has a schedule of its own, when a member changed. */
import type { Change, Seq } from '../history/types.js';
import type { HistoryReader } from '../history/reader.js';
import type { Group } from '../policy/groups.js';
import { byPath } from './matcher.js';

interface Scheduled { group: Group; dirty: boolean; lastMs: number }

export class GroupSchedule {
  private groups: Scheduled[] = [];
  private looked: Seq = 0;
  private covered: Seq = 0;

  constructor(private readonly now: () => number) {}

  /** A group that keeps its name goes on where it was. */
  setGroups(groups: readonly Group[]): void {
    const before = new Map(this.groups.map((one) => [one.group.name, one]));
    this.groups = groups.filter(({ everyMs }) => everyMs !== null).map((group) => ({ dirty: false, lastMs: this.now(), ...before.get(group.name), group }));
  }
  /** What has changed is asked once an interval for each group. */
  async look(change: Change, history: Pick<HistoryReader, 'pathOf' | 'attr'>): Promise<void> {
    this.looked = Math.max(this.looked, change.seq);
    if (change.seq <= this.covered) return;
    for (const one of this.groups) one.dirty ||= await byPath(one.group.has, change, history);
  }

  /** A point with a reason that holds all changes which were looked at stands for that of each group. */
  pointMade(at: Seq): void {
    if (at < this.looked) return;
    this.covered = at;
    for (const one of this.groups) one.dirty = false;
  }

  /** Groups whose point is due; they begin a new interval. */
  due(): Group[] {
    const nowMs = this.now();
    const due = this.groups.filter(({ group, dirty, lastMs }) => dirty && nowMs - lastMs >= (group.everyMs ?? Infinity));
    for (const one of due) {
      one.dirty = false;
      one.lastMs = nowMs;
    }
    return due.map(({ group }) => group);
  }
}

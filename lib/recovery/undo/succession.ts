/**
 * Files that are saved as a new file: one that was just written takes the name of the old (most programs), or one is made
 * at the name from which the old was just moved away (an editor that keeps a backup). Such a line is followed as one file.
 * Guarantees: what the selected wrote and others moved, or the other way round, is no such save; a line on which both
 * worked is merged as text, three ways, save by save; where that is not safe nothing is made up.
 */
import type { HistoryReader } from '../../history/reader.js';
import type { Change, NodeAttr, NodeId, Seq } from '../../history/types.js';
import { isFile } from '../compare.js';
import { YOUNG_NS } from '../grouping.js';
import { slotKey } from '../places.js';
import { attributesWithout } from './attributes.js';
import { changesContent, type Step } from './content.js';
import type { Names } from './names.js';
import { mergeRuns, runsOf, type MergedText } from './text.js';

/** Numbers of `Kind` (native/journal/format.h). */
const CREATE = 8;
const SETATTR = 27;
/** An editor writes anew at once what it moved away. */
const BACKUP_NS = 2_000_000_000n;

/** A change of a line, and the file that has its name after it. */
interface LineStep extends Step {
  node: NodeId;
}

/** A file through its saves by rename, from the first change of a selected writer on. */
interface Line {
  first: NodeId;
  steps: LineStep[];
  saves: LineStep[];
  merged: MergedText | null;
}

/** What a file is to be without the selected writers; or the change that does not let that be told. */
export type LineResult = { node: NodeId; attr: NodeAttr; text: Buffer; since: Seq; conflict: null } | { node: NodeId; conflict: Change };

export class Successions {
  private readonly births = new Map<NodeId, Step>();
  /** By the name that they had. */
  private readonly movedAway = new Map<string, Change>();
  /** By the file that has the name. */
  private readonly lines = new Map<NodeId, Line>();
  /** Files of lines that could be merged. */
  private readonly members = new Set<NodeId>();

  constructor(private readonly history: HistoryReader, private readonly now: Seq) {}

  /** To be called with every change, oldest first. */
  see(change: Change, mine: boolean): void {
    const { kind, marker, target, exchange } = change;
    if (marker === 'create' && kind === CREATE) this.born(change, mine);
    else if (marker === 'rename' && exchange !== true) this.renamed(change, target, mine);
    else if (changesContent(change) || kind === SETATTR) this.changed(change, mine);
  }

  private changed(change: Change, mine: boolean): void {
    const { node } = change;
    if (mine && changesContent(change) && !this.lines.has(node)) this.lines.set(node, newLine(node));
    this.lines.get(node)?.steps.push({ node, change, mine });
  }

  private born(change: Change, mine: boolean): void {
    const { node, parent, name, writer, timeNs } = change;
    this.births.set(node, { change, mine });
    const moved = parent === undefined || name === undefined ? undefined : this.movedAway.get(slotKey(parent, name));
    if (moved?.writer === writer && timeNs - moved.timeNs < BACKUP_NS) this.succeed(moved.node, change, mine);
  }

  private renamed(change: Change, target: NodeId | undefined, mine: boolean): void {
    const { node, parent, name, parent2, timeNs } = change;
    if (parent !== undefined && name !== undefined && parent === parent2) this.movedAway.set(slotKey(parent, name), change);
    if (target === undefined || target === node) return;
    const birth = this.births.get(node);
    const isSave = birth?.mine === mine && timeNs - birth.change.timeNs < YOUNG_NS && (mine || !this.lines.has(node));
    if (isSave) this.succeed(target, change, mine);
    else this.lines.delete(target);
  }

  private succeed(old: NodeId, change: Change, mine: boolean): void {
    const { node } = change;
    const line = this.lines.get(old) ?? (mine ? newLine(old) : null);
    this.lines.delete(old);
    if (!line) return;
    line.steps.push({ node, change, mine });
    line.saves.push({ node, change, mine });
    this.lines.set(node, line);
  }

  /** To be called when all changes have passed. */
  async merge(): Promise<void> {
    for (const [node, line] of this.lines) {
      const both = line.steps.some(({ mine, change }) => !mine && change.kind !== SETATTR);
      if (line.saves.length === 0 || !both || !(await this.isFileNow(node))) {
        this.lines.delete(node);
        continue;
      }
      line.merged = await mergeRuns(this.history, { node: line.first, seq: beforeLine(line) }, runsOf(line.steps));
      if (line.merged.kind === 'merged') for (const member of [line.first, ...line.saves.map((save) => save.node)]) this.members.add(member);
    }
  }

  /** Is the change one that the merge of its line has regard to? */
  has(change: Change): boolean {
    return this.members.has(change.node) && (changesContent(change) || change.kind === SETATTR);
  }

  /** What becomes of the lines' files; to be called when it is settled where names lead. */
  async *results(names: Names): AsyncGenerator<LineResult> {
    for (const [last, { first, steps, saves, merged }] of this.lines) {
      const [link, other] = await this.history.linksOf(last, this.now);
      const node = link && !other ? (await names.lookup(link.parent, link.name))?.node : undefined;
      const ours = saves.at(-1)!.mine;
      // Where the last save is the selected's own, and stays, nothing of it can be taken back.
      if (node === undefined || (ours && node === last) || (node !== first && !saves.some((save) => save.node === node))) continue;
      if (merged?.kind === 'merged') {
        const attr = await attributesWithout(this.history, first, steps);
        if (attr) yield { node, attr: { ...attr, size: merged.text.length }, text: merged.text, since: steps[0]!.change.seq - 1, conflict: null };
      } else if (merged?.kind === 'conflict' && !ours) {
        yield { node, conflict: steps.find((step) => !step.mine)!.change };
      }
    }
  }

  private async isFileNow(node: NodeId): Promise<boolean> {
    const attr = await this.history.attr(node, this.now);
    return attr !== null && isFile(attr);
  }
}

const newLine = (first: NodeId): Line => ({ first, steps: [], saves: [], merged: null });

/** The instant before the selected first changed a line. */
const beforeLine = ({ steps }: Line): Seq => steps[0]!.change.seq - 1;

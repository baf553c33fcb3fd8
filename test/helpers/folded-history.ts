/** A ModelTree's records as the engine would have written them, folded into a real History by the extractor. */
import { extractBatch, splitAtMounts } from '../../lib/extractor/loop.js';
import { decodeRecords } from '../../lib/extractor/record.js';
import { FoldState } from '../../lib/extractor/state.js';
import { History } from '../../lib/history/history.js';
import { ROOT, type Change, type NodeId, type Seq } from '../../lib/history/types.js';
import type { ModelTree } from './model-tree.js';
import { encodeRecord, type AttrDraft, type RecordDraft } from './records.js';
import { Kind } from './record-kinds.js';

const [MOUNT, OPEN] = [1, 32];
const PUNCH = 3;
const inoOf = (node: NodeId): number => node + 1000;

/** Follows a tree: `catchUp` folds what it has done since. */
export class FoldedHistory {
  private readonly state: FoldState;

  private constructor(readonly history: History, private readonly tree: ModelTree) {
    this.state = new FoldState(history.meta(), { put: () => undefined });
    this.state.mayReuse = (id) => history.mayReuse(id);
  }

  static async open(directory: string, tree: ModelTree): Promise<FoldedHistory> {
    const folded = new FoldedHistory(await History.open(directory), tree);
    await folded.catchUp();
    return folded;
  }

  async catchUp(): Promise<void> {
    const { history, tree } = this;
    const changes = new Map(tree.history.timeline.filter((change) => change.seq > history.watermark()).map((change) => [change.seq, change]));
    while (history.watermark() < tree.seq) {
      const parts: Buffer[] = [];
      for (let seq = history.watermark() + 1; seq <= tree.seq && parts.length < 2000; seq++) parts.push(encodeRecord(this.draft(seq, changes.get(seq))));
      for (const batch of splitAtMounts(decodeRecords(Buffer.concat(parts), 0, parts.length).records)) await extractBatch(history, this.state, batch);
    }
  }

  private attr(node: NodeId, seq: Seq): AttrDraft {
    const now = this.tree.history.node(node, seq);
    if (now) return now.attr;
    const before = this.tree.history.node(node, seq - 1);
    if (!before) throw new Error(`no attributes of node ${node} at #${seq}`);
    return { ...before.attr, nlink: 0 };
  }

  private draft(seq: Seq, change: Change | undefined): RecordDraft {
    const timeNs = this.tree.history.times[seq - 1] as bigint;
    if (!change) {
      return seq === 1 ? { kind: MOUNT, seq, timeNs, ino: inoOf(ROOT), attr: this.attr(ROOT, seq), payload: { root_ino: inoOf(ROOT) } } : { kind: OPEN, seq, timeNs };
    }
    const { node, kind, writer, save, offset, length } = change;
    const attr = this.attr(node, seq);
    const draft: RecordDraft = { kind, seq, timeNs, writer, save, ino: inoOf(node), offset, length, attr };
    if (change.parent !== undefined) Object.assign(draft, { parent: inoOf(change.parent), name: change.name, parentAttr: this.attr(change.parent, seq) });
    if (change.parent2 !== undefined) Object.assign(draft, { name2: change.name2, parent2: { ino: inoOf(change.parent2), attr: this.attr(change.parent2, seq) } });
    if (change.target !== undefined) Object.assign(draft, { target: { ino: inoOf(change.target), attr: this.attr(change.target, seq) }, flags: change.exchange ? 2 : 0 });
    const state = this.tree.history.node(node, seq);
    if (kind === Kind.write) draft.payload = Buffer.from(state?.data.subarray(offset, offset + length) ?? []);
    if (kind === Kind.symlink) draft.payload = state?.target ?? Buffer.alloc(0);
    if (kind === Kind.fallocate) draft.aux = PUNCH;
    const detail = this.tree.details.get(seq);
    if (detail) Object.assign(draft, { name: detail.name, ...(detail.value === null ? {} : { payload: detail.value }) });
    return draft;
  }
}

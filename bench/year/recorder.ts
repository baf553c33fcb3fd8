/** A history that follows the simulated tree as the daemon's does a mounted one: records folded, packed, and kept within the default bounds. */
import { extractBatch, splitAtMounts } from '../../lib/extractor/loop.js';
import { decodeRecords } from '../../lib/extractor/record.js';
import { FoldState } from '../../lib/extractor/state.js';
import { History } from '../../lib/history/history.js';
import { Packing } from '../../lib/pack/packing.js';
import { KeepPolicy } from '../../lib/policy/keeping.js';
import { DEFAULT_RETENTION } from '../../lib/policy/retention.js';
import { UNTHROTTLED } from '../../lib/retention/editor.js';
import { Keeper, type Tidied } from '../../lib/retention/keeper.js';
import type { SimulatedTree } from './tree.js';

const BATCH_RECORDS = 8192;

export class Recorder {
  private readonly packing: Packing;
  private readonly keeper: Keeper;
  private readonly state: FoldState;
  private waiting: Buffer[] = [];

  private constructor(readonly history: History, private readonly tree: SimulatedTree) {
    this.packing = new Packing(history);
    this.state = new FoldState(history.meta(), { put: () => undefined });
    this.state.mayReuse = (id) => history.mayReuse(id);
    const policy = new KeepPolicy(DEFAULT_RETENTION, []);
    this.keeper = new Keeper({
      history, rules: () => DEFAULT_RETENTION, keeping: () => policy, limit: () => history.watermark(),
      needed: async () => [history.meta().mount], settle: async () => undefined,
    }, UNTHROTTLED);
  }

  static async open(directory: string, tree: SimulatedTree): Promise<Recorder> {
    return new Recorder(await History.open(directory), tree);
  }

  /** Folds what the tree has done, as soon as it is a batch; `all`: whatever it is. */
  async record(all = false): Promise<void> {
    for (const record of this.tree.take()) this.waiting.push(record);
    while (this.waiting.length >= BATCH_RECORDS || (all && this.waiting.length > 0)) {
      const raw = this.waiting.splice(0, BATCH_RECORDS);
      for (const batch of splitAtMounts(decodeRecords(Buffer.concat(raw), 0, raw.length).records)) await extractBatch(this.history, this.state, batch);
    }
  }

  /** Until nothing waits to be packed. All is in tables then, as the daemon sees to (lib/extractor/durability.ts). */
  async pack(): Promise<void> {
    await this.history.rocks.flush();
    while (await this.packing.step()) { /* The next one. */ }
  }

  /** What the daemon does each hour, without the rests. */
  async round(nowMs: number): Promise<Tidied> {
    return this.keeper.maintain(nowMs);
  }
}

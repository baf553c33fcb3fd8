/**
 * How far the tree itself, not only what was recorded of it, is known to be on stable storage: kept in the store, so that
 * the first mount after a power cut knows which files may hold less than was written to them. Guarantee: all that was
 * changed before the time that is kept is on the tree's disk; it may say less than is so.
 */
import { readFile } from 'node:fs/promises';
import type { IsLost } from '../history/live.js';
import type { HistoryReader } from '../history/reader.js';
import type { NodeId, Seq } from '../history/types.js';
import type { Engine, Journal } from '../native.js';
import type { ReadBacking } from '../recovery/damage.js';
import { besideWritten } from '../recovery/lost.js';
import { replaceFile } from '../replace.js';

/** How often the tree's disk is synced while the tree changes: no more than that is to be compared after a power cut. */
const PERIOD_MS = 60_000;
/** Files get their times from a clock that ticks a hundred times a second at worst. */
const TICK_NS = 50_000_000n;

interface Kept { boot: string; time_ns: string }

async function readKept(file: string): Promise<Kept | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Kept;
  } catch {
    return null;  // nothing is known
  }
}

/** Files that were changed since this time may have lost content; null when none can, since the machine has run on. */
export async function doubtfulSince(file: string, boot: string): Promise<bigint | null> {
  const kept = await readKept(file);
  return kept?.boot === boot ? null : BigInt(kept?.time_ns ?? TICK_NS) - TICK_NS;
}

/** What the tree's disk lost, found while history is compared with the tree. */
export class LostFiles {
  readonly nodes: NodeId[] = [];

  /** `sinceNs`: files that were changed before it have lost nothing; null: none has. `mountedNs`: what was changed since is on record. */
  constructor(private readonly history: HistoryReader, readonly seq: Seq, private readonly sinceNs: bigint | null, private readonly mountedNs: bigint, private readonly read: ReadBacking) {}

  /** Also true of what cannot be compared: the walk will see what it is. */
  readonly isLost: IsLost = async ({ node, ino, ctimeNs }) => {
    if (this.sinceNs === null || ctimeNs < this.sinceNs) return false;
    const found = await besideWritten(this.history, { node, ino, changedNs: this.mountedNs - TICK_NS }, this.seq, this.read);
    if (found === 'different') this.nodes.push(node);
    return found === 'different' || found === 'unknown';
  };
}

/** Keeps it while a tree is mounted. */
export class OnDisk {
  private timer: NodeJS.Timeout | null = null;
  private work: Promise<void> | null = null;
  private seq = 0;

  constructor(private readonly file: string, private readonly boot: string, private readonly engine: Engine, private readonly journal: Journal, private readonly report: (what: string, error: unknown) => void) {}

  /** To be called when history holds all of the tree, and what a power cut did to it: in this boot nothing is to be compared any more. */
  start(): void {
    this.do(async () => this.keep((await readKept(this.file))?.time_ns ?? '0'));
    this.timer = setInterval(() => this.do(() => this.sync()), PERIOD_MS);
    this.timer.unref();
  }

  /** Syncs nothing: an unmount does not wait for what else is on that disk. */
  end(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  private do(work: () => Promise<void>): void {
    this.work ??= work().catch((error: unknown) => this.report('How far the tree is on its disk could not be kept', error)).finally(() => { this.work = null; });
  }

  private async sync(): Promise<void> {
    const { lastSeq } = this.journal.stats();
    if (lastSeq === this.seq) return;
    const now = String(BigInt(Date.now()) * 1_000_000n);
    await this.engine.syncBacking();
    await this.keep(now);
    this.seq = lastSeq;
  }

  private async keep(time: string): Promise<void> {
    const kept: Kept = { boot: this.boot, time_ns: time };
    await replaceFile(this.file, `${JSON.stringify(kept)}\n`);
  }
}

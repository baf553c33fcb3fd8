/**
 * When history is packed: bit by bit while nobody needs the machine, or all of it now. Guarantees: never more than half of the
 * time in the background, and none while `free` says no; a failure is reported once, and it is tried again after a while; `stop`
 * returns when no step of the background is under way.
 */
import { FAMILIES, type Family } from '../history/families.js';
import type { History } from '../history/history.js';
import { EntryPacker } from './entries.js';
import { QUICK, THOROUGH } from './encode.js';
import { HistoryPacker } from './packer.js';

/** How often it is looked for work, and for quiet. */
const LOOK_MS = 5000;
/** After a failure. */
const RETRY_MS = 5 * 60_000;
/** Content that was packed so long ago is packed harder. */
const COLD_MS = 7 * 24 * 3_600_000;
/** zstd's levels for values that hold no content: while the tree is in use, and when there is time. */
const QUICK_LEVEL = 6;
const THOROUGH_LEVEL = 12;

/** What contents take. */
export interface Packed {
  /** Bytes of content that was looked at, and what it takes. */
  writtenBytes: number;
  storedBytes: number;
  /** Contents that were looked at, and that are still to be. */
  packed: number;
  waiting: number;
}

/** How far `now` is: contents, other entries, what goes to cold files, the room of what is no more needed. */
export interface Step extends Packed { phase: 'contents' | 'entries' | 'cold' | 'compacting'; family?: Family }

/** What is done when all is packed, in steps. */
export interface Chore {
  /** Whatever there is shall be done, due or not. */
  begin(): Promise<void>;
  /** Answers whether there was anything to do. */
  step(): Promise<boolean>;
}

export class Packing {
  private readonly contents: HistoryPacker;
  private readonly entries: EntryPacker;
  private running: Promise<void> | null = null;
  private stopping = false;
  private wake: () => void = () => undefined;

  /** @param cold moves what is old to slow media (lib/cold) */
  constructor(readonly history: History, private readonly cold: Chore | null = null) {
    this.contents = new HistoryPacker(history);
    this.entries = new EntryPacker(history);
  }

  async packed(): Promise<Packed> {
    const { writtenBytes, storedBytes, next, until } = await this.contents.progress();
    return { writtenBytes, storedBytes, packed: next - 1, waiting: until - next };
  }

  /** All that there is, to the end; `signal` ends it after the step under way, to be gone on with. */
  async *now(signal: AbortSignal): AsyncGenerator<Step> {
    const ended = (): boolean => signal.aborted || this.stopping;
    const left = async (work: () => Promise<boolean>): Promise<boolean> => !ended() && await work();
    while (await left(() => this.contents.step(THOROUGH))) yield { phase: 'contents', ...await this.packed() };
    while (await left(() => this.contents.harder(Infinity))) yield { phase: 'contents', ...await this.packed() };
    while (await left(() => this.entries.step(THOROUGH_LEVEL, true))) yield { phase: 'entries', ...await this.packed() };
    // Where the directory is away the rest is done, and then that is said.
    let refused: unknown = null;
    await this.cold?.begin().catch((error: unknown) => { refused = error; });
    while (refused === null && await left(async () => await this.cold?.step() ?? false)) yield { phase: 'cold', ...await this.packed() };
    for (const family of FAMILIES) {
      if (ended()) return;
      yield { phase: 'compacting', family, ...await this.packed() };
      await this.history.rocks.compact(family);
    }
    if (refused !== null) throw refused;
  }

  /** Begins to work in the background, whenever `free`. */
  start(free: () => boolean, failed: (error: unknown) => void): void {
    this.running = this.run(free, failed);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.wake();
    await this.running;
  }

  private async run(free: () => boolean, failed: (error: unknown) => void): Promise<void> {
    let told = '';
    while (!this.stopping) {
      const began = performance.now();
      try {
        const worked = free() && await this.step();
        await this.pause(worked ? performance.now() - began : LOOK_MS);
      } catch (error) {
        if (String(error) !== told) failed(error);
        told = String(error);
        await this.pause(RETRY_MS);
      }
    }
  }

  /** What the background does at a time. Answers whether there was anything. */
  async step(): Promise<boolean> {
    return await this.contents.step(QUICK) || await this.contents.harder(Date.now() - COLD_MS) || await this.entries.step(QUICK_LEVEL, false) || (await this.cold?.step() ?? false);
  }

  private async pause(ms: number): Promise<void> {
    if (this.stopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => { clearTimeout(timer); resolve(); };
    });
  }
}

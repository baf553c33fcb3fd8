/**
 * Keeps history within its bounds: gives up what the policy no longer keeps, and when its time in the trash is over, merges
 * it, frees its content and gives the room back. Guarantees: one work at a time; it rests as long as it works, stops at the
 * end of a batch, and goes on another time where it stood; what is pinned, and the state of now, always stay.
 */
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RewindError } from '../errors.js';
import type { Family } from '../history/families.js';
import type { History } from '../history/history.js';
import type { Part, Stretch, Trashed } from '../history/retained.js';
import type { Seq } from '../history/types.js';
import type { KeepPolicy } from '../policy/keeping.js';
import type { RetentionRules } from '../policy/retention.js';
import { TIMELINE, UNTHROTTLED, type Throttle } from './editor.js';
import { mergeParts } from './parts.js';
import { partsInForce, planOf, type Plan } from './plan.js';
import { Chosen, keptInstants } from './schedule.js';
import { mergeDue, type Progress } from './stretch.js';
import { sweepContents, type Swept } from './sweep.js';
import { countGoing, thinTimeline } from './timeline.js';
import { discard, discardParts, expire, pinnedInstants } from './trash.js';
import { versionsOf, type GoingVersion } from './versions.js';

/** What it works on. */
export interface Kept {
  history: History;
  rules(): RetentionRules;
  /** Paths with schedules of their own. */
  keeping(): KeepPolicy;
  /** Nothing after this seq is touched: what lies before may still change. */
  limit(): Seq;
  /** Instants that something stands on, beside the pinned ones. */
  needed(): Promise<Seq[]>;
  /** Waits until all that was recorded is in history. */
  settle(): Promise<unknown>;
}

/** What a work came to. */
export interface Tidied extends Progress, Swept { /** Changes that were given up. */ changes: number; bytesBefore: number; bytesAfter: number }

const NOTHING_SWEPT: Swept = { contents: 0, bytes: 0 };
/** Rests as long as it worked. */
const HALF: Throttle = { rest: (tookMs) => delay(tookMs) };
/** Families that merging leaves deleted entries in. */
const COMPACTED: readonly Family[] = ['nodes', 'names', 'links', 'xattrs', 'blocks', 'cuts', 'content', 'hashes'];
/**
 * Finding what nothing needs, and giving its room back, costs as much as there is: in the background it waits until so large
 * a share of the entries was deleted, or for so long.
 */
const LOOSE_SHARE = 16;
const MOST_LOOSE_MS = 7 * 86_400_000;
/** Of the instants that are kept, so many are given up at a time for want of room: an eighth, the oldest. */
const SHARE = 8;

export class Keeper {
  private working: Promise<unknown> | null = null;
  private readonly ending = new AbortController();
  private readonly chosen = new Chosen();

  /** `throttle`: how it rests when nobody waits for it. */
  constructor(private readonly kept: Kept, private readonly throttle: Throttle = HALF) {}

  get history(): History { return this.kept.history; }
  get rules(): RetentionRules { return this.kept.rules(); }

  /** What the policy gives up now, and has not yet. */
  async plan(nowMs = Date.now()): Promise<Plan> {
    const { history } = this.kept;
    const range = await history.range();
    if (range === null) return { everywhere: [], parts: [] };
    const also = await this.keptAnyway();
    const kept = new Map<string, Seq[]>();
    for (const [name, schedule] of this.kept.keeping().schedules) kept.set(name, await keptInstants(history, schedule, nowMs, this.kept.limit(), also, this.chosen));
    this.chosen.age();
    return planOf(history.retention(), this.parts(also), kept, range.first.seq);
  }

  /** The files and versions of a plan. */
  async *versions(plan: Plan): AsyncGenerator<GoingVersion> {
    yield* versionsOf(this.history, this.kept.keeping(), plan, this.parts(await this.keptAnyway()));
  }

  /** Gives that up: it goes to the trash. */
  async prune(nowMs = Date.now()): Promise<Trashed[]> {
    const { history } = this.kept;
    const { everywhere, parts } = await this.plan(nowMs);
    const trashed = await discard(history, everywhere, 'schedule', nowMs, this.rules.trashMs);
    const others = await discardParts(history, this.parts(await this.keptAnyway()), parts, nowMs, this.rules.trashMs);
    return trashed === null ? others : [trashed, ...others];
  }

  /** Instants that are pinned, or that something stands on. */
  private async keptAnyway(): Promise<Seq[]> {
    return [...await pinnedInstants(this.history), ...await this.kept.needed()];
  }

  private parts(keptAnyway: readonly Seq[]): Part[] {
    return partsInForce(this.history.retention(), this.kept.keeping(), keptAnyway);
  }

  /**
   * Forgets what is due, and gives the room back. `hurry`: somebody waits for it; `all`: also what is in the trash. Without
   * either the room comes back once it is worth the work. @throws ERR_BUSY while another does
   */
  async tidy(options: { hurry?: boolean; all?: boolean; nowMs?: number } = {}): Promise<Tidied> {
    if (this.working !== null) throw new RewindError('ERR_BUSY', 'History is being tidied already', 'Wait for it to end: `rewind status` tells.');
    const work = this.work(options);
    this.working = work.catch(() => undefined);
    try {
      return await work;
    } finally {
      this.working = null;
    }
  }

  /** Waits until history holds what was recorded. */
  settle(): Promise<unknown> {
    return this.kept.settle();
  }

  private async work({ hurry = false, all = false, nowMs = Date.now() }: { hurry?: boolean; all?: boolean; nowMs?: number }): Promise<Tidied> {
    const { history } = this.kept;
    const { signal } = this.ending;
    const throttle = hurry ? UNTHROTTLED : this.throttle;
    const bytesBefore = await bytesOf(history.directory);
    await this.kept.settle();
    await expire(history, nowMs, all);
    const merged = await mergeDue(history, this.kept.limit(), throttle, signal);
    await discardParts(history, this.parts(await this.keptAnyway()), [], nowMs, 0);
    const parts = await mergeParts(history, this.kept.keeping(), this.kept.limit(), throttle, signal);
    const done: Progress = { stretches: merged.stretches + parts.stretches, objects: merged.objects + parts.objects, edits: merged.edits + parts.edits };
    const changes = await thinTimeline(history, await this.lastToThin(nowMs), throttle, signal);
    const swept = hurry || all || await this.isWorthSweeping(nowMs) ? await this.giveBack(done, nowMs, throttle) : NOTHING_SWEPT;
    if (hurry || all || await this.isLarge(history.retention().timeline.loose, TIMELINE)) await this.giveBackTimeline();
    return { ...done, ...swept, changes, bytesBefore, bytesAfter: await bytesOf(history.directory) };
  }

  /** The last instant whose changes are older than the policy keeps all of them; 0: none is. */
  private async lastToThin(nowMs: number): Promise<Seq> {
    const { changesMs } = this.rules;
    const last = Number.isFinite(changesMs) ? await this.history.seqAt(BigInt(nowMs - changesMs) * 1_000_000n) : null;
    return Math.min(last ?? 0, this.kept.limit());
  }

  /** How many changes would be given up now: of what was merged before. */
  async changesGoing(nowMs = Date.now()): Promise<number> {
    return countGoing(this.history, await this.lastToThin(nowMs), this.ending.signal);
  }

  private async isWorthSweeping(nowMs: number): Promise<boolean> {
    const { loose, sweptMs } = this.history.retention();
    return nowMs - sweptMs >= MOST_LOOSE_MS || await this.isLarge(loose, COMPACTED);
  }

  /** Are so many deleted entries a large share of those of some families? */
  private async isLarge(loose: number, families: readonly Family[]): Promise<boolean> {
    const entries = await Promise.all(families.map((family) => this.history.rocks.property(family, 'rocksdb.estimate-num-keys')));
    return loose * LOOSE_SHARE >= entries.reduce<number>((sum, count) => sum + Number(count), 0);
  }

  /** Deletes content that nothing needs, and rewrites the database without all that was deleted. */
  private async giveBack(done: Progress, nowMs: number, throttle: Throttle): Promise<Swept> {
    const { history } = this.kept;
    // Also what lay in a block entry by itself and left no content to sweep: a short secret that was purged.
    const { unswept, loose } = history.retention();
    // Nobody compresses content against other content while it is told what nothing needs.
    const swept = unswept ? await history.upkeep.take(() => sweepContents(history, () => this.kept.settle(), throttle, this.ending.signal, nowMs)) : NOTHING_SWEPT;
    if (unswept || loose > 0 || done.edits > 0) await this.compact(COMPACTED);
    return swept;
  }

  /** The same of what tells of changes, which is seldom given up. */
  private async giveBackTimeline(): Promise<void> {
    const { history } = this.kept;
    if (history.retention().timeline.loose === 0) return;
    await this.compact(TIMELINE);
    const retention = history.retention();
    retention.timeline.loose = 0;
    await history.forget(history.rocks.batch(), retention);
  }

  private async compact(families: readonly Family[]): Promise<void> {
    for (const family of families) {
      this.ending.signal.throwIfAborted();
      await this.kept.history.rocks.compact(family);
    }
  }

  /** By itself: the schedule, then the limits of room. */
  async maintain(nowMs = Date.now()): Promise<Tidied> {
    await this.prune(nowMs);
    let done = await this.tidy({ nowMs });
    const step = await this.tooMuch() ? await this.oldest(nowMs) : [];
    if (step.length === 0) return done;
    await discard(this.kept.history, step, 'size', nowMs, 0);
    done = await this.tidy({ nowMs, all: true });
    return done;
  }

  /** Is there more of it, or less room, than the policy allows? */
  async tooMuch(): Promise<boolean> {
    const { maxBytes, minFreeBytes } = this.rules;
    if (maxBytes !== null && await bytesOf(this.history.directory) > maxBytes) return true;
    if (minFreeBytes === null) return false;
    const { bavail, bsize } = await statfs(this.history.directory);
    return bavail * bsize < minFreeBytes;
  }

  /** The oldest share of what is kept, and nothing that is younger than the policy's least. */
  private async oldest(nowMs: number): Promise<Stretch[]> {
    const { history } = this.kept;
    const range = await history.range();
    const end = await history.seqAt(BigInt(nowMs - this.rules.atLeastMs) * 1_000_000n);
    if (range === null || end === null) return [];
    const bound = Math.min(end, this.kept.limit());
    let begin = 0;
    for (const stretch of history.retention().merged) if (stretch.from === begin) begin = stretch.to;
    begin = Math.max(begin, range.first.seq);
    const to = begin + Math.ceil((bound - begin) / SHARE);
    const gone = history.hidden(to);
    const also = (await this.keptAnyway()).filter((seq) => seq < to);
    const instants = [...new Set([...also, gone?.to ?? to])].sort((a, b) => a - b);
    return instants.map((one, i) => ({ from: instants[i - 1] ?? 0, to: one })).filter(({ from, to: last }) => last <= bound && last > Math.max(from, range.first.seq) + 1);
  }

  /** Ends what is under way, at the end of its batch. */
  async stop(): Promise<void> {
    this.ending.abort(new RewindError('ERR_BUSY', 'The tree is being unmounted', 'What was begun goes on at the next mount.'));
    await this.working;
  }
}

/** Bytes of a directory's files. */
export async function bytesOf(directory: string): Promise<number> {
  const sizes = await Promise.all((await readdir(directory)).map((name) => stat(join(directory, name)).then(({ size }) => size, () => 0)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

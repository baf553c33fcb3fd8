/**
 * The walk that brings what a session found in the tree into history: begun at a mount, and again where recording goes on
 * after a gap. Guarantee: states are provisional until the walk of the session that counts is complete.
 */
import { setTimeout } from 'node:timers/promises';
import type { Seq } from '../history/types.js';
import type { Engine, Journal } from '../native.js';
import { walkError } from './errors.js';

/** What a session begins with: `from` is the seq from which states may still grow. */
export interface SessionBegun { mountSeq: Seq; from: Seq }

interface Walked {
  engine: Engine;
  journal: Journal;
  mountpoint: string;
  settle(): Promise<unknown>;
  isStopping(): boolean;
  fail(what: string, error: unknown): void;
}

/** For so long after it has begun whoever looks around waits for a walk, and for so long who unmounts: that of a small tree is over by then. */
const LOOK_PATIENCE_MS = 10_000;
const END_PATIENCE_MS = 1000;

export class Walk {
  mountSeq: Seq = 0;
  /** States from here on may still get what was there before. */
  provisionalFrom: Seq = 0;
  private current: Promise<void> = Promise.resolve();
  private loading: Promise<void> = Promise.resolve();
  private round = 0;
  private begunAtMs = -Infinity;

  constructor(private readonly on: Walked) {}

  begin({ mountSeq, from }: SessionBegun): void {
    this.mountSeq = mountSeq;
    this.provisionalFrom = from;
    this.begunAtMs = performance.now();
    this.current = this.complete(++this.round);
    this.current.catch(() => undefined);  // told to who waits for it
  }

  /** What history held as the live state before this session goes to the engine, so that it can tell what changed meanwhile; `ready` before it starts. */
  start(before: AsyncIterable<Buffer>, ready?: () => Promise<void>): void {
    this.loading = this.load(this.round, before, ready);
  }

  /** Another session begins: what this one still tells the engine would be taken for its. */
  async abandon(): Promise<void> {
    this.round++;
    await this.loading;
  }

  private async load(round: number, before: AsyncIterable<Buffer>, ready?: () => Promise<void>): Promise<void> {
    const { engine, isStopping, fail } = this.on;
    const isOver = (): boolean => isStopping() || round !== this.round;
    try {
      for await (const entries of before) {
        if (isOver()) return;
        await engine.expect(entries);
      }
      if (isOver()) return;
      await ready?.();
      if (!isOver()) engine.startBaseline();
    } catch (error) {
      if (!isOver()) fail('The baseline stopped', error);
    }
  }

  /** Waits for the walk that counts then. @throws ERR_BASELINE_FAILED, ERR_NOT_MOUNTED */
  async done(): Promise<void> {
    const { current } = this;
    await current.catch((error: unknown) => {
      if (current === this.current) throw error;
    });
    if (current !== this.current) await this.done();
  }

  /** For who looks around: as `done`, whatever the walk comes to, and not for longer than a small tree takes. */
  soon(): Promise<void> {
    return this.within(this.begunAtMs + LOOK_PATIENCE_MS - performance.now());
  }

  /** For who leaves: a small tree is whole in history when it is left. */
  soonEnded(): Promise<void> {
    return this.within(END_PATIENCE_MS);
  }

  private async within(ms: number): Promise<void> {
    if (ms > 0) await Promise.race([this.done().catch(() => undefined), setTimeout(ms, undefined, { ref: false })]);
  }

  /** @throws ERR_BASELINE_FAILED when the walk does not come to its end: all stays provisional then */
  private async complete(round: number): Promise<void> {
    const { engine, journal, mountpoint, settle, isStopping, fail } = this.on;
    try {
      await engine.baselineDone();
    } catch (cause) {
      const error = walkError(cause as NodeJS.ErrnoException, mountpoint);
      if (!isStopping() && error.code !== 'ERR_NOT_MOUNTED') fail('The first look at the tree stopped', error);
      throw error;
    }
    await settle();
    // What a walk finds in a gap is not recorded: the one after it counts.
    if (journal.stats().gap === null && round === this.round) this.provisionalFrom = Infinity;
  }
}

/**
 * One mounted tree, from the lock to the clean end. Guarantees: the mount is usable before the baseline is complete;
 * a start that fails takes back what it had begun; a stop leaves everything that was acknowledged in history. Nothing
 * here asks the mount anything synchronously: the view inside it is served by this very thread.
 */
import { mkdir } from 'node:fs/promises';
import { constants } from 'node:os';
import { RewindError } from '../errors.js';
import { ColdTier } from '../cold/tier.js';
import { Extractor } from '../extractor/loop.js';
import { History } from '../history/history.js';
import type { Seq } from '../history/types.js';
import { native, type Engine, type Journal, type JournalState } from '../native.js';
import { Packing } from '../pack/packing.js';
import { expectOwnLogs } from '../repair/logs.js';
import type { Keeper } from '../retention/keeper.js';
import { nameLateWriters, type MountPlan } from '../store/prepare.js';
import { lockStore } from '../store/store.js';
import type { Transport } from '../transport.js';
import { mountView, type MountedView } from '../view/mount.js';
import { compileRules } from '../policy/decide.js';
import { PolicySource } from '../policy/source.js';
import { Blocks } from '../states/blocks.js';
import { PROC } from '../states/processes.js';
import { busyHint } from './busy.js';
import { Checker } from './checker.js';
import { gapFailure, journalFailure, mountError, refusal } from './errors.js';
import { unmountForks } from './forks.js';
import { JobTable } from './jobs.js';
import { addMark } from './mark.js';
import { GapNote } from './gap-note.js';
import { Recoverer, type Ward } from './recovery.js';
import { bootId, lastSessionEndedClean, noteEnd } from './sessions.js';
import type { StartProgress } from './launch.js';
import type { AlarmRow } from './protocol.js';
import { serveControl } from './server.js';
import type { LiveTree, Session } from './session.js';
import { Scrub } from './scrub.js';
import { ScrubBook } from './scrubbook.js';
import { keepInBounds, keeperOf } from './prune.js';
import { Resumption } from './resumption.js';
import { recordStates, type States } from './states.js';
import { watchStore } from './store-watch.js';
import { doubtfulSince, LostFiles, OnDisk } from './on-disk.js';
import { noteCut, noteLost, noteUsers } from './unrecorded.js';
import { Walk } from './walk.js';

const { EBUSY } = constants.errno;

function isBusy(error: unknown): boolean {
  return (error as { errno?: number }).errno === EBUSY || (error instanceof RewindError && error.code === 'ERR_BUSY');
}

/** FUSE lets nobody but its owner into a user's mount: not even fusermount3, which is root, can mount a view inside. */
function viewIsNested(): boolean {
  return process.geteuid?.() === 0;
}

/** How often a long start says how far it is, in milliseconds. */
const PROGRESS_MS = 500;

/** Brings history up to what the journal holds. */
async function catchUp(extractor: Extractor, history: History, lastSeq: Seq, tell: DaemonOptions['onProgress']): Promise<void> {
  const first = history.watermark();
  const say = () => tell?.({ done: history.watermark() - first, total: lastSeq - first });
  if (lastSeq > first) say();
  const timer = setInterval(say, PROGRESS_MS);
  try {
    await extractor.caughtUp(lastSeq);
  } finally {
    clearInterval(timer);
  }
}

/** How to run a tree. */
export interface DaemonOptions {
  version: string;
  /** Bytes of the journal not yet in history above which writers wait. */
  backlogHardBytes?: number;
  /** What the mount is for: the name of its point. */
  purpose?: string;
  /** Free words, kept with its points. */
  tags?: readonly string[];
  /** How to speak with the kernel; 'auto' when not given. */
  transport?: Transport;
  /** Told, again and again, how far history is with what a crash left in the journal. */
  onProgress?(progress: StartProgress): void;
  /** Told of every failure that nobody who asked would be told of; without an error, that one is over. */
  onFailure?(what: string, error?: unknown): void;
}

/** No program has changed the tree for so long: there is time to pack. */
const QUIET_MS = 20_000;

/** Steps back, newest first. */
type Undo = (() => Promise<void> | void)[];

/** A running daemon. */
export class Daemon implements LiveTree, Session {
  readonly mountedSince = new Date();
  readonly live = this;
  private readonly walk: Walk;
  private readonly undo: Undo = [];
  private view: MountedView | null = null;
  private stopping: Promise<Seq> | null = null;
  /** The walk is not waited for any more. */
  private leaving = false;
  private failure: Error | null = null;
  private readonly alarmListeners = new Set<(alarm: AlarmRow) => void>();
  private states: States = { pointMade: () => undefined, end: async () => undefined };
  recoverer!: Recoverer;
  readonly packing: Packing;
  private checker!: Checker;
  private scrubbing!: Scrub;
  readonly keeper: Keeper;
  /** Fires when the tree is unmounted. */
  private readonly ending = new AbortController();
  private resolveEnded!: (reason: string) => void;
  /** Resolves with the reason once everything is closed. */
  readonly ended = new Promise<string>((resolve) => { this.resolveEnded = resolve; });

  private constructor(
    private readonly plan: MountPlan,
    private readonly options: DaemonOptions,
    readonly history: History,
    readonly journal: Journal,
    readonly engine: Engine,
    private readonly extractor: Extractor,
    readonly policy: PolicySource,
    readonly jobs: JobTable,
    readonly scrub: ScrubBook,
    readonly blocks: Blocks,
    readonly opened: JournalState,
  ) {
    const cold = new ColdTier(history, () => policy.policy.cold);
    policy.follow(() => void cold.adopt(true).catch((error: unknown) => options.onFailure?.('Cold content could not be looked for', error as Error)));
    this.packing = new Packing(history, cold);
    this.walk = new Walk({
      engine, journal, mountpoint: plan.mountpoint, settle: () => this.settle(), isStopping: () => this.leaving, fail: (what, error) => this.fail(what, error),
    });
    // While a walk goes on, what came since the mount may still get what was there before.
    // It makes room also where there is none to record in.
    this.keeper = keeperOf({ store: plan.store, policy, settle: () => this.caughtUp() }, history, () => (this.provisionalFrom === Infinity ? history.watermark() : this.provisionalFrom - 1));
    extractor.onError((error) => this.fail('The extractor stopped', error));
    extractor.onDamage((error) => options.onFailure?.('History holds damaged content, and goes on without it', error));
    extractor.onStall((error) => (error === null ? options.onFailure?.('History goes on') : options.onFailure?.('History waits for the disk of the store', error)));
  }

  get version() { return this.options.version; }
  get store() { return this.plan.store; }
  get mountpoint() { return this.plan.mountpoint; }
  get mountSeq() { return this.walk.mountSeq; }
  get provisionalFrom() { return this.walk.provisionalFrom; }
  get snapshots() { return this.store.description.snapshots; }

  /** Mounts; resolves when the tree answers. @throws ERR_STORE_LOCKED, ERR_MOUNT_FAILED and those of journal and history */
  static async start(plan: MountPlan, options: DaemonOptions): Promise<Daemon> {
    const undo: Undo = [];
    try {
      return await Daemon.build(plan, options, undo);
    } catch (error) {
      for (const step of undo.reverse()) await Promise.resolve(step()).catch(() => null);
      throw mountError(error, plan);
    }
  }

  private static async build(plan: MountPlan, options: DaemonOptions, undo: Undo): Promise<Daemon> {
    const { store } = plan;
    const { layout } = store;
    const storeId = Buffer.from(store.description.id, 'hex');
    const lock = await lockStore(store);
    undo.push(() => lock.release());
    // What an earlier daemon served is dead.
    await unmountForks(store, true);
    await expectOwnLogs(layout.history, storeId);
    const history = await History.open(layout.history, { storeId });
    undo.push(() => history.close());
    const journal = new native.Journal({
      directory: layout.journal, storeId, nextSeq: history.watermark() + 1,
      ...options.backlogHardBytes !== undefined && { backlogHardBytes: options.backlogHardBytes },
    });
    undo.push(() => journal.close());
    const opened = await journal.open();
    const extractor = new Extractor(journal, history);
    extractor.start();
    undo.push(() => extractor.stop());
    await catchUp(extractor, history, opened.lastSeq, options.onProgress);
    const unfinished = history.baselineSince();
    const pointsBefore = await history.points();
    const boot = await bootId();
    const nested = viewIsNested();
    if (!nested) await mkdir(layout.view, { recursive: true, mode: 0o700 });
    const note = await GapNote.load(layout.gap);
    const engine = new native.Engine({
      journal, backing: plan.tree, mountpoint: plan.mountpoint, fsname: layout.root, snapshotsName: store.description.snapshots,
      snapshotsLink: nested ? undefined : layout.view, transport: options.transport, purpose: options.purpose, tags: options.tags,
      clean: lastSessionEndedClean(pointsBefore), bootId: boot, version: options.version, unrecorded: note.text, ...unfinished && { baselineSinceNs: unfinished.timeNs },
    });
    const lost = new LostFiles(history, history.watermark(), await doubtfulSince(layout.onDisk, boot), BigInt(Date.now()) * 1_000_000n, (...args) => engine.readBacking(...args));
    const before = history.liveEntries(lost.isLost);
    const policy = new PolicySource(layout.policy, layout.goodPolicy, [layout.root, plan.tree, plan.mountpoint]);
    await policy.load();
    policy.follow(({ rules, interval }) => engine.setPolicy(compileRules(rules), Math.ceil(interval)));
    const jobs = await JobTable.load(layout.recoveries);
    const scrub = await ScrubBook.load(layout.scrub);
    const { blocks, gone } = await Blocks.load({ file: layout.blocked, boot, processes: PROC, block: (families) => engine.block(families) });
    for (const { pid, command } of gone) options.onFailure?.('A block is gone', new Error(`${command} [${pid}] has ended`));
    const daemon = new Daemon(plan, options, history, journal, engine, extractor, policy, jobs, scrub, blocks, opened);
    policy.onRefused((error) => options.onFailure?.('The policy file was refused', error));
    engine.onGone(() => void daemon.stop({ lazy: true, reason: 'gone' }).catch(() => null));
    const { mountSeq } = await engine.start();
    undo.push(() => engine.stop({ lazy: true, reason: 'start failed' }));
    daemon.walk.begin({ mountSeq, from: unfinished?.seq ?? mountSeq });
    policy.follow(({ onFull }) => journal.workFirst(onFull === 'work'));
    await noteEnd(pointsBefore, boot, { journal, history, mountSeq });
    await noteCut(opened, journal, options.onFailure);
    await nameLateWriters(plan);
    await noteUsers(plan.users, journal);
    daemon.lookAfterFiles();
    await daemon.mountViews();
    undo.push(() => daemon.view?.unmount(true));
    const control = await serveControl(daemon, layout.socket);
    undo.push(() => policy.unwatch());
    policy.watch();
    daemon.states = recordStates(daemon, extractor, (alarm) => { for (const listener of daemon.alarmListeners) listener(alarm); }, (error) => options.onFailure?.('A point could not be made', error));
    const onDisk = new OnDisk(layout.onDisk, boot, engine, journal, (what, error) => options.onFailure?.(what, error));
    daemon.walked().then(() => onDisk.start(), () => undefined);
    const endBounds = keepInBounds(daemon.keeper, (error) => options.onFailure?.('History could not be kept within its bounds', error));
    daemon.undo.push(() => policy.unwatch(), () => lock.release(), () => history.close(), () => journal.close(), () => control.close(), () => onDisk.end(), endBounds);
    daemon.walk.start(before, () => noteLost(lost, history, journal, options.onFailure));
    daemon.undo.push(watchStore(journal, (what, error) => options.onFailure?.(what, error)));
    const resumption = new Resumption({ history, journal, engine, extractor, note, walk: daemon.walk, report: (what, error) => options.onFailure?.(what, error) });
    resumption.start();
    daemon.undo.push(() => resumption.stop());
    daemon.workInTheBackground();
    return daemon;
  }

  /** Once history holds the whole tree: packs whenever no program has changed anything for a while, and reads what there is. */
  private workInTheBackground(): void {
    let last = { seq: 0, atMs: 0 };
    const isQuiet = (): boolean => {
      const { lastSeq } = this.journal.stats();
      if (lastSeq !== last.seq) last = { seq: lastSeq, atMs: performance.now() };
      return this.provisionalFrom === Infinity && this.history.watermark() === lastSeq && performance.now() - last.atMs >= QUIET_MS;
    };
    const report = (what: string, error: unknown): void => this.options.onFailure?.(what, error);
    this.packing.start(isQuiet, (error) => report('Packing stopped', error));
    const { history, journal, policy } = this;
    this.scrubbing = new Scrub({ history, journal, rules: () => policy.policy.scrub, isFree: () => this.provisionalFrom === Infinity && this.failed() === null, isQuiet, report }, this.scrub);
    this.scrubbing.start();
  }

  private lookAfterFiles(): void {
    const { history, engine, policy, mountpoint } = this;
    const ward: Ward = {
      history, engine, policy, mountpoint, settle: () => this.settle(),
      // After a walk that failed, what history holds of a file says whether it is enough.
      walked: () => this.walked().catch(() => undefined),
      addPoint: async (note, phase) => { await addMark(this, this, { kind: 'recover', note, phase }); },
      report: (what, error) => this.options.onFailure?.(what, error),
    };
    this.recoverer = new Recoverer(ward, this.jobs);
    this.checker = new Checker(ward, this.recoverer);
    this.recoverer.start();
    this.checker.start();
  }

  private async mountViews(): Promise<void> {
    const place = viewIsNested() ? `${this.mountpoint}/${this.snapshots}` : this.store.layout.view;
    this.view = await mountView({
      history: this.history, mountpoint: place, settle: async () => { await this.settle(); }, fsname: this.store.layout.root,
      provisional: (seq) => seq >= this.provisionalFrom, whole: () => this.walk.soon(), group: (name) => this.policy.policy.groups.find((group) => group.name === name) ?? null,
      onError: (error) => this.options.onFailure?.('A view could not answer', error),
    });
  }

  /** What goes on without its caller: remembered for `status`, and reported. */
  fail(what: string, error: unknown): void {
    this.failure ??= error instanceof Error ? error : new Error(String(error));
    this.options.onFailure?.(what, error);
  }

  walked(): Promise<void> {
    return this.walk.done();
  }

  failed(): Error | null {
    const stats = this.journal.stats();
    return gapFailure(stats) ?? journalFailure(stats) ?? this.failure ?? this.extractor.stalled() ?? refusal(stats);
  }

  async settle(): Promise<Seq> {
    const gap = gapFailure(this.journal.stats());
    if (gap !== null) throw new RewindError('ERR_HISTORY_BEHIND', `What is now is not in history: ${gap.message}`, gap.hint, { cause: gap });
    return this.caughtUp();
  }

  /** Waits until everything that was recorded before the call is in history, also while what is changed is not recorded. */
  private async caughtUp(): Promise<Seq> {
    const { lastSeq } = this.journal.stats();
    try {
      await this.extractor.caughtUp(lastSeq);
    } catch (cause) {
      throw new RewindError('ERR_HISTORY_BEHIND', `History stopped at #${this.history.watermark()}, changes go on to #${lastSeq}: ${(cause as Error).message}`,
        `Nothing is lost: what is not in history is in the journal. ${this.extractor.stalled() ? 'Make room on the disk of the store, or mend it: history goes on by itself.' : 'See daemon.log; unmount and mount again.'}`, { cause });
    }
    return this.history.watermark();
  }

  onAlarm(listener: (alarm: AlarmRow) => void): () => void {
    this.alarmListeners.add(listener);
    return () => { this.alarmListeners.delete(listener); };
  }

  pointMade(seq: Seq): void {
    this.states.pointMade(seq);
  }

  grown(seq: Seq, signal: AbortSignal): Promise<void> {
    if (this.history.watermark() > seq || signal.aborted || this.ending.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const signals = [signal, this.ending.signal];
      const done = () => {
        ignore();
        for (const each of signals) each.removeEventListener('abort', done);
        resolve();
      };
      const ignore = this.extractor.onChanges(done);
      for (const each of signals) each.addEventListener('abort', done);
    });
  }

  /** A second call joins the first; after ERR_BUSY it may be tried again. */
  stop(options: { lazy: boolean; reason: string }): Promise<Seq> {
    this.stopping ??= this.shutDown(options).catch((error: unknown) => {
      this.stopping = null;
      this.leaving = false;
      throw error;
    });
    return this.stopping;
  }

  private async shutDown({ lazy, reason }: { lazy: boolean; reason: string }): Promise<Seq> {
    await unmountForks(this.store, lazy);
    if (!lazy) await this.walk.soonEnded();
    this.leaving = true;
    await Promise.all([this.checker.stop(), this.recoverer.stop()]);
    try {
      await this.view?.unmount(lazy);
      this.view = null;
      await this.engine.stop({ lazy, reason: this.options.purpose === undefined ? reason : `${reason}: ${this.options.purpose}` });
    } catch (error) {
      if (!isBusy(error) && lazy) this.fail('Unmounting failed', error);
      else await this.stillMounted(error);
    }
    await Promise.all([this.states.end(), this.packing.stop(), this.keeper.stop(), this.scrubbing.stop()]);
    // From here on there is no way back: the tree is unmounted, and what remains must end whatever fails.
    this.ending.abort();
    await this.extractor.stop().catch(() => null);
    await this.journal.sync().catch((error: unknown) => this.fail('The journal could not be synced', error));
    setImmediate(() => void this.close(reason));
    return this.history.watermark();
  }

  private async stillMounted(error: unknown): Promise<never> {
    if (!this.view) await this.mountViews();
    this.recoverer.start();
    this.checker.start();
    if (!isBusy(error)) throw error;
    throw new RewindError('ERR_BUSY', `${this.mountpoint} is in use`, await busyHint(this.mountpoint), { cause: error });
  }

  /** Later than the answer to whoever asked for the stop. */
  private async close(reason: string): Promise<void> {
    for (const step of this.undo.reverse()) await Promise.resolve(step()).catch(() => null);
    this.resolveEnded(reason);
  }
}

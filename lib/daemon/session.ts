/** What methods work on: a history, and the live tree when it is mounted. */
import type { HistoryReader } from '../history/reader.js';
import type { Seq } from '../history/types.js';
import type { Engine, Journal, JournalState } from '../native.js';
import type { Packing } from '../pack/packing.js';
import type { PolicySource } from '../policy/source.js';
import type { Blocks } from '../states/blocks.js';
import type { Store } from '../store/store.js';
import type { Keeper } from '../retention/keeper.js';
import type { JobTable } from './jobs.js';
import type { ScrubBook } from './scrubbook.js';
import type { Recoverer } from './recovery.js';
import type { AlarmRow } from './protocol.js';

/** A mounted tree. */
export interface LiveTree {
  journal: Journal;
  engine: Engine;
  mountpoint: string;
  /** Name of the views' directory in the root. */
  snapshots: string;
  version: string;
  mountedSince: Date;
  /** Why history stands still, or no change is taken; null when all is well. */
  failed(): Error | null;
  /** What the journal held when this mount began. */
  readonly opened: JournalState;
  /** Unmounts; resolves once all is in history. @throws ERR_BUSY, still mounted */
  stop(options: { lazy: boolean; reason: string }): Promise<Seq>;
  /** seq of this mount. */
  mountSeq: Seq;
  /** States from this seq on may still grow: since this mount, or since the first when no walk was complete before. */
  provisionalFrom: Seq;
  /**
   * Resolves once the background walk is complete and in history: before, states that are provisional may lack what lay
   * there untouched. @throws ERR_BASELINE_FAILED
   */
  walked(): Promise<void>;
  recoverer: Recoverer;
  /** Who may change nothing. */
  readonly blocks: Blocks;
  /** Told of every wire that is tripped. Answers how to end it. */
  onAlarm(listener: (alarm: AlarmRow) => void): () => void;
  /** Told of every point that somebody asked for: intervals begin anew. */
  pointMade(seq: Seq): void;
  /** Resolves when history has grown beyond `seq` (or the signal fires). */
  grown(seq: Seq, signal: AbortSignal): Promise<void>;
}

/** Changes that were recorded and that history cannot take in: up to where it is shown, and the last one. */
export interface Unread { shown: Seq; last: Seq }

/** Who asks: a process, and its user. A process of another pid namespace has the number 0. */
export interface Caller { pid: number; uid: number }

/** A tree that can be asked. */
export interface Session {
  readonly store: Store;
  readonly history: HistoryReader;
  /** What was recorded, and is not all in history yet. */
  readonly journal: Pick<Journal, 'read' | 'stats'>;
  /** What is captured how. */
  readonly policy: PolicySource;
  /** Files that were put back, or could not be. */
  readonly jobs: JobTable;
  /** Makes history small. */
  readonly packing: Packing;
  /** Keeps history within its bounds. */
  readonly keeper: Keeper;
  /** Where the scrub is, and what it has found. */
  readonly scrub: ScrubBook;
  /** null when the tree is not mounted. */
  readonly live: LiveTree | null;
  /** What only the journal has, of a store that cannot be written. */
  readonly unread?: Unread | null;
  /**
   * Waits until everything that was acknowledged before the call is in history; resolves to the last seq of it.
   * @throws ERR_HISTORY_BEHIND when the extractor has stopped
   */
  settle(): Promise<Seq>;
}

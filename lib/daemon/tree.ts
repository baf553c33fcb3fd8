/**
 * A tree as a program asks it: found from a path or a store, answered by its daemon when it is mounted and by the
 * store itself when it is not. Paths are relative to the root of the tree ('' is the root); times are written as on the
 * command line.
 */
import { findTree, placeInTree, type FoundTree, type TreeQuery } from '../store/find.js';
import { connect, type Client } from './client.js';
import type { AlarmRow, BlockRow, DiffRow, GapRow, InstantRow, ListRow, LogRow, MethodName, Methods, PointRow, RecoveryRow, StatusRow, TransactionRow, WorkRow } from './protocol.js';

export type { AlarmRow, BlockRow, DiffRow, GapRow, InstantRow, ListRow, LogRow, PointRow, StatusRow, WorkRow };

/** Limits of a listing. */
export interface LogOptions {
  since?: string;
  until?: string;
  /** The newest so many. */
  limit?: number;
  /** Every single record in place of saves. */
  allWrites?: boolean;
}

/** An open tree. Close it: a store that is not mounted is locked until then. */
export class Tree {
  /** IANA zone in which times without an offset are read. */
  timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

  constructor(readonly found: FoundTree, private readonly client: Client) {}

  /** A path of the file system as its place in the tree. @throws ERR_USAGE when it lies elsewhere */
  place(path: string): Promise<string> {
    return placeInTree(this.found, path);
  }

  /** How tree, daemon and history are. */
  status(): Promise<StatusRow> {
    return this.one('status', {});
  }

  /** @throws ERR_TIME_SYNTAX, ERR_TIME_RANGE, ERR_POINT_UNKNOWN */
  resolve(time: string): Promise<InstantRow> {
    return this.one('resolve', { time, time_zone: this.timeZone });
  }

  /** Saves of a file, or of all that lies under a directory, the newest first; deleted paths too. @throws ERR_NEVER_EXISTED */
  log(path: string, { allWrites, ...options }: LogOptions = {}): AsyncGenerator<LogRow> {
    return this.client.call('log', { path, ...options, all_writes: allWrites, time_zone: this.timeZone });
  }

  /** Entries of a directory at a time. @throws ERR_NOT_THEN, ERR_NEVER_EXISTED */
  async *list(path: string, at = 'now'): AsyncGenerator<ListRow> {
    for await (const item of this.client.call('ls', { path, at, time_zone: this.timeZone })) if ('path' in item) yield item;
  }

  /** Content of a file at a time, piece by piece. @throws ERR_NOT_THEN, ERR_NEVER_EXISTED */
  read(path: string, at = 'now'): AsyncGenerator<Buffer> {
    return this.client.call('cat', { path, at, time_zone: this.timeZone });
  }

  /** The same at once. */
  async readFile(path: string, at = 'now'): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.read(path, at)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** What differs between two times. */
  async *diff(path: string, from: string, to = 'now', patch = false): AsyncGenerator<DiffRow> {
    for await (const item of this.client.call('diff', { path, from, to, patch, time_zone: this.timeZone })) if ('status' in item) yield item;
  }

  /** What a rollback of these paths (of everything when there are none) would do. Changes nothing. */
  planRollback(to: string, paths: string[] = []): AsyncGenerator<WorkRow> {
    return this.client.call('rollback', { paths, to, dry_run: true, time_zone: this.timeZone });
  }

  /**
   * Does it, and says how far it is. `force`: also where a program has a file open for writing.
   * @throws ERR_NOT_MOUNTED, ERR_NEWER_CHANGES, ERR_PARTLY_DONE
   */
  rollback(to: string, paths: string[] = [], force = false): AsyncGenerator<WorkRow> {
    return this.client.call('rollback', { paths, to, force, time_zone: this.timeZone });
  }

  /** Goes on with the operation that was interrupted. `force`: also over what others changed since. @throws ERR_NOT_INTERRUPTED, ERR_NEWER_CHANGES, ERR_PARTLY_DONE */
  resume(force = false): AsyncGenerator<WorkRow> {
    return this.client.call('resume', { force });
  }

  /** Copies what was at a path into a directory elsewhere. @throws ERR_EXISTS, ERR_NOT_THEN */
  restore(path: string, at: string, into: string, force = false): AsyncGenerator<WorkRow> {
    return this.client.call('restore', { path, at, into, force, time_zone: this.timeZone });
  }

  /** The instants that have a name or a reason. */
  points(): AsyncGenerator<PointRow> {
    return this.client.call('points', {});
  }

  /** Names this instant. @throws ERR_NOT_MOUNTED, ERR_POINT_NAME */
  mark(name: string, note?: string): Promise<PointRow> {
    return this.one('mark', { name, note });
  }

  /** These files are consistent now: a point for them, which is on stable storage when this resolves. @throws ERR_NOT_MOUNTED, ERR_NOT_THEN */
  notify(paths: string[], options: { name?: string; note?: string } = {}): Promise<PointRow> {
    return this.one('notify', { paths, ...options });
  }

  /** Puts a file back (docs/api.md says to what). @throws ERR_REFUSED, ERR_NOT_RECOVERED */
  recover(path: string, to?: string): Promise<RecoveryRow> {
    return this.one('recover', { path, to, time_zone: this.timeZone });
  }

  /** A transaction over several files begins; `family`: only what this process and all that it started does is a cancel's business. */
  begin(paths: string[], options: { family?: number | 'caller'; note?: string } = {}): Promise<TransactionRow> {
    return this.one('begin', { paths, ...options });
  }

  /** It ends, and what it changed stays. @throws ERR_TRANSACTION_UNKNOWN */
  commit(id: string): Promise<TransactionRow> {
    return this.one('commit', { id });
  }

  /**
   * It ends, and its files are as they were when it began. `force`: also those that another program has open for writing.
   * @throws ERR_TRANSACTION_UNKNOWN, ERR_NEWER_CHANGES, ERR_CONFLICTS, ERR_PARTLY_DONE
   */
  cancel(id: string, options: { force?: boolean } = {}): AsyncGenerator<WorkRow> {
    return this.client.call('cancel', { id, ...options });
  }

  /** Does the work within a transaction: committed when it succeeds, cancelled when it throws (and then this does, too). */
  async transaction<T>(paths: string[], work: (transaction: TransactionRow) => Promise<T>, options: { family?: number | 'caller'; note?: string } = {}): Promise<T> {
    const transaction = await this.begin(paths, options);
    let result: T;
    try {
      result = await work(transaction);
    } catch (error) {
      for await (const row of this.cancel(transaction.id, { force: true })) void row;
      throw error;
    }
    await this.commit(transaction.id);
    return result;
  }

  /** Any method of docs/api.md. */
  call<M extends MethodName>(method: M, args: Methods[M]['args'], signal?: AbortSignal): AsyncGenerator<Methods[M]['item']> {
    return this.client.call(method, args, signal);
  }

  /** Changes as they happen, and alarms, until the signal fires or the tree is unmounted. @throws ERR_NOT_MOUNTED */
  async *watch(signal?: AbortSignal): AsyncGenerator<LogRow | AlarmRow> {
    for await (const row of this.client.call('watch', {}, signal)) if ('marker' in row || ('type' in row && row.type === 'alarm')) yield row;
  }

  /** Lets a writer that a trip wire has blocked change the tree again; without a pid all of them. @throws ERR_WRITER_UNKNOWN */
  release(pid?: number): AsyncGenerator<BlockRow> {
    return this.client.call('release', { pid });
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private async one<M extends MethodName>(method: M, args: Methods[M]['args']): Promise<Methods[M]['item']> {
    let last!: Methods[M]['item'];
    for await (const item of this.client.call(method, args)) last = item;
    return last;
  }
}

/** Finds a tree (from a path in it, or a store) and opens it. @throws ERR_NO_STORE, ERR_STORE_LOCKED */
export async function openTree(query: TreeQuery): Promise<Tree> {
  const found = await findTree(query);
  return new Tree(found, await connect(found.store));
}

/**
 * Puts damaged files back. Guarantees: a read that fails is answered from history, or fails, within its rule's timeout; each
 * file is recovered by one job at a time, which tries no oftener than its rule says and no longer each time; everything it
 * writes goes through the mount (I7), and what it replaces was recorded before; what fails for good is told, never dropped.
 */
import { randomBytes } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { getSystemErrorName } from 'node:util';
import { RewindError } from '../errors.js';
import type { History } from '../history/history.js';
import type { Name, PointPhase, Seq } from '../history/types.js';
import { native, type Engine, type TreeOp, type Trouble } from '../native.js';
import { parsePath, pathBytes, safeForTerminal, showPath } from '../paths.js';
import { damageOf, fileAt, isUnharmed, keepDifferent, putBackOps, replaceOps, type Damage, type FileThen } from '../recovery/damage.js';
import type { Recovery } from '../policy/recovery.js';
import type { PolicySource } from '../policy/source.js';
import type { Job, JobTable } from './jobs.js';

/** The tree that is looked after. */
export interface Ward {
  history: History;
  engine: Engine;
  policy: PolicySource;
  mountpoint: string;
  settle(): Promise<Seq>;
  /** Resolves once the whole tree is in history. */
  walked(): Promise<void>;
  addPoint(note: string, phase: PointPhase): Promise<void>;
  /** Tells loudly. */
  report(what: string, error: unknown): void;
}

/** What somebody wants of a file. */
export interface Order {
  path: Name[];
  cause: Job['cause'];
  by: Job['writer'];
  /** Goes to another version before the file is compared with history; answers the seq of that, null for the newest. */
  goBack?: () => Promise<Seq | null>;
  /** That is a version of its own: no other's job brings it. */
  own?: boolean;
}

/** A file that could not be recovered is not tried again for so long, however often it is read. */
const REST_MS = 60_000;
/** How long a stop waits for tries that are under way. */
const STOP_MS = 10_000;
/** Between two tries, longer each time. */
const PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;
/** A read that nobody can answer for is told so before the engine gives up itself. */
const SPARE_MS = 1000;

/** Which file, and why: no other try can succeed. */
export class Hopeless extends Error {}

export class Recoverer {
  private readonly inHand = new Map<string, Promise<Job>>();
  /** Attempts that write a file, by its path; one may go on when its job was given up. */
  private readonly writing = new Map<string, Promise<unknown>>();
  private stopping = new AbortController();

  constructor(private readonly ward: Ward, readonly jobs: JobTable) {
    this.stopping.abort();
    ward.engine.onTrouble((troubles) => { for (const trouble of troubles) void this.trouble(trouble); });
    ward.policy.follow(() => this.setPatience());
  }

  /** From now on failing reads are answered. What a daemon left unfinished is gone on with. */
  start(): void {
    this.stopping = new AbortController();
    this.setPatience();
    for (const job of this.jobs.running()) void this.goOn(job);
  }

  /** Resolves once no try is under way; what is not finished goes on with the next start. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.ward.engine.setPatience(0);
    await Promise.race([Promise.allSettled([...this.inHand.values(), ...this.writing.values()]), new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())]);
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  private setPatience(): void {
    const patience = Math.max(0, ...this.ward.policy.recovery().automatic.map(({ timeoutMs }) => timeoutMs));
    if (!this.stopped) this.ward.engine.setPatience(patience === 0 ? 0 : patience + SPARE_MS);
  }

  /** Joins the job that is under way for this file, but who wants a version of his own waits for its end. Resolves when it has ended. */
  recover(order: Order): Promise<Job> {
    const key = showPath(order.path);
    const under = this.inHand.get(key);
    if (under && !order.own) return under;
    return this.hold(key, this.startAfter(under, key, order));
  }

  private async startAfter(under: Promise<Job> | undefined, key: string, order: Order): Promise<Job> {
    await under?.catch(() => undefined);
    const { retries } = this.ruleOf(order.path);
    const job = await this.jobs.begin({ path: safeForTerminal(key), cause: order.cause, writer: order.by, started: new Date().toISOString(), ended: null, tries_left: retries, result: 'running', to: null, note: '' });
    return this.run(job, order);
  }

  private hold(key: string, work: Promise<Job>): Promise<Job> {
    const held: Promise<Job> = work.finally(() => { if (this.inHand.get(key) === held) this.inHand.delete(key); });
    this.inHand.set(key, held);
    held.catch((error: unknown) => this.ward.report('The table of recoveries could not be written', error));
    return held;
  }

  private async goOn(job: Job): Promise<void> {
    const path = parsePath(job.path);
    if (job.cause === 'asked') await this.jobs.update(job, { result: 'dropped', ended: new Date().toISOString(), note: 'the daemon ended meanwhile' });
    else await this.hold(showPath(path), this.run(job, { path, cause: job.cause, by: job.writer }));
  }

  private ruleOf(path: Name[]): Recovery {
    return this.ward.policy.recovery().of(pathBytes(path));
  }

  private async trouble(trouble: Trouble): Promise<void> {
    const { engine } = this.ward;
    try {
      if (this.stopped || await isOurs(trouble.thread)) return engine.answerTrouble(trouble.id, null);
      const found = await this.pathOf(trouble.ino);
      if (!found || this.ruleOf(found.path).recover !== 'automatic') return engine.answerTrouble(trouble.id, null);
      const by = await processOf(trouble.thread); // before the answer: whoever waits for it is still there
      if (trouble.id !== 0) engine.answerTrouble(trouble.id, await this.bytesFor(trouble, found));
      const path = safeForTerminal(showPath(found.path));
      if (this.jobs.failed().some((job) => job.path === path && Date.now() - Date.parse(job.ended ?? job.started) < REST_MS)) return;
      await this.recover({ path: found.path, cause: trouble.what, by });
    } catch (error) {
      engine.answerTrouble(trouble.id, null);
      this.ward.report('A file that fails could not be looked after', error);
    }
  }

  private async pathOf(ino: number): Promise<{ node: number; path: Name[]; seq: Seq } | null> {
    const seq = await this.ward.settle();
    const node = await this.ward.history.nodeOfInode(ino);
    const path = node === null ? null : await this.ward.history.pathOf(node, seq);
    return path && { node: node!, path, seq };
  }

  /** What a program would have read; null when history cannot tell in time. */
  private async bytesFor({ offset, length }: Trouble, { node, path, seq }: { node: number; path: Name[]; seq: Seq }): Promise<Buffer | null> {
    const { history } = this.ward;
    const known = async (): Promise<Buffer | null> => {
      await this.ward.walked();
      return await history.isWhole(node) ? await history.read(node, offset, length, seq) : null;
    };
    return await within(this.ruleOf(path).timeoutMs, known()).catch(() => null);
  }

  /** Tries until the file is well, the tries are used up, or there is no hope. */
  private async run(job: Job, order: Order): Promise<Job> {
    const { ward } = this;
    let pause = PAUSE_MS;
    let last: unknown = null;
    let under: Promise<string> | null = null;
    await this.unlessStopped(ward.walked());
    while (job.tries_left > 0 && !this.stopped) {
      await this.jobs.update(job, { tries_left: job.tries_left - 1 });
      try {
        // One that did not end in its time is waited for again, never overtaken.
        under ??= this.alone(job, order, last).finally(() => { under = null; });
        const note = await within(this.ruleOf(order.path).timeoutMs, under);
        await this.end(job, 'recovered', note);
        return job;
      } catch (error) {
        last = error;
        await this.jobs.update(job, { note: messageOf(error) });
        if (error instanceof Hopeless) break;
        if (job.tries_left > 0) await this.pause(pause);
        pause = Math.min(pause * 2, MAX_PAUSE_MS);
      }
    }
    if (this.stopped && !(last instanceof Hopeless) && job.tries_left > 0) return job;
    await this.end(job, 'failed', messageOf(last));
    ward.report(`${job.path} could not be recovered (${job.cause})`, last);
    return job;
  }

  private async end(job: Job, result: 'recovered' | 'failed', note: string): Promise<void> {
    await this.jobs.update(job, { result, note, ended: new Date().toISOString() });
    // Who watches the tree is woken by the point.
    await this.ward.addPoint(`${result === 'failed' ? 'FAILED: ' : ''}${job.path}: ${note}`, 'after').catch((error: unknown) => this.ward.report('A point could not be made', error));
  }

  private pause(ms: number): Promise<void> {
    return this.unlessStopped(new Promise((resolve) => { setTimeout(resolve, ms).unref(); }));
  }

  private unlessStopped(waited: Promise<void>): Promise<void> {
    return orAborted(waited, this.stopping.signal);
  }

  /** One try, when no other writes the file any more: of a job that was given up the last one may still be under way. */
  private alone(job: Job, order: Order, failure: unknown): Promise<string> {
    const key = showPath(order.path);
    const before = this.writing.get(key);
    const attempt = (async () => {
      await before?.catch(() => undefined);
      if (job.result !== 'running') throw new Hopeless(`${job.path} was given up`);
      return await this.attempt(job, order, failure);
    })();
    const noted = attempt.finally(() => { if (this.writing.get(key) === noted) this.writing.delete(key); });
    noted.catch(() => undefined);
    this.writing.set(key, noted);
    return attempt;
  }

  /** One try. Resolves to what was done, in words. */
  private async attempt(job: Job, order: Order, failure: unknown): Promise<string> {
    const { ward } = this;
    if (order.goBack && job.to === null) await this.jobs.update(job, { to: await order.goBack() });
    await this.fileNow(order.path);
    const damage = await this.damage(order.path);
    if (damage === null) throw new RewindError('ERR_BUSY', `${job.path} is being written`, 'It is tried again.');
    if (isUnharmed(damage)) return job.to === null ? 'it is as it was written last' : `put back to #${job.to}`;
    const file = await this.fileNow(order.path);
    await this.jobs.update(job, { to: job.to ?? file.seq });
    const tree = await native.openTree(ward.mountpoint);
    try {
      const apply = async (batches: AsyncIterable<TreeOp[]>): Promise<void> => {
        for await (const ops of batches) expectDone(ops, await tree.apply(ops), job.path);
      };
      await apply(keepDifferent(file, damage, (...args) => ward.engine.readBacking(...args)));
      await ward.addPoint(`${job.path}: ${wordsFor(damage)}`, 'before');
      const replace = failure instanceof WriteFailed && file.attr.nlink === 1;
      const aside = `.rewind-${randomBytes(6).toString('hex')}`;
      if (replace) await apply(replaceOps(ward.history, file, aside)).catch(async (error: unknown) => {
        await tree.apply([{ op: 'unlink', path: pathBytes([...file.path.slice(0, -1), aside]) }]);
        throw error;
      });
      else await apply(putBackOps(ward.history, file, damage));
    } finally {
      tree.close();
    }
    const left = await this.damage(order.path);
    if (left !== null && !isUnharmed(left)) throw new RewindError('ERR_IO', `${job.path} still differs from what was put back: ${wordsFor(left)}`, 'Look at the disk below the tree.');
    return `put back: ${wordsFor(damage)}`;
  }

  private damage(path: Name[]): Promise<Damage | null> {
    const { ward } = this;
    return damageOf(ward.history, path, (...args) => ward.engine.readBacking(...args), () => ward.settle());
  }

  private async fileNow(path: Name[]): Promise<FileThen> {
    const file = await fileAt(this.ward.history, path, await this.ward.settle());
    if (!file || !await this.ward.history.isWhole(file.node)) throw new Hopeless(`${safeForTerminal(showPath(path))} is no file whose whole content is in history`);
    return file;
  }
}

/** A step through the mount that the backing file refused. */
class WriteFailed extends Error {}

function expectDone(ops: readonly TreeOp[], errnos: readonly number[], path: string): void {
  const at = errnos.findIndex((errno) => errno !== 0);
  if (at >= 0) throw new WriteFailed(`${path} cannot be written (${ops[at]!.op}: ${getSystemErrorName(-errnos[at]!)})`);
}

const bytesIn = (ranges: readonly { length: number }[]): number => ranges.reduce((sum, { length }) => sum + length, 0);

function wordsFor({ unreadable, different, size }: Damage): string {
  return [
    ...unreadable.length > 0 ? [`${bytesIn(unreadable)} bytes cannot be read`] : [], ...different.length > 0 ? [`${bytesIn(different)} bytes are not what was written`] : [],
    ...size !== null ? [`it has ${size} bytes`] : [],
  ].join(', ');
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** @throws ERR_IO when it takes longer */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer!: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new RewindError('ERR_IO', `it did not end within ${ms / 1000} s`, 'The disk below the tree may hang.')), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves with what is waited for, or as soon as the signal fires. */
export async function orAborted(waited: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let stop!: () => void;
  const aborted = new Promise<void>((resolve) => { stop = resolve; });
  signal.addEventListener('abort', stop);
  await Promise.race([waited, aborted]).finally(() => signal.removeEventListener('abort', stop));
}

/** Resolves after so long, or as soon as the signal fires; keeps no process alive. */
export function restFor(ms: number, signal: AbortSignal): Promise<void> {
  return orAborted(new Promise((resolve) => { setTimeout(resolve, ms).unref(); }), signal);
}

/** Is it a thread of this process? */
async function isOurs(thread: number): Promise<boolean> {
  return thread !== 0 && await readFile(`/proc/self/task/${thread}/comm`).then(() => true, () => false);
}

/** The process of a thread; null when it has ended. */
async function processOf(thread: number): Promise<Job['writer']> {
  const status = thread === 0 ? '' : await readFile(`/proc/${thread}/status`, 'latin1').catch(() => '');
  const pid = Number(/^Tgid:\s*(\d+)/m.exec(status)?.[1] ?? 0);
  return pid === 0 ? null : { pid, exe: safeForTerminal(await readlink(`/proc/${pid}/exe`).catch(() => '')) };
}

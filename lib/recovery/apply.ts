/**
 * Does what a plan says. Guarantees: steps are done in the plan's order; memory stays bounded whatever the files' sizes;
 * a step that fails does not stop the others (unless none can succeed any more), but nothing takes the place of an
 * existing file before it is complete itself; every failure is named in the end.
 */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { TreeOp, TreeWriter } from '../native.js';
import { safeForTerminal, showName } from '../paths.js';
import { askAhead } from './parallel.js';
import { sumOf } from './plan/objects.js';
import type { ApplyFailure, ApplyProgress, Plan, PlanOp } from './types.js';

const { errno: ERRNO } = constants;
const BATCH_OPS = 512;
const BATCH_BYTES = 4 << 20;
const READ_BYTES = 1 << 20;
/** Content that is read ahead of its use. */
const AHEAD_BYTES = 8 << 20;
/** What a step weighs among what is read ahead, so that not too many small files are asked for together. */
const PIECE_COST = 32 << 10;
const HOLE_BYTES = 64 << 10;
const NAMED_FAILURES = 10;
/** After these no later step can succeed. */
const HOPELESS = new Set<number>([ERRNO.ENOSPC, ERRNO.EDQUOT, ERRNO.EIO, ERRNO.EROFS, ERRNO.ENOTCONN, ERRNO.ENODEV]);
/** What an object without the attribute, or a file system without such attributes, answers. */
const ABSENT = new Set<number>([ERRNO.ENODATA, ERRNO.EOPNOTSUPP]);

/** Was it given up: is more left undone than what failed? */
export const gaveUp = (failures: readonly ApplyFailure[]): boolean => failures.some(({ errno }) => HOPELESS.has(errno));

/** The steps to do: a plan, or part of one. */
export type Steps = Pick<Plan, 'ops' | 'to' | 'bytes'>;

/** How steps are done. */
export interface ApplyOptions {
  onProgress?: (progress: ApplyProgress) => void;
}

/**
 * Applies a plan to the tree (through the mount, so that it is recorded and can be undone: invariant I7).
 * @throws ERR_PARTLY_DONE naming what failed; its `cause` is the list of ApplyFailure.
 */
export async function applyPlan(plan: Steps, history: HistoryReader, tree: TreeWriter, options: ApplyOptions = {}): Promise<ApplyProgress> {
  const batch = new Batch(plan, tree, options);
  const read = (piece: Piece): Promise<Buffer | null> =>
    piece.length === 0 || piece.step.op !== 'content' ? Promise.resolve(null) : history.read(piece.step.node, piece.offset, piece.length, plan.to, piece.offset + piece.length);
  for await (const { item, answer } of askAhead(piecesOf(plan.ops), read, (piece) => piece.length + PIECE_COST, AHEAD_BYTES)) {
    if (batch.hopeless) break;
    await batch.add(item, answer);
  }
  await batch.finish();
  if (batch.failures.length > 0) throw partlyDone(batch);
  return batch.progress;
}

/** A step, or a stretch of content that is read and written at once. */
interface Piece {
  step: PlanOp;
  offset: number;
  length: number;
  /** The last one of its step. */
  last: boolean;
}

function* piecesOf(ops: readonly PlanOp[]): Generator<Piece> {
  for (const step of ops) {
    if (step.op !== 'content') {
      yield { step, offset: 0, length: 0, last: true };
      continue;
    }
    let left = sumOf(step.ranges);
    for (const { offset, length } of step.ranges) {
      for (let at = offset; at < offset + length; at += READ_BYTES) {
        const size = Math.min(READ_BYTES, offset + length - at);
        left -= size;
        yield { step, offset: at, length: size, last: left === 0 };
      }
    }
  }
}

interface Pending {
  step: PlanOp;
  op: TreeOp;
  last: boolean;
}

class Batch {
  readonly failures: ApplyFailure[] = [];
  readonly progress: ApplyProgress;
  hopeless = false;
  private readonly broken = new Set<string>();
  private pending: Pending[] = [];
  private pendingBytes = 0;
  private underWay: Promise<void> = Promise.resolve();

  constructor(plan: Steps, private readonly tree: TreeWriter, private readonly options: ApplyOptions) {
    this.progress = { doneOps: 0, totalOps: plan.ops.length, doneBytes: 0, totalBytes: plan.bytes };
  }

  async add({ step, offset, length, last }: Piece, data: Buffer | null): Promise<void> {
    if (step.op === 'rename') await this.settle(step.from);
    if (this.hopeless) return;
    if (this.broken.has(step.path) || (step.op === 'rename' && this.broken.has(step.from))) {
      if (last) this.progress.doneOps++;
      if (step.op === 'rename') this.fail(step, ERRNO.ECANCELED);
    } else if (step.op === 'content') {
      await this.write(step, offset, length, last, data ?? Buffer.alloc(0));
    } else {
      await this.push({ step, op: treeOp(step), last: true }, 0);
    }
  }

  async finish(): Promise<void> {
    if (!this.hopeless) this.flush();
    await this.underWay;
  }

  /** Before a file takes the name of another: everything that made it is done, and known to be. */
  private async settle(path: string): Promise<void> {
    if (this.making !== path) return;
    this.flush();
    await this.underWay;
  }
  /** The newest object that was made. */
  private making = '';

  /** Hands over what is waiting, while the next is being read. */
  private flush(): void {
    const pending = this.pending;
    this.pending = [];
    this.pendingBytes = 0;
    if (pending.length > 0) this.underWay = this.underWay.then(() => (this.hopeless ? undefined : this.apply(pending)));
  }

  private async apply(pending: Pending[]): Promise<void> {
    const results = await this.tree.apply(pending.map(({ op }) => op));
    for (const [i, { step, op, last }] of pending.entries()) {
      const errno = results[i] ?? 0;
      if (last) this.progress.doneOps++;
      if (op.op === 'write') this.progress.doneBytes += op.data.length;
      if (errno !== 0 && !(step.op === 'removexattr' && step.maybe === true && ABSENT.has(errno))) this.fail(step, errno);
    }
    this.options.onProgress?.({ ...this.progress });
  }

  private fail(step: PlanOp, errno: number): void {
    if (isMaking(step)) this.broken.add(step.path);
    const last = this.failures.at(-1);
    if (last?.op === step.op && last.path === step.path) return;
    this.failures.push({ op: step.op, path: step.path, errno });
    if (HOPELESS.has(errno)) this.hopeless = true;
  }

  private async push(pending: Pending, size: number): Promise<void> {
    this.pending.push(pending);
    this.pendingBytes += size;
    if (isMaking(pending.step)) this.making = pending.step.path;
    if (this.pending.length < BATCH_OPS && this.pendingBytes < BATCH_BYTES) return;
    const before = this.underWay;
    this.flush();
    await before;
  }

  private async write(step: Extract<PlanOp, { op: 'content' }>, offset: number, length: number, last: boolean, data: Buffer): Promise<void> {
    if (data.length !== length) {
      throw new RewindError('ERR_HISTORY_CORRUPT', `history has ${data.length} of ${length} bytes of ${show(step.path)} at ${offset}`, 'check the store');
    }
    const path = bytes(step.path);
    const parts = step.fresh ? dataParts(data) : [{ from: 0, to: length }];
    const toEnd = last && step.fresh && parts.at(-1)?.to !== length;
    for (const [i, { from, to }] of parts.entries()) {
      await this.push({ step, op: { op: 'write', path, offset: offset + from, data: data.subarray(from, to) }, last: last && !toEnd && i === parts.length - 1 }, to - from);
    }
    if (toEnd) await this.push({ step, op: { op: 'truncate', path, size: offset + length }, last: true }, 0);
  }
}

const isMaking = (step: PlanOp): boolean =>
  step.op === 'create' || step.op === 'content' || step.op === 'symlink' || step.op === 'mknod' || step.op === 'link' || step.op === 'truncate' || step.op === 'mkdir';

/** Parts of a new file's content that are not all zeroes. */
function dataParts(data: Buffer): { from: number; to: number }[] {
  const parts: { from: number; to: number }[] = [];
  for (let from = 0; from < data.length; from += HOLE_BYTES) {
    const to = Math.min(from + HOLE_BYTES, data.length);
    if (isZero(data.subarray(from, to))) continue;
    const last = parts.at(-1);
    if (last?.to === from) last.to = to;
    else parts.push({ from, to });
  }
  return parts;
}

const ZEROES = Buffer.alloc(HOLE_BYTES);
const isZero = (data: Buffer): boolean => data[0] === 0 && data.equals(ZEROES.subarray(0, data.length));
const bytes = (path: string): Buffer => Buffer.from(path, 'latin1');
const show = (path: string): string => (path === '' ? '.' : safeForTerminal(path.split('/').map(showName).join('/')));

function treeOp(step: Exclude<PlanOp, { op: 'content' }>): TreeOp {
  const path = bytes(step.path);
  switch (step.op) {
    case 'mkdir': case 'create': case 'chmod': return { op: step.op, path, mode: step.mode };
    case 'symlink': return { op: 'symlink', path, target: bytes(step.target) };
    case 'mknod': return { op: 'mknod', path, mode: step.mode, rdev: step.rdev };
    case 'link': case 'rename': return { op: step.op, path, from: bytes(step.from) };
    case 'unlink': case 'rmdir': return { op: step.op, path };
    case 'truncate': return { op: 'truncate', path, size: step.size };
    case 'punch': return { op: 'punch', path, offset: step.offset, length: step.length };
    case 'chown': return { op: 'chown', path, uid: step.uid, gid: step.gid };
    case 'times': return { op: 'times', path, atimeNs: step.atimeNs, mtimeNs: step.mtimeNs };
    case 'setxattr': return { op: 'setxattr', path, name: bytes(step.name), value: step.value };
    case 'removexattr': return { op: 'removexattr', path, name: bytes(step.name) };
  }
}

function partlyDone({ failures, progress, hopeless }: Batch): RewindError {
  const named = failures.slice(0, NAMED_FAILURES).map(({ op, path, errno }) => `${show(path)} (${op}: ${getSystemErrorName(-errno)})`);
  const more = failures.length > NAMED_FAILURES ? ` and ${failures.length - NAMED_FAILURES} more` : '';
  const stopped = hopeless ? `stopped after ${progress.doneOps} of ${progress.totalOps} steps` : `${failures.length} of ${progress.totalOps} steps failed`;
  const hint = failures.some(({ errno }) => errno === ERRNO.ENOSPC)
    ? 'make room and run it again: it goes on from where it stands'
    : 'remove the cause and run it again: what is already done stays';
  return new RewindError('ERR_PARTLY_DONE', `${stopped}: ${named.join(', ')}${more}`, hint, { cause: failures });
}

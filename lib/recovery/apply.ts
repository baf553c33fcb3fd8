/**
 * Does what a plan says. Guarantees: steps are done in the plan's order; memory stays bounded whatever the files' sizes;
 * a step that fails does not stop the others (unless none can succeed any more), but nothing takes the place of an
 * existing file before it is complete itself; every failure is named in the end.
 */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Seq } from '../history/types.js';
import type { TreeOp, TreeWriter } from '../native.js';
import { safeForTerminal, showName } from '../paths.js';
import { sumOf } from './plan/objects.js';
import type { ApplyFailure, ApplyProgress, Plan, PlanOp } from './types.js';

const { errno: ERRNO } = constants;
const BATCH_OPS = 512;
const BATCH_BYTES = 4 << 20;
const READ_BYTES = 1 << 20;
const HOLE_BYTES = 64 << 10;
const NAMED_FAILURES = 10;
/** After these no later step can succeed. */
const HOPELESS = new Set<number>([ERRNO.ENOSPC, ERRNO.EDQUOT, ERRNO.EIO, ERRNO.EROFS, ERRNO.ENOTCONN, ERRNO.ENODEV]);
/** What an object without the attribute, or a file system without such attributes, answers. */
const ABSENT = new Set<number>([ERRNO.ENODATA, ERRNO.EOPNOTSUPP]);

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
  const batch = new Batch(plan, history, tree, options);
  for (const op of plan.ops) {
    if (batch.hopeless) break;
    await batch.add(op);
  }
  if (!batch.hopeless) await batch.flush();
  if (batch.failures.length > 0) throw partlyDone(batch);
  return batch.progress;
}

class Batch {
  readonly failures: ApplyFailure[] = [];
  readonly progress: ApplyProgress;
  hopeless = false;
  private readonly broken = new Set<string>();
  private pending: { step: PlanOp; op: TreeOp; last: boolean }[] = [];
  private pendingBytes = 0;

  constructor(plan: Steps, private readonly history: HistoryReader, private readonly tree: TreeWriter, private readonly options: ApplyOptions) {
    this.to = plan.to;
    this.progress = { doneOps: 0, totalOps: plan.ops.length, doneBytes: 0, totalBytes: plan.bytes };
  }
  private readonly to: Seq;

  async add(step: PlanOp): Promise<void> {
    if (step.op === 'rename' && this.pending.some(({ step: before }) => before.path === step.from)) await this.flush();
    if (this.hopeless) return;
    if (this.broken.has(step.path) || (step.op === 'rename' && this.broken.has(step.from))) {
      this.progress.doneOps++;
      if (step.op === 'rename') this.fail(step, ERRNO.ECANCELED);
      return;
    }
    if (step.op === 'content') await this.content(step);
    else await this.push(step, treeOp(step), 0, true);
  }

  async flush(): Promise<void> {
    const pending = this.pending;
    this.pending = [];
    this.pendingBytes = 0;
    if (pending.length === 0) return;
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

  private async push(step: PlanOp, op: TreeOp, bytes: number, last: boolean): Promise<void> {
    this.pending.push({ step, op, last });
    this.pendingBytes += bytes;
    if (this.pending.length >= BATCH_OPS || this.pendingBytes >= BATCH_BYTES) await this.flush();
  }

  private async content(step: Extract<PlanOp, { op: 'content' }>): Promise<void> {
    const path = bytes(step.path);
    let left = sumOf(step.ranges);
    let end = 0;
    for (const { offset, length } of step.ranges) {
      for (let at = offset; at < offset + length && !this.hopeless; at += READ_BYTES) {
        const size = Math.min(READ_BYTES, offset + length - at);
        const data = await this.history.read(step.node, at, size, this.to);
        if (data.length !== size) throw new RewindError('ERR_HISTORY_CORRUPT', `history has ${data.length} of ${size} bytes of ${show(step.path)} at ${at}`, 'check the store');
        left -= size;
        const parts = step.fresh ? dataParts(data) : [{ from: 0, to: size }];
        for (const part of parts) {
          await this.push(step, { op: 'write', path, offset: at + part.from, data: data.subarray(part.from, part.to) }, part.to - part.from, false);
          end = at + part.to;
        }
        if (left === 0 && step.fresh && end < at + size) await this.push(step, { op: 'truncate', path, size: at + size }, 0, false);
      }
    }
    this.progress.doneOps++;
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

/**
 * Answers the requests of one view. Guarantees: each request that is due an answer gets exactly one; a slow one delays
 * no other; one that is interrupted is answered at once; whatever fails is an errno, never an exception.
 */
import { RewindError } from '../errors.js';
import { forgetsOf, interruptIn, Malformed, requestsOf, type Request } from './decode.js';
import { EINTR, EINVAL, EIO, ENODATA, ENOSYS, EROFS, ESTALE, type Answer, type Operation } from './ops/answer.js';
import { getattr, readlink, statfs, statx } from './ops/attributes.js';
import { lseek, read } from './ops/data.js';
import { readdir } from './ops/directory.js';
import { lookup } from './ops/lookup.js';
import { getxattr, listxattr } from './ops/xattrs.js';
import { Grants, type View } from './view.js';
import { Opcode } from './wire.js';

/** Writes a reply: errno 0 with a body, or a positive errno. Answers an errno itself: 0 when the kernel took it. */
export type Send = (unique: number, errno: number, body?: Buffer) => number;

/**
 * Every opcode that is answered by an operation. OPEN, OPENDIR and FLUSH are not among them: told so (ENOSYS), the
 * kernel opens files and directories without asking and keeps what it read, which nothing can change.
 */
const OPERATIONS = new Map<number, Operation>([
  [Opcode.LOOKUP, lookup],
  [Opcode.GETATTR, getattr],
  [Opcode.STATX, statx],
  [Opcode.READLINK, readlink],
  [Opcode.READ, read],
  [Opcode.LSEEK, lseek],
  [Opcode.READDIR, readdir],
  [Opcode.READDIRPLUS, readdir],
  [Opcode.GETXATTR, getxattr],
  [Opcode.LISTXATTR, listxattr],
  [Opcode.STATFS, statfs],
]);

/** The mount is read-only, so the kernel refuses these itself; whoever sends one all the same is refused too. */
const MODIFYING = new Set<number>([
  Opcode.SETATTR, Opcode.SYMLINK, Opcode.MKNOD, Opcode.MKDIR, Opcode.UNLINK, Opcode.RMDIR, Opcode.RENAME, Opcode.LINK, Opcode.WRITE,
  Opcode.SETXATTR, Opcode.REMOVEXATTR, Opcode.CREATE, Opcode.FALLOCATE, Opcode.RENAME2, Opcode.COPY_FILE_RANGE, Opcode.TMPFILE,
]);

export class ViewServer {
  /** Requests that wait for their answer. */
  private readonly running = new Map<number, Grants>();
  /** What is being worked on: also for requests that were interrupted. */
  private readonly operations = new Set<Promise<unknown>>();

  /** onError is told why a request was answered with EIO. */
  constructor(private readonly view: View, private readonly send: Send, private readonly onError: (error: unknown) => void) {}

  /** Requests that are not answered yet. */
  get pending(): number {
    return this.running.size;
  }

  /** Resolves once every operation that was begun has come to its end. */
  async idle(): Promise<void> {
    while (this.operations.size > 0) await Promise.allSettled(this.operations);
  }

  /** Takes whole frames, one after another, as the kernel sent them. */
  handle(batch: Buffer): void {
    for (const request of requestsOf(batch)) {
      try {
        this.take(request);
      } catch (error) {
        this.send(request.unique, this.errnoOf(error));
      }
    }
  }

  private errnoOf(error: unknown): number {
    if (error instanceof Malformed) return EINVAL;
    if (error instanceof RewindError && (error.code === 'ERR_NOT_CAPTURED' || error.code === 'ERR_TIME_THINNED')) return ENODATA;
    this.onError(error);
    return EIO;
  }

  private take(request: Request): void {
    switch (request.opcode) {
      case Opcode.FORGET:
      case Opcode.BATCH_FORGET:
        return this.forget(request);
      case Opcode.INTERRUPT:
        return this.interrupt(request);
      default:
        return this.start(request);
    }
  }

  private start(request: Request): void {
    const operation = OPERATIONS.get(request.opcode);
    if (!operation) {
      this.send(request.unique, MODIFYING.has(request.opcode) ? EROFS : ENOSYS);
      return;
    }
    const place = this.view.nodes.place(request.nodeid);
    if (!place) {
      this.send(request.unique, ESTALE);
      return;
    }
    const grants = new Grants(this.view.nodes);
    const answer = operation(this.view, place, request, grants);
    if (!(answer instanceof Promise)) {
      this.finish(request.unique, grants, answer);
      return;
    }
    this.running.set(request.unique, grants);
    const operating = answer
      .catch((error: unknown) => this.errnoOf(error))
      .then((value) => this.finishRunning(request.unique, grants, value))
      .finally(() => this.operations.delete(operating));
    this.operations.add(operating);
  }

  /** An interrupted request was answered already: what it got in the meantime goes back. */
  private finishRunning(unique: number, grants: Grants, answer: Answer): void {
    if (this.running.get(unique) === grants) {
      this.running.delete(unique);
      this.finish(unique, grants, answer);
    } else {
      grants.revoke();
    }
  }

  private finish(unique: number, grants: Grants, answer: Answer): void {
    const failed = typeof answer === 'number';
    const taken = failed ? this.send(unique, answer) : this.send(unique, 0, answer);
    if (failed || taken !== 0) grants.revoke();
  }

  private interrupt(request: Request): void {
    const unique = interruptIn(request.body);
    if (this.running.delete(unique)) this.send(unique, EINTR);
  }

  /** No reply is due, not even for one that cannot be read. */
  private forget(request: Request): void {
    try {
      for (const { nodeid, lookups } of forgetsOf(request)) this.view.nodes.forget(nodeid, lookups);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
    }
  }
}

/**
 * A view as a mounted file system: the only file of this folder that touches the channel to the kernel.
 *
 * Nothing here may touch the mountpoint from the JavaScript thread, nor wait for somebody who does: this thread is the
 * one that answers.
 */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Seq } from '../history/types.js';
import { native } from '../native.js';
import { readMounts, VIEW_MOUNT_TYPE } from '../store/mounts.js';
import { resolveSettled } from '../time/settled.js';
import type { ViewGroup } from './lens.js';
import { ViewServer } from './server.js';
import { View } from './view.js';

/** Bytes that the kernel reads ahead of a sequential reader. */
const READ_AHEAD_KB = 1024;
/** How long unmounting waits for requests that are being worked on; nobody waits for their answers any more. */
const LAST_REQUESTS_MS = 5000;

export interface ViewOptions {
  history: HistoryReader;
  /** An existing directory. */
  mountpoint: string;
  /** Resolves once history holds everything that was acknowledged before the call; awaited before an instant is resolved. */
  settle(): Promise<void>;
  /**
   * May the state at seq still grow? While the walk over the tree goes on, what was there at the mount comes into history
   * piece by piece; the kernel then keeps nothing of such an instant for long. Default: never.
   */
  provisional?(seq: Seq): boolean;
  /** Resolves once no state may grow any more, or nobody should be kept waiting for it any longer. Default: at once. */
  whole?(): Promise<void>;
  /** The group of this name, for `%NAME@<time>`; as it is defined now. */
  group?(name: string): ViewGroup | null;
  /** Shown as the mount's source. */
  fsname: string;
  /** Told why a request was answered with EIO. */
  onError?(error: unknown): void;
  /** Somebody else has unmounted it; history is not asked any more. */
  onGone?(): void;
}

/** A mounted view. It keeps the process alive until it is unmounted. */
export interface MountedView {
  readonly mountpoint: string;
  /**
   * Takes the view away. lazy: also while somebody is in it, who then gets ENOTCONN.
   * When it resolves, history is not asked any more (unless `settle` never resolved).
   * @throws ERR_BUSY when it is in use and not lazy; it goes on serving then.
   */
  unmount(lazy?: boolean): Promise<void>;
}

/**
 * Mounts a view: a read-only file system whose root holds every instant as `@<time>` and what each path ever was under
 * `~`. As root others may enter it too; the kernel checks owner, mode and ACL of then (invariant I8).
 * @throws ERR_NO_FUSE, ERR_NO_FUSERMOUNT, ERR_MOUNT_FAILED, ERR_NOT_FOUND.
 */
export async function mountView(options: ViewOptions): Promise<MountedView> {
  const { history, settle, provisional, whole, group } = options;
  const mountpoint = resolve(options.mountpoint);
  const view = new View({ history, settle, resolveTime: (expression) => resolveSettled(expression, history, settle), ...(provisional && { provisional }), ...(whole && { whole }), ...(group && { group }) });
  let open = false;
  const server = new ViewServer(view, (unique, errno, body) => channel.reply(unique, errno, body), options.onError ?? (() => undefined));
  const ended = (): void => {
    open = false;
    clearInterval(keepAlive);
  };
  const channel = new native.ViewChannel({
    mountpoint,
    fsname: options.fsname,
    subtype: VIEW_MOUNT_TYPE.replace('fuse.', ''),
    onRequests: (batch) => {
      if (open) server.handle(batch);
    },
    onGone: () => {
      ended();
      void lastRequests().then(() => options.onGone?.());
    },
  });
  const lastRequests = () => Promise.race([server.idle(), setTimeout(LAST_REQUESTS_MS, undefined, { ref: false })]);
  const keepAlive = setInterval(() => undefined, 0x7fffffff);
  open = true;
  try {
    await channel.start();
  } catch (error) {
    ended();
    throw mountError(error, mountpoint);
  }
  await readAhead(mountpoint);
  return {
    mountpoint,
    unmount: async (lazy = false) => {
      await channel.stop({ lazy }).catch((error: unknown) => {
        throw busyError(error, mountpoint);
      });
      ended();
      await lastRequests();
    },
  };
}

/** Root may tell the kernel to read further ahead than its default of 128 KiB; without it reads are only slower. */
async function readAhead(mountpoint: string): Promise<void> {
  const mount = (await readMounts()).filter(({ point, type }) => point === mountpoint && type === VIEW_MOUNT_TYPE).at(-1);
  if (!mount) return;
  await writeFile(`/sys/class/bdi/${mount.device}/read_ahead_kb`, String(READ_AHEAD_KB)).catch(() => undefined);
}

type NativeError = Error & { code?: string };

function mountError(error: unknown, mountpoint: string): RewindError {
  const { code, message } = error as NativeError;
  switch (code) {
    case 'ERR_NO_FUSE':
      return new RewindError('ERR_NO_FUSE', `/dev/fuse cannot be opened: ${message}`, 'load the fuse module, or give this container the device', { cause: error });
    case 'ERR_NO_FUSERMOUNT':
      return new RewindError('ERR_NO_FUSERMOUNT', 'fusermount3 is not installed', 'install the package fuse3', { cause: error });
    case 'ENOENT':
    case 'ENOTDIR':
      return new RewindError('ERR_NOT_FOUND', `the mountpoint ${mountpoint} is no directory`, 'create it first', { cause: error });
    default:
      return new RewindError('ERR_MOUNT_FAILED', `the view could not be mounted on ${mountpoint}: ${message}`, '', { cause: error });
  }
}

function busyError(error: unknown, mountpoint: string): RewindError {
  if ((error as NativeError).code === 'EBUSY') {
    return new RewindError('ERR_BUSY', `the view on ${mountpoint} is in use`, 'leave it first, or unmount it lazily', { cause: error });
  }
  return new RewindError('ERR_IO', `the view on ${mountpoint} could not be unmounted: ${(error as Error).message}`, '', { cause: error });
}

/**
 * Asks a tree: its daemon when one runs, else the store itself. Callers cannot tell the two apart, but by what needs a
 * mounted tree.
 */
import { request, type IncomingMessage } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { createInterface } from 'node:readline';
import { RewindError } from '../errors.js';
import type { Store } from '../store/store.js';
import type { callMethod as CallMethod } from './methods.js';
import type { OfflineSession } from './offline.js';
import type { MethodName, Methods } from './protocol.js';
import type { Unread } from './session.js';
import { END_TRAILER, fromWire, withSocketPath, type WireError } from './socket.js';

/** A tree that answers. */
export interface Client {
  /** `daemon`: somebody else holds the store, and the tree is mounted; `store`: we hold it. */
  readonly kind: 'daemon' | 'store';
  /** What the answers do not know yet, of a store that cannot be written. */
  readonly unread: Unread | null;
  /** Only a part of the tree is in history, and nobody is at work on the rest (OfflineSession). */
  readonly partly: boolean;
  call<M extends MethodName>(method: M, args: Methods[M]['args'], signal?: AbortSignal): AsyncGenerator<Methods[M]['item']>;
  close(): Promise<void>;
}

/** Methods that answer bytes. */
const BYTES: ReadonlySet<MethodName> = new Set(['cat', 'export']);

/** How long another user of the same store may take before we give up, in milliseconds. */
const LOCK_PATIENCE_MS = 10_000;

/** Also waits for a daemon that is about to start, and for another reader of the store. @throws those of openOffline */
export async function connect(store: Store): Promise<Client> {
  const { socket } = store.layout;
  const giveUp = Date.now() + LOCK_PATIENCE_MS;
  for (;;) {
    if (await answers(socket)) return new DaemonClient(socket);
    try {
      return await openStoreClient(store);
    } catch (error) {
      if (!(error instanceof RewindError) || error.code !== 'ERR_STORE_LOCKED' || Date.now() > giveUp) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Loads what only this way needs (the database, the addon): a question to a daemon is answered sooner without. */
async function openStoreClient(store: Store): Promise<Client> {
  const [{ openOffline }, { callMethod }] = await Promise.all([import('./offline.js'), import('./methods.js')]);
  return new StoreClient(await openOffline(store), callMethod);
}

/** Is a daemon listening? */
export async function answers(socket: string): Promise<boolean> {
  try {
    await withSocketPath(socket, (path) => new Promise<void>((resolve, reject) => {
      const connection = connectSocket(path, () => { connection.destroy(); resolve(); });
      connection.once('error', reject);
    }));
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') {
      throw new RewindError('ERR_NO_PERMISSION', `${socket} cannot be reached by uid ${process.getuid?.()}`, 'Ask as the user who mounted the tree, or as root.', { cause: error });
    }
    return false;
  }
}

function post(socket: string, method: string, args: unknown, signal?: AbortSignal): Promise<IncomingMessage> {
  return withSocketPath(socket, (socketPath) => new Promise((resolve, reject) => {
    const body = JSON.stringify(args);
    const call = request({ socketPath, path: `/v1/${method}`, method: 'POST', signal, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } });
    call.once('response', resolve);
    call.once('error', reject);
    call.end(body);
  }));
}

class DaemonClient implements Client {
  readonly kind = 'daemon';
  readonly unread = null;
  readonly partly = false;
  constructor(private readonly socket: string) {}

  async *call<M extends MethodName>(method: M, args: Methods[M]['args'], signal?: AbortSignal): AsyncGenerator<Methods[M]['item']> {
    let response: IncomingMessage;
    try {
      response = await post(this.socket, method, args, signal);
      if (response.statusCode !== 200) for await (const _ of response) continue;  // the error once more, for who reads no trailers
      else if (BYTES.has(method)) yield* response as AsyncIterable<Buffer>;
      else for await (const line of createInterface({ input: response })) yield JSON.parse(line) as Methods[M]['item'];
    } catch (cause) {
      if (signal?.aborted) return;
      throw new RewindError('ERR_DAEMON_TALK', `The daemon at ${this.socket} stopped answering: ${(cause as Error).message}`, 'See daemon.log in the store, and `rewind status`.', { cause });
    }
    const end = response.trailers[END_TRAILER];
    if (end === 'ok') return;
    if (end === undefined) {
      if (signal?.aborted) return;
      throw new RewindError('ERR_DAEMON_TALK', `The answer of the daemon at ${this.socket} was cut off`, 'See daemon.log in the store, and `rewind status`.');
    }
    throw fromWire(JSON.parse(end) as WireError);
  }

  async close(): Promise<void> {}
}

class StoreClient implements Client {
  readonly kind = 'store';
  readonly unread: Unread | null;
  readonly partly: boolean;
  constructor(private readonly session: OfflineSession, private readonly callMethod: typeof CallMethod) {
    this.unread = session.unread;
    this.partly = session.partly;
  }

  async *call<M extends MethodName>(method: M, args: Methods[M]['args'], signal: AbortSignal = new AbortController().signal): AsyncGenerator<Methods[M]['item']> {
    yield* this.callMethod(method, this.session, args, signal, { pid: process.pid, uid: process.geteuid!() });
  }

  close(): Promise<void> {
    return this.session.close();
  }
}

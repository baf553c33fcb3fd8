/**
 * The daemon's end of the control socket. Only the owner of the store (and root) reaches it: mode 0600 in a directory of
 * mode 0700, and the kernel is asked who it is that connected. A caller that goes away ends the work of its call.
 */
import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { RewindError } from '../errors.js';
import { native } from '../native.js';
import { API } from './api.js';
import { callMethod, isMethod } from './methods.js';
import type { Caller, Session } from './session.js';
import { encodeTrailer, END_TRAILER, httpStatus, toWire, withSocketPath } from './socket.js';

/** Longest request body: arguments, never content. */
const MAX_ARGUMENTS_BYTES = 1 << 20;

/** A listening control socket. */
export interface ControlServer {
  close(): Promise<void>;
}

/** Listens; the store's lock is held, so that whatever lies at the socket's path is a leftover. */
export async function serveControl(session: Session, socket: string): Promise<ControlServer> {
  await rm(socket, { force: true });
  const server = createServer((request, response) => void answer(session, request, response));
  server.requestTimeout = 0;
  await withSocketPath(socket, (path) => new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => { server.off('error', reject); resolve(); });
  }));
  await chmod(socket, 0o600);
  return { close: () => closeServer(server, socket) };
}

async function closeServer(server: Server, socket: string): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
  server.closeAllConnections();
  await rm(socket, { force: true });
}

async function answer(session: Session, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  response.setHeader('trailer', END_TRAILER);
  response.setHeader('connection', 'close');
  try {
    const caller = callerOf(request);
    const begin = (type: string): void => { if (!response.headersSent) response.writeHead(200, { 'content-type': type }); };
    for await (const item of itemsOf(session, request, gone.signal, caller)) {
      // Not sooner: what fails before the first item has a status that says so.
      begin(Buffer.isBuffer(item) ? 'application/octet-stream' : 'application/x-ndjson');
      const more = response.write(Buffer.isBuffer(item) ? item : JSON.stringify(item) + '\n');
      if (!more) await once(response, 'drain', { signal: gone.signal }).catch(() => null);
      if (gone.signal.aborted) return;
    }
    begin('application/x-ndjson');
    // Without a body there is no chunked answer, and without that no trailer.
    response.write('');
    response.addTrailers({ [END_TRAILER]: 'ok' });
  } catch (error) {
    const wire = toWire(error);
    if (response.headersSent) response.write('');
    else response.writeHead(httpStatus(wire.code), { 'content-type': 'application/json' }).write(JSON.stringify({ error: wire }) + '\n');
    response.addTrailers({ [END_TRAILER]: encodeTrailer(wire) });
  }
  response.end();
}

async function* itemsOf(session: Session, request: IncomingMessage, gone: AbortSignal, caller: Caller): AsyncGenerator<unknown> {
  const { method, url } = request;
  const name = /^\/v1\/([a-z_]+)$/.exec(url ?? '')?.[1];
  if (method === 'GET' && url === '/v1/') {
    yield API;
  } else if (method === 'POST' && name !== undefined && isMethod(name)) {
    yield* callMethod(name, session, await readArguments(request), gone, caller);
  } else {
    throw new RewindError('ERR_DAEMON_TALK', `The daemon knows no ${method} ${url}`, 'GET /v1/ lists what it knows; a daemon of another version is ended by unmounting.');
  }
}

/** @throws ERR_NO_PERMISSION unless it is the owner of the store, or root */
function callerOf(request: IncomingMessage): Caller {
  const { fd } = (request.socket as unknown as { _handle: { fd: number } })._handle;
  const caller = native.peerOf(fd);
  if (caller.uid === 0 || caller.uid === process.geteuid!()) return caller;
  throw new RewindError('ERR_NO_PERMISSION', `uid ${caller.uid} may not ask this daemon, which is of uid ${process.geteuid!()}`, 'Ask as the user who mounted the tree, or as root.');
}

async function readArguments(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ARGUMENTS_BYTES) throw new RewindError('ERR_USAGE', `The arguments are longer than ${MAX_ARGUMENTS_BYTES} bytes`, 'Name fewer paths at a time.');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}');
  } catch (cause) {
    throw new RewindError('ERR_DAEMON_TALK', 'The arguments are not JSON', 'See docs/api.md.', { cause });
  }
}

/**
 * The daemon's end of the control socket. Only the owner of the store reaches it: mode 0600 in a directory of mode
 * 0700. A caller that goes away ends the work of its call.
 */
import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { RewindError } from '../errors.js';
import { isMethod, methods } from './methods.js';
import type { Session } from './session.js';
import { encodeTrailer, END_TRAILER, toWire, withSocketPath } from './socket.js';

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
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 1000))]);
  server.closeAllConnections();
  await rm(socket, { force: true });
}

async function answer(session: Session, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  response.setHeader('trailer', END_TRAILER);
  response.setHeader('connection', 'close');
  try {
    const name = /^\/v1\/([a-z_]+)$/.exec(request.url ?? '')?.[1];
    if (request.method !== 'POST' || name === undefined || !isMethod(name)) {
      throw new RewindError('ERR_DAEMON_TALK', `The daemon knows no ${request.method} ${request.url}`, 'The daemon and this program differ in version: unmount and mount again.');
    }
    const args = await readArguments(request);
    response.writeHead(200, { 'content-type': name === 'cat' ? 'application/octet-stream' : 'application/x-ndjson' });
    for await (const item of methods[name](session, args as never, gone.signal)) {
      const more = response.write(Buffer.isBuffer(item) ? item : JSON.stringify(item) + '\n');
      if (!more) await once(response, 'drain', { signal: gone.signal }).catch(() => null);
      if (gone.signal.aborted) return;
    }
    response.addTrailers({ [END_TRAILER]: 'ok' });
  } catch (error) {
    if (!response.headersSent) response.writeHead(200);
    // Without a body there is no chunked answer, and without that no trailer.
    response.write('');
    response.addTrailers({ [END_TRAILER]: encodeTrailer(toWire(error)) });
  }
  response.end();
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
    throw new RewindError('ERR_DAEMON_TALK', 'The arguments are not JSON', 'See docs/cli.md, Control socket.', { cause });
  }
}

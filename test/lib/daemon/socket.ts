import test, { type ExecutionContext } from 'ava';
import { stat } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { connect } from '../../../lib/daemon/client.js';
import { openOffline } from '../../../lib/daemon/offline.js';
import { serveControl } from '../../../lib/daemon/server.js';
import type { Session } from '../../../lib/daemon/session.js';
import { encodeTrailer, fromWire, toWire, withSocketPath } from '../../../lib/daemon/socket.js';
import { RewindError } from '../../../lib/errors.js';
import { createStore, type Store } from '../../../lib/store/store.js';
import { scoped, type Scope } from '../../helpers/scope.js';

/** A store with an empty history, served on its control socket. */
async function served(scope: Scope, below = 'store'): Promise<{ store: Store; session: Session }> {
  const store = await createStore(join(scope.temporary(), below), '/some/tree', '.snapshots');
  const session = await openOffline(store);
  scope.defer(() => session.close());
  const server = await serveControl(session, store.layout.socket);
  scope.defer(() => server.close());
  return { store, session };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function answersStatus(t: ExecutionContext, store: Store): Promise<void> {
  const client = await connect(store);
  t.is(client.kind, 'daemon');
  const [status] = await collect(client.call('status', {}));
  t.like(status, { mounted: false, tree: '/some/tree', store: store.layout.root, seq: 0, extracted_seq: 0, gaps: 0, failed: null });
}

test.serial('a question is answered over the socket, which only its owner reaches', (t) => scoped(async (scope) => {
  const { store } = await served(scope);
  await answersStatus(t, store);
  t.is((await stat(store.layout.socket)).mode & 0o777, 0o600);
}));

test.serial('a store so deep that its socket path is longer than the system takes is reached all the same', (t) => scoped(async (scope) => {
  const { store } = await served(scope, join('d'.repeat(200), 'store'));
  await answersStatus(t, store);
}));

test.serial('an error crosses the socket whole: code, message, hint, whatever characters they hold', (t) => scoped(async (scope) => {
  const { store } = await served(scope);
  const client = await connect(store);
  const error = await t.throwsAsync(collect(client.call('resolve', { time: 'yesterday' })), { instanceOf: RewindError, code: 'ERR_TIME_RANGE' }) as RewindError;
  t.true(error.hint.length > 0);
  const odd = new RewindError('ERR_IO', 'naïve \u{1f600}\r\nx-evil: 1', 'ẞ');
  const encoded = encodeTrailer(toWire(odd));
  t.regex(encoded, /^[\x20-\x7e]*$/);
  t.like(fromWire(JSON.parse(encoded)), { code: odd.code, message: odd.message, hint: odd.hint });
}));

test.serial('what needs a mounted tree says so', (t) => scoped(async (scope) => {
  const { store } = await served(scope);
  const client = await connect(store);
  for (const call of [client.call('mark', { name: 'x' }), client.call('watch', {}), client.call('unmount', {}), client.call('rollback', { paths: [], to: 'now' })]) {
    await t.throwsAsync(collect<unknown>(call), { code: 'ERR_NOT_MOUNTED', message: /\/some\/tree/ });
  }
}));

test.serial('a method that is none, arguments that are no JSON or too long, are refused', (t) => scoped(async (scope) => {
  const { store } = await served(scope);
  const post = (path: string, body: string) => withSocketPath(store.layout.socket, (socketPath) => new Promise<string>((resolve, reject) => {
    const call = request({ socketPath, path, method: 'POST' }, (response) => response.resume().on('end', () => resolve(String(response.trailers['rewind-end']))));
    call.on('error', reject).end(body);
  }));
  t.regex(await post('/v1/frobnicate', '{}'), /ERR_DAEMON_TALK.*frobnicate/);
  t.regex(await post('/v1/toString', '{}'), /ERR_DAEMON_TALK/);
  t.regex(await post('/v1/status', '{'), /ERR_DAEMON_TALK/);
  t.regex(await post('/v1/status', ' '.repeat(2 << 20)), /ERR_USAGE/);
  t.regex(await post('/v1/ls', '{"at":"now"}'), /ERR_/);
  t.is(await post('/v1/status', '{}'), 'ok');
}));

test.serial('an answer that was cut off is never taken for a whole one', (t) => scoped(async (scope) => {
  const store = await createStore(join(scope.temporary(), 'store'), '/some/tree', '.snapshots');
  const broken = createServer((_, response) => {
    response.writeHead(200, { 'transfer-encoding': 'chunked' });
    response.end('{"mounted":true}\n');
  });
  await new Promise<void>((resolve) => broken.listen(store.layout.socket, resolve));
  scope.defer(() => { broken.close(); });
  const client = await connect(store);
  await t.throwsAsync(collect(client.call('status', {})), { code: 'ERR_DAEMON_TALK', message: /cut off/ });
}));

test.serial('without a daemon the store answers itself, and is free again afterwards', (t) => scoped(async (scope) => {
  const store = await createStore(join(scope.temporary(), 'store'), '/some/tree', '.snapshots');
  for (let i = 0; i < 2; i++) {
    const client = await connect(store);
    t.is(client.kind, 'store');
    const [status] = await collect(client.call('status', {}));
    t.false(status?.mounted);
    await client.close();
  }
}));

/**
 * Starts a program of ours in the background and waits until it is ready. The child is the leader of its own session,
 * works in `/`, writes to a log file, and says over a pipe how its start ended; after that nothing ties it to us.
 */
import { spawn } from 'node:child_process';
import { closeSync, createWriteStream, openSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { RewindError } from '../errors.js';
import { fromWire, toWire, type WireError } from './socket.js';

/** The child's end of the pipe is named in this variable. */
const READY_VARIABLE = 'REWIND_READY_FD';
/** libuv's threads: enough that waiting file operations never keep the database from its work. */
const POOL_THREADS = '16';

type Ready = { ready: unknown } | { failed: WireError };

/**
 * Resolves to what the child said once it was ready.
 * @param program arguments for this Node: a script and its arguments
 * @throws what the child failed with; ERR_DAEMON_START when it ended without a word
 */
export async function launch(program: string[], log: string): Promise<unknown> {
  const logFile = openSync(log, 'a', 0o600);
  const child = spawn(process.execPath, [...process.execArgv, ...program], {
    cwd: '/', detached: true, stdio: ['ignore', logFile, logFile, 'pipe'],
    env: { ...process.env, [READY_VARIABLE]: '3', UV_THREADPOOL_SIZE: process.env['UV_THREADPOOL_SIZE'] ?? POOL_THREADS },
  });
  closeSync(logFile);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit code ${code}`));
  });
  const pipe = child.stdio[3] as Readable;
  let text = '';
  for await (const chunk of pipe) text += String(chunk);
  if (text === '') {
    throw new RewindError('ERR_DAEMON_START', `The daemon ended before it was ready: ${await ended}`, `See ${log}`);
  }
  const message = JSON.parse(text) as Ready;
  if ('failed' in message) {
    await ended;
    throw fromWire(message.failed);
  }
  child.unref();
  return message.ready;
}

/** In the child: tells the parent how the start ended. Does nothing when nobody asked. */
export async function announce(message: { ready: unknown } | { failed: unknown }): Promise<void> {
  const descriptor = process.env[READY_VARIABLE];
  if (descriptor === undefined) return;
  delete process.env[READY_VARIABLE];
  const text = JSON.stringify('failed' in message ? { failed: toWire(message.failed) } : message);
  await new Promise<void>((resolve) => createWriteStream('', { fd: Number(descriptor) }).end(text, () => resolve()));
}

/** Is this process one that `launch` started? */
export function wasLaunched(): boolean {
  return process.env[READY_VARIABLE] !== undefined;
}

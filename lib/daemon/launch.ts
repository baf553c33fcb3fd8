/**
 * Starts a program of ours in the background and waits until it is ready. The child is the leader of its own session,
 * works in `/`, writes to a log file, and says over a pipe how its start ended; after that nothing ties it to us.
 */
import { spawn } from 'node:child_process';
import { closeSync, createWriteStream, fstatSync, openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { RewindError } from '../errors.js';
import { safeForTerminal } from '../paths.js';
import { asStoreError } from '../store/store.js';
import { fromWire, toWire, type WireError } from './socket.js';

/** The child's end of the pipe is named in this variable. */
const READY_VARIABLE = 'REWIND_READY_FD';
/** libuv's threads: enough that waiting file operations never keep the database from its work. */
const POOL_THREADS = '16';
/** Of its log, when it ends too soon. */
const LAST_LINES = 10;

/** Lines on the pipe: how far the start is, and in the end how it ended. */
type Word = { progress: StartProgress } | { ready: unknown } | { failed: WireError };

/** What a start may have to do before the tree can be mounted: changes in history, of all. */
export interface StartProgress { done: number; total: number }

/**
 * Resolves to what the child said once it was ready.
 * @param program arguments for this Node: a script and its arguments
 * @throws ERR_DISK_FULL, ERR_IO, ERR_NO_PERMISSION of the log; what the child failed with; ERR_DAEMON_START when it ended without a word
 */
export async function launch(program: string[], log: string, onProgress: (progress: StartProgress) => void = () => undefined): Promise<unknown> {
  const logFile = openLog(log);
  const before = fstatSync(logFile).size;
  const child = spawn(process.execPath, [...process.execArgv, ...program], {
    cwd: '/', detached: true, stdio: ['ignore', logFile, logFile, 'pipe'],
    env: { ...process.env, [READY_VARIABLE]: '3', UV_THREADPOOL_SIZE: process.env['UV_THREADPOOL_SIZE'] ?? POOL_THREADS },
  });
  closeSync(logFile);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit code ${code}`));
  });
  let message: Exclude<Word, { progress: unknown }> | null = null;
  for await (const line of createInterface({ input: child.stdio[3] as Readable })) {
    const word = JSON.parse(line) as Word;
    if ('progress' in word) onProgress(word.progress);
    else message = word;
  }
  if (message === null) {
    const how = await ended;
    throw new RewindError('ERR_DAEMON_START', `The daemon ended before it was ready: ${how}${await lastWords(log, before)}`,
      'Where that does not say why: the same command with --foreground prints all that it does.');
  }
  if ('failed' in message) {
    await ended;
    throw fromWire(message.failed);
  }
  child.unref();
  return message.ready;
}

function openLog(log: string): number {
  try {
    return openSync(log, 'a', 0o600);
  } catch (error) {
    throw asStoreError(error, log);
  }
}

/** What the daemon printed last: its log may go with the store that was made for it. */
async function lastWords(log: string, from: number): Promise<string> {
  const printed = (await readFile(log).catch(() => Buffer.alloc(0))).subarray(from).toString('utf8');
  const lines = printed.split('\n').filter((line) => line.trim() !== '').slice(-LAST_LINES);
  return lines.length === 0 ? '' : `; it said:\n${lines.map((line) => `  ${safeForTerminal(line)}`).join('\n')}`;
}

/** In the child: tells the parent how the start ended. Does nothing when nobody asked. */
export async function announce(message: { ready: unknown } | { failed: unknown }): Promise<void> {
  const descriptor = process.env[READY_VARIABLE];
  if (descriptor === undefined) return;
  delete process.env[READY_VARIABLE];
  const text = JSON.stringify('failed' in message ? { failed: toWire(message.failed) } : message);
  await new Promise<void>((resolve) => createWriteStream('', { fd: Number(descriptor) }).end(`${text}\n`, () => resolve()));
}

/** In the child: tells the parent how far the start is. */
export function announceProgress(progress: StartProgress): void {
  const descriptor = process.env[READY_VARIABLE];
  if (descriptor !== undefined) writeSync(Number(descriptor), `${JSON.stringify({ progress })}\n`);
}

/** Is this process one that `launch` started? */
export function wasLaunched(): boolean {
  return process.env[READY_VARIABLE] !== undefined;
}

/**
 * Processes of a run that outlive it, found as history finds the writers of a run: by the session in their environment.
 * One that has cleaned its environment, or that we may not look into, is not found.
 */
import { readdir, readFile } from 'node:fs/promises';
import { safeForTerminal } from '../paths.js';
import { commandOf } from '../states/processes.js';
import type { User } from '../store/users.js';

export type Survivor = Pick<User, 'pid' | 'command'>;

/** How often it is looked whether they have ended, in milliseconds. */
const POLL_MS = 100;

/** Those that run now. */
export async function survivorsOf(session: string): Promise<Survivor[]> {
  const found: Survivor[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid || !await isOf(entry, session)) continue;
    found.push({ pid: Number(entry), command: safeForTerminal(await commandOf(Number(entry))) });
  }
  return found;
}

/** Waits until none is left, the time is over or the signal fires; resolves to those that are left. */
export async function outlive(session: string, patienceMs: number, signal: AbortSignal): Promise<Survivor[]> {
  const end = Date.now() + patienceMs;
  for (;;) {
    const left = await survivorsOf(session);
    if (left.length === 0 || Date.now() >= end || signal.aborted) return left;
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
  }
}

/** A process that has ended, and is not waited for, has no environment any more. */
async function isOf(pid: string, session: string): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
  const value = environment.split('\0').find((one) => one.startsWith('REWIND_SESSION='));
  return value !== undefined && value.slice(value.indexOf('=') + 1).split('/').includes(session);
}

/**
 * Somebody else's command that is run at an alarm. Guarantees: it, with all that it started, ends within its time; nobody
 * waits for it, and what becomes of it is told, never thrown.
 */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const HOOK_MS = 30_000;
/** Of what it complains of. */
const MAX_SAID = 2000;
const LAST_WORDS_MS = 500;

/** Runs a command for the shell with more in its environment. `timeMs`: how long it may take. */
export function runHook(command: string, env: Record<string, string>, failed: (error: Error) => void, timeMs = HOOK_MS): void {
  // A process group of its own, so that its end is that of all that it started.
  const child = spawn('/bin/sh', ['-c', command], { cwd: '/', env: { ...process.env, ...env }, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  let late = false;
  let said = '';
  const timer = setTimeout(() => {
    late = true;
    endGroup(child.pid!);
  }, timeMs);
  timer.unref();
  const tell = (what: string, cause?: unknown): void => failed(new Error(`the hook for an alarm ${what}${said.trim() === '' ? '' : `: ${said.trim()}`}`, { cause }));
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said = (said + text).slice(0, MAX_SAID); });
  child.on('error', (error) => {
    clearTimeout(timer);
    tell(`could not be run (${error.message})`, error);
  });
  child.on('exit', (code, signal) => {
    if (code === 0 && !late) return;
    void wholeOf(child.stderr).then(() => tell(late ? `did not end within ${timeMs / 1000} s` : `ended with ${signal ?? `exit code ${code}`}`));
  });
  // Nothing that it started is left, either.
  child.on('close', () => clearTimeout(timer));
}

/** What was said before the end may still be on its way; what it left running may hold the pipe open. */
const wholeOf = (said: Readable): Promise<unknown> => Promise.race([finished(said).catch(() => null), sleep(LAST_WORDS_MS)]);

function endGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

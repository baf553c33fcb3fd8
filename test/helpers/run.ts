/** Runs commands with a time-out: nothing that touches a mount may wait for ever. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's root directory (dist/test/helpers/run.js lies three levels below it). */
export const projectRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  input?: string | Buffer;
  timeoutMs?: number;
}

export interface RunResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  ms: number;
}

/** A command's end, whatever its exit code; rejects only when it could not start or had to be killed by the time-out. */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<RunResult> {
  const timeoutMs = options.timeoutMs ?? 60_000;
  return new Promise((resolve, reject) => {
    const started = Date.now();
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    const shown = `${command} ${args.join(' ')}`.slice(0, 300);
    const timer = setTimeout(() => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        child.kill('SIGKILL');
      }
      reject(new Error(`${shown}: no end after ${timeoutMs} ms\n${Buffer.concat(out)}\n${Buffer.concat(err)}`));
    }, timeoutMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      const finish = (): void => {
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ code, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString(), ms: Date.now() - started });
      };
      // A daemon that the command left behind may hold the pipes. What the command wrote itself is in them, but a timer that
      // is late (a test kept the event loop busy) comes before they are read: they are read until they are empty.
      const drain = (known: number): void => void setImmediate(() => setImmediate(() => {
        const now = out.length + err.length;
        if (now === known) finish();
        else drain(now);
      }));
      const lingering = setTimeout(() => drain(-1), 300);
      child.on('close', () => {
        clearTimeout(lingering);
        finish();
      });
    });
  });
}

/** As run, but a non-zero exit is an error that shows both outputs. Resolves to stdout. */
export async function must(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const result = await run(command, args, options);
  if (result.code !== 0) {
    const where = options.cwd ? ` (in ${options.cwd})` : '';
    throw new Error(`${command} ${args.join(' ')}${where}: exit ${result.code ?? result.signal}\n${result.stdout}\n${result.stderr}`);
  }
  return result.stdout;
}

/** A shell command line (bash, -e, pipefail); rejects when it fails. */
export function shell(script: string, options: RunOptions = {}): Promise<string> {
  return must('bash', ['-e', '-o', 'pipefail', '-c', script], options);
}

/**
 * Has a process ended, with all of its threads? One for which nobody has waited has; but while others of its threads are still about to
 * end, what it had open is open.
 */
export function hasEnded(pid: number): boolean {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    return /^State:\s+[ZX]/m.test(status) && /^Threads:\s+[01]$/m.test(status);
  } catch {
    return true;
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `condition` holds; rejects with `what` after the time-out. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(20);
  }
}

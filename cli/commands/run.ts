/**
 * `rewind run`: a command as a transaction. Guarantees: it has our streams, its exit code is ours (128 and the number when
 * a signal ended it), signals reach it; whatever it and all that it started changed is known by the session in their
 * environment and by their parents, and nothing of another run is; those that still run at its end are named.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { flag, text, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { withTree } from '../ask.js';
import { showChanges } from '../run/changes.js';
import { showWork } from '../work.js';
import { outlive, survivorsOf } from '../../lib/daemon/survivors.js';
import { RewindError } from '../../lib/errors.js';

/** Entries of what is taken back, and processes, that are shown. */
const SHOWN = 20;
/** How long those that it started may take to end after it, in milliseconds, before it counts as ended without them. */
const PATIENCE_MS = 500;
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;
/** These end the waiting for what the command left running. */
const ENDING = ['SIGTERM', 'SIGHUP', 'SIGINT'] as const;
/** The terminal sends these to its whole foreground group, so to the command, too. */
const FROM_TERMINAL = new Set<string>(['SIGINT', 'SIGQUIT']);

export async function run(args: Arguments, out: Output): Promise<number> {
  const argv = (args['--'] ?? []) as string[];
  if (argv.length === 0) throw new RewindError('ERR_USAGE', 'run takes a command', 'After --, like: rewind run -- make test');
  const session = randomBytes(4).toString('hex');
  const name = text(args, 'name') ?? session;
  // What is printed here is about the command's work; stdout is the command's own.
  const aside = out.onStderr();
  return await withTree(args, undefined, aside, async ({ client }) => {
    for await (const point of client.call('run_begin', { argv, name: text(args, 'name'), session })) void point;
    let code: number;
    try {
      code = await execute(argv, session);
    } catch (error) {
      for await (const row of client.call('run_end', { session, code: 127 })) void row;
      throw error;
    }
    await awaitOthers(session, flag(args, 'wait') ? Infinity : PATIENCE_MS);
    if (flag(args, 'undo-on-failure') && code !== 0) {
      for await (const row of client.call('run_end', { session, code })) void row;
      aside.remark(`rewind: the command failed (exit code ${code}); taking back what it changed`);
      await showWork(client.call('undo', { session, force: true }), aside, SHOWN).catch((error: unknown) => {
        if (!(error instanceof RewindError) || !['ERR_WRITER_UNKNOWN', 'ERR_CONFLICTS'].includes(error.code)) throw error;
        aside.remark(error.code === 'ERR_CONFLICTS' ? `rewind: ${error.message}` : 'rewind: it changed nothing');
      });
    } else {
      const changes = await showChanges(client.call('run_end', { session, code }), aside);
      if (changes > 0) aside.remark(`Take it back with: rewind undo --session ${name}`);
    }
    await nameSurvivors(session, name, aside);
    return code;
  });
}

/** Waits for those that it started, as long as was asked for; a signal ends the waiting. */
async function awaitOthers(session: string, patienceMs: number): Promise<void> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  for (const signal of ENDING) process.on(signal, end);
  await outlive(session, patienceMs, stop.signal);
  for (const signal of ENDING) process.off(signal, end);
}

/** Names those that still run: what they do from now on is told and taken back by nobody unless it is asked for. */
async function nameSurvivors(session: string, name: string, out: Output): Promise<void> {
  const left = await survivorsOf(session);
  if (out.json) for (const one of left) await out.object({ type: 'survivor', ...one });
  if (left.length === 0) return;
  out.remark(`rewind: ${left.length === 1 ? 'a process that it started still runs and' : `${left.length} processes that it started still run and`} may change more:`);
  for (const { pid, command } of left.slice(0, SHOWN)) out.remark(`  ${pid}  ${command}`);
  if (left.length > SHOWN) out.remark(`  ... and ${left.length - SHOWN} more`);
  out.remark(`When it has ended, take that back with: rewind undo --session ${name}`);
}

/** Runs it to its end. @throws ERR_COMMAND when it cannot be started */
async function execute(argv: string[], session: string): Promise<number> {
  const outer = process.env['REWIND_SESSION'];
  const env = { ...process.env, REWIND_SESSION: outer ? `${outer}/${session}` : session };
  // Whoever interrupts the command does not interrupt us: what it did still has to be told, or taken back.
  process.removeAllListeners('SIGINT');
  let child: ChildProcess | null = null;
  const forward = (signal: NodeJS.Signals): void => {
    if (process.stdin.isTTY && FROM_TERMINAL.has(signal)) return;
    child?.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  try {
    return await new Promise<number>((resolve, reject) => {
      child = spawn(argv[0] as string, argv.slice(1), { stdio: 'inherit', env });
      child.once('error', (cause) => reject(new RewindError('ERR_COMMAND', `${argv[0]} cannot be run: ${cause.message}`, 'Name a program that exists, after --: rewind run -- make test.', { cause })));
      child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]));
    });
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}

/**
 * `rewind run`: a command as a transaction. Guarantees: it has our streams, its exit code is ours (128 and the number when
 * a signal ended it), signals reach it; whatever it and all that it started changed is known by the session in their
 * environment and by their parents, and nothing of another run is.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { flag, text, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { withTree } from '../ask.js';
import { showWork, writersOf } from '../work.js';
import type { WorkRow } from '../../lib/daemon/protocol.js';
import { RewindError } from '../../lib/errors.js';

/** Entries of the summary. */
const SHOWN = 20;
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;
/** The terminal sends these to its whole foreground group, so to the command, too. */
const FROM_TERMINAL = new Set<string>(['SIGINT', 'SIGQUIT']);

export async function run(args: Arguments, out: Output): Promise<number> {
  const argv = (args['--'] ?? []) as string[];
  if (argv.length === 0) throw new RewindError('ERR_USAGE', 'run takes a command', 'After --, like: rewind run -- make test');
  const session = randomBytes(4).toString('hex');
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
    if (flag(args, 'undo-on-failure') && code !== 0) {
      for await (const row of client.call('run_end', { session, code })) void row;
      aside.remark(`rewind: the command failed (exit code ${code}); taking back what it changed`);
      await showWork(client.call('undo', { session }), aside, SHOWN).catch((error: unknown) => {
        if (!(error instanceof RewindError) || !['ERR_WRITER_UNKNOWN', 'ERR_CONFLICTS'].includes(error.code)) throw error;
        aside.remark(error.code === 'ERR_CONFLICTS' ? `rewind: ${error.message}` : 'rewind: it changed nothing');
      });
      return code;
    }
    const changes = await summary(client.call('run_end', { session, code }), aside);
    if (changes > 0) aside.remark(`Take it back with: rewind undo --session ${text(args, 'name') ?? session}`);
    return code;
  });
}

/** Shows what it changed, which is what an undo would change back; answers how many changes that were. */
async function summary(rows: AsyncIterable<WorkRow>, out: Output): Promise<number> {
  let changes = 0;
  const inverse = { restore: 'deleted', delete: 'created', update: 'changed', rename: 'moved', skip: 'not kept' } as const;
  let entries = 0;
  for await (const row of rows) {
    if (out.json) await out.object(row);
    if (row.type === 'coverage') {
      changes = row.changes;
      out.remark(changes === 0 ? 'rewind: the command changed nothing' : `rewind: ${entries} paths changed by ${writersOf(row.writers)}`);
    } else if (row.type === 'entry' && ++entries <= SHOWN) {
      out.remark(`  ${inverse[row.action].padEnd(8)} ${row.action === 'rename' ? `${row.path} -> ` : ''}${row.from ?? row.path}`);
    } else if (row.type === 'entry' && entries === SHOWN + 1) {
      out.remark('  ...');
    }
  }
  return changes;
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

/**
 * A pager for long answers on a terminal: $PAGER, else less, as git chooses it. Guarantees: what was written is shown
 * before the program ends; a person who leaves the pager ends the program, quietly; ^C is the pager's while it runs.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { EXIT_OK } from './exit.js';

const DEFAULT = 'less -FRX';

/** The pager that the environment names; null when it wants none. */
export function pagerCommand(env: NodeJS.ProcessEnv): string | null {
  const command = (env['PAGER'] ?? DEFAULT).trim();
  return command === '' || command === 'cat' || env['TERM'] === 'dumb' ? null : command;
}

/** A running pager. */
export class Pager {
  private constructor(private readonly child: ChildProcess) {}

  /** null when there is no such program. */
  static start(command: string): Pager | null {
    const program = command.split(/\s+/)[0] as string;
    if (spawnSync('sh', ['-c', 'command -v -- "$1"', 'sh', program], { stdio: 'ignore' }).status !== 0) return null;
    const child = spawn('sh', ['-c', command], { stdio: ['pipe', 'inherit', 'inherit'], env: { LESS: 'FRX', ...process.env } });
    const pager = new Pager(child);
    process.removeAllListeners('SIGINT');
    process.on('SIGINT', () => undefined);
    pager.input.on('error', () => undefined);
    child.once('exit', () => process.exit(process.exitCode ?? EXIT_OK));
    return pager;
  }

  get input(): NodeJS.WritableStream {
    return this.child.stdin!;
  }

  /** Resolves when the person has left it. */
  async ended(): Promise<void> {
    this.child.removeAllListeners('exit');
    this.input.end();
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
  }
}

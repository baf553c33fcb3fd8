/** Runs a program of the user's in a directory, with our streams, and tells how it ended. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { RewindError } from '../lib/errors.js';
import { safeForTerminal } from '../lib/paths.js';

/** How a program ended: its exit code, 128 and the signal's number when a signal ended it, as shells say it. */
export interface Ended {
  code: number;
  signal: NodeJS.Signals | null;
}

/** @param program its name and arguments @param quiet what it prints goes to stderr: stdout is ours @throws ERR_USAGE when it cannot be started */
export async function runIn(program: string[], directory: string, environment: NodeJS.ProcessEnv = {}, quiet = false): Promise<Ended> {
  const [command, ...words] = program;
  if (command === undefined) throw new RewindError('ERR_USAGE', 'No command stands after --', 'Like -- make test');
  // An interrupt of the terminal goes to the program, too: it ends first, and we say how.
  const before = process.listeners('SIGINT');
  process.removeAllListeners('SIGINT');
  const ignore = () => undefined;
  process.on('SIGINT', ignore);
  try {
    const child = spawn(command, words, { cwd: directory, stdio: ['inherit', quiet ? 2 : 1, 2], env: { ...process.env, PWD: directory, ...environment } });
    return await new Promise((done, reject) => {
      child.once('error', (cause) => reject(new RewindError('ERR_USAGE', `${safeForTerminal(command)} cannot be run: ${cause.message}`, 'Is it on the PATH, or there at that time? A script outside the tree is always there.', { cause })));
      child.once('exit', (code, signal) => done({ code: code ?? 128 + (signal ? constants.signals[signal] : 0), signal }));
    });
  } finally {
    process.off('SIGINT', ignore);
    for (const listener of before) process.on('SIGINT', listener);
  }
}

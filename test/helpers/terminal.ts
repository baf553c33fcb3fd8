/** Runs a command on a pseudo-terminal (python3's pty module), as a person at a terminal does. */
import { run, type RunOptions, type RunResult } from './run.js';

/** Reads the terminal until the command has ended; `keys` are typed one after the other, each when `after` has been seen. */
const PROGRAM = `
import os, pty, select, sys
keys = [tuple(part.split('=', 1)) for part in sys.argv[1].split(';') if part]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b''
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    seen += data
    sys.stdout.buffer.write(data)
    if keys and keys[0][0].encode() in seen:
        os.write(fd, keys.pop(0)[1].encode())
status = os.waitpid(pid, 0)[1]
sys.exit(os.waitstatus_to_exitcode(status) & 255)
`;

/** stdout is what the terminal showed, both streams together, lines ended by CR LF as terminals have them. */
export function onTerminal(command: string[], keys: Record<string, string> = {}, options: RunOptions = {}): Promise<RunResult> {
  const typed = Object.entries(keys).map(([after, key]) => `${after}=${key}`).join(';');
  const env = { ...process.env, TERM: 'xterm', NO_COLOR: undefined, PAGER: undefined, LESS: undefined, ...options.env };
  return run('python3', ['-c', PROGRAM, typed, ...command], { ...options, env });
}

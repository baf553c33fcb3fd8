/**
 * Commands as an ordinary user (uid 65534), in a mount namespace of their own where /dev/fuse is open to everyone, as
 * udev makes it on a usual machine. What they mount goes with the namespace.
 */
import fs from 'node:fs';
import path from 'node:path';
import { cli } from './mount.js';
import { run, type RunOptions, type RunResult } from './run.js';

const UID = 65534;
/** $1: where the device node can be made; the rest: the command. */
const PRELUDE = `set -e
device="$1/fuse-for-all"; shift
[ -e "$device" ] || mknod "$device" c 10 229
chmod 666 "$device"
mount --bind "$device" /dev/fuse
exec /usr/bin/setpriv --reuid=${UID} --regid=${UID} --clear-groups -- "$@"`;

/** A new directory that belongs to the user. */
export function userDirectory(place: string, name = 'mine'): string {
  const directory = path.join(place, name);
  fs.mkdirSync(directory);
  fs.chownSync(directory, UID, UID);
  return directory;
}

/** Runs a shell script as the user; `$REWIND` in it is the command line of rewind. The store's registry is `place`/state. */
export function shellAsUser(place: string, script: string, env: NodeJS.ProcessEnv = {}, options: RunOptions = {}): Promise<RunResult> {
  const state = path.join(place, 'state');
  if (!fs.existsSync(state)) userDirectory(place, 'state');
  const command = ['/usr/bin/env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`), '/bin/bash', '-e', '-o', 'pipefail', '-c', script];
  return run('unshare', ['--mount', 'bash', '-c', PRELUDE, 'bash', place, ...command], {
    timeoutMs: 120_000, ...options, env: { ...process.env, HOME: place, XDG_STATE_HOME: state, REWIND: `${process.execPath} ${cli}` },
  });
}

/** Runs `rewind` as the user. */
export function asUser(place: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<RunResult> {
  return shellAsUser(place, `exec $REWIND ${args.map((arg) => `'${arg}'`).join(' ')}`, env);
}

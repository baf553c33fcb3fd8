/** Who holds a mount: what /proc says of working directories and open files, without touching the mount. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { safeForTerminal } from '../paths.js';
import { isWithin } from '../store/mounts.js';

/** A process that uses a path. */
export interface User {
  pid: number;
  command: string;
}

/** Processes with a working directory, root, program or open file under a mountpoint; those that we may look into. */
export async function usersOf(mountpoint: string, limit = 5): Promise<User[]> {
  const users: User[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    const links = ['cwd', 'root', 'exe', ...(await readdir(`/proc/${entry}/fd`).catch(() => [])).map((fd) => `fd/${fd}`)];
    const targets = await Promise.all(links.map((link) => readlink(`/proc/${entry}/${link}`).catch(() => '')));
    if (!targets.some((target) => target.startsWith('/') && isWithin(target, mountpoint))) continue;
    const command = (await readFile(`/proc/${entry}/comm`, 'utf8').catch(() => '?')).trim();
    users.push({ pid: Number(entry), command: safeForTerminal(command) });
    if (users.length >= limit) break;
  }
  return users;
}

/** What to do about a busy mount, naming who uses it. */
export async function busyHint(mountpoint: string): Promise<string> {
  const users = await usersOf(mountpoint);
  if (users.length === 0) return 'Close what uses it and try again, or unmount with --lazy.';
  return `In use by ${users.map(({ pid, command }) => `${command} (${pid})`).join(', ')}: end it and try again, or unmount with --lazy.`;
}

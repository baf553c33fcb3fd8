/** Who works in a directory: what /proc says, without touching the directory. Only processes that we may look into. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { safeForTerminal } from '../paths.js';
import { isWithin } from './mounts.js';

/** A process that uses a directory. */
export interface User {
  pid: number;
  command: string;
  /** It has a file in there open for writing, or mapped so. */
  writing: boolean;
}

/** So many processes are looked into at a stretch. */
const STRETCH = 32;
const ACCESS_MODE = 0o3;
/** proc(5): a shared mapping that may be written, and what it maps. */
const WRITABLE_MAPPING = /^\S+ .w.s \S+ \S+ \d+ +(\/.*)$/;

/** Processes with a working directory, root, program, open file or shared mapping at or below a directory, but for this one. */
export async function usersOf(directory: string, limit = Infinity): Promise<User[]> {
  const users: User[] = [];
  for (const [i, entry] of readdirSync('/proc').filter((name) => /^\d+$/.test(name)).entries()) {
    if (i % STRETCH === STRETCH - 1) await nextTurn();
    if (Number(entry) === process.pid) continue;
    const user = userOf(entry, directory);
    if (user) users.push(user);
    if (users.length >= limit) break;
  }
  return users;
}

/** Names for a message, the first few. */
export function nameUsers(users: User[], most = 5): string {
  const names = users.slice(0, most).map(({ pid, command }) => `${command} (${pid})`).join(', ');
  return users.length > most ? `${names} and ${users.length - most} more` : names;
}

function userOf(entry: string, directory: string): User | null {
  const inside = (link: string) => isWithin(orEmpty(() => readlinkSync(`/proc/${entry}/${link}`)), directory);
  const open = (orEmpty(() => readdirSync(`/proc/${entry}/fd`)) || []).filter((fd) => inside(`fd/${fd}`));
  const writing = open.some((fd) => isForWriting(entry, fd)) || mapsForWriting(entry, directory);
  if (!writing && open.length === 0 && !['cwd', 'root', 'exe'].some(inside)) return null;
  return { pid: Number(entry), command: safeForTerminal(orEmpty(() => readFileSync(`/proc/${entry}/comm`, 'utf8')).trim() || '?'), writing };
}

function isForWriting(entry: string, fd: string): boolean {
  const flags = /^flags:\s+(\d+)/m.exec(orEmpty(() => readFileSync(`/proc/${entry}/fdinfo/${fd}`, 'utf8')))?.[1] ?? '0';
  return (parseInt(flags, 8) & ACCESS_MODE) !== 0;
}

function mapsForWriting(entry: string, directory: string): boolean {
  return orEmpty(() => readFileSync(`/proc/${entry}/maps`, 'utf8')).split('\n').some((line) => isWithin(WRITABLE_MAPPING.exec(line)?.[1] ?? '', directory));
}

/** A process may end at any moment, and not all may be looked into. */
function orEmpty<T>(read: () => T): T | '' {
  try {
    return read();
  } catch {
    return '';
  }
}

/** Who works in a directory: what /proc says, without touching the directory. Only processes that we may look into. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { safeForTerminal } from '../paths.js';
import { isWithin, parseMounts } from './mounts.js';

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
/** proc(5): a shared mapping that may be written, the device (major:minor, hexadecimal) and the name of what it maps. */
const WRITABLE_MAPPING = /^\S+ .w.s \S+ ([0-9a-f]+):([0-9a-f]+) \d+ +(\/.*)$/gm;

/** Processes with a working directory, root, program, open file or shared mapping at or below a directory, but for this one. */
export async function usersOf(directory: string, limit = Infinity): Promise<User[]> {
  const users: User[] = [];
  for await (const entry of otherProcesses()) {
    const user = userOf(entry, asBytes(directory));
    if (user) users.push(user);
    if (users.length >= limit) break;
  }
  return users;
}

/** Those who have files at or below a directory open for writing, or mapped so: paths of one char a byte; one that has no name any more ends with ` (deleted)`. */
export async function* writersIn(directory: string): AsyncGenerator<{ pid: number; files: Set<string> }> {
  for await (const entry of otherProcesses()) {
    const files = writtenBy(entry, openIn(entry, asBytes(directory)), asBytes(directory));
    if (files.size > 0) yield { pid: Number(entry), files };
  }
}

/**
 * Those of them that do it past a file system which is mounted there, since they were there before it. `device`: of that file
 * system, as in mountinfo.
 */
export async function writersPast(directory: string, device: string): Promise<User[]> {
  const users: User[] = [];
  for await (const entry of otherProcesses()) {
    const past = new Map([...openIn(entry, asBytes(directory))].filter(([fd]) => deviceOf(entry, fd) !== device));
    if (writtenBy(entry, past, asBytes(directory), device).size > 0) users.push({ pid: Number(entry), command: programNameOf(entry), writing: true });
  }
  return users;
}

/** What a process calls itself. */
export const programNameOf = (pid: number | string): string => safeForTerminal(orEmpty(() => readFileSync(`/proc/${pid}/comm`, 'utf8')).trim() || '?');

async function* otherProcesses(): AsyncGenerator<string> {
  for (const [i, entry] of readdirSync('/proc').filter((name) => /^\d+$/.test(name)).entries()) {
    if (i % STRETCH === STRETCH - 1) await nextTurn();
    if (Number(entry) !== process.pid) yield entry;
  }
}

/** Names for a message, the first few. */
export function nameUsers(users: User[], most = 5): string {
  const names = users.slice(0, most).map(({ pid, command }) => `${command} (${pid})`).join(', ');
  return users.length > most ? `${names} and ${users.length - most} more` : names;
}

const asBytes = (path: string): string => Buffer.from(path).toString('latin1');

function userOf(entry: string, directory: string): User | null {
  const open = openIn(entry, directory);
  const writing = writtenBy(entry, open, directory).size > 0;
  if (!writing && open.size === 0 && !['cwd', 'root', 'exe'].some((link) => isWithin(targetOf(entry, link), directory))) return null;
  return { pid: Number(entry), command: programNameOf(entry), writing };
}

/** Open files at or below a directory, by descriptor. */
function openIn(entry: string, directory: string): Map<string, string> {
  const open = new Map<string, string>();
  for (const fd of orEmpty(() => readdirSync(`/proc/${entry}/fd`)) || []) {
    const target = targetOf(entry, `fd/${fd}`);
    if (isWithin(target, directory)) open.set(fd, target);
  }
  return open;
}

/** `but`: a device whose mappings do not count. */
function writtenBy(entry: string, open: ReadonlyMap<string, string>, directory: string, but?: string): Set<string> {
  const files = new Set<string>();
  for (const [fd, target] of open) if (isForWriting(entry, fd)) files.add(target);
  for (const [, major, minor, target] of orEmpty(() => readFileSync(`/proc/${entry}/maps`, 'latin1')).matchAll(WRITABLE_MAPPING)) {
    if (isWithin(target!, directory) && `${parseInt(major!, 16)}:${parseInt(minor!, 16)}` !== but) files.add(target!);
  }
  return files;
}

const targetOf = (entry: string, link: string): string => orEmpty(() => readlinkSync(`/proc/${entry}/${link}`, 'latin1'));

/** Of the file system that a descriptor was opened on, as the process itself sees it mounted; null when it sees it no more. */
function deviceOf(entry: string, fd: string): string | null {
  const id = /^mnt_id:\s+(\d+)/m.exec(orEmpty(() => readFileSync(`/proc/${entry}/fdinfo/${fd}`, 'utf8')))?.[1] ?? '';
  return parseMounts(orEmpty(() => readFileSync(`/proc/${entry}/mountinfo`, 'utf8'))).find((mount) => String(mount.id) === id)?.device ?? null;
}

function isForWriting(entry: string, fd: string): boolean {
  const flags = /^flags:\s+(\d+)/m.exec(orEmpty(() => readFileSync(`/proc/${entry}/fdinfo/${fd}`, 'utf8')))?.[1] ?? '0';
  return (parseInt(flags, 8) & ACCESS_MODE) !== 0;
}

/** A process may end at any moment, and not all may be looked into. */
function orEmpty<T>(read: () => T): T | '' {
  try {
    return read();
  } catch {
    return '';
  }
}

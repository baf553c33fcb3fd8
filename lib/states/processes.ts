/** Processes as /proc shows them: who started whom, and who still runs. A process is told by its id and its start together. */
import { readFile, readlink } from 'node:fs/promises';
import type { Writer } from '../history/types.js';

export interface ProcessId { pid: number; start: number }

/** What the recorder of states needs to know of processes; the real one is PROC. */
export interface Processes {
  runs(process: ProcessId): Promise<boolean>;
  /** The process that started this one, with its command; null when it has ended, or there is none. */
  parent(of: ProcessId & { ppid: number }): Promise<Pick<Writer, 'pid' | 'start' | 'ppid' | 'exe' | 'argv'> | null>;
}

interface Stat { ppid: number; start: number; zombie: boolean }

/** Fields of /proc/PID/stat (proc(5)); null when there is no such process. */
async function statOf(pid: number): Promise<Stat | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => null);
  if (text === null) return null;
  // The name, in parentheses, may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { ppid: Number(fields[1]), start: Number(fields[19]), zombie: fields[0] === 'Z' };
}

/** When a process began, as Writer.start has it; null when there is none. */
export async function startOf(pid: number): Promise<number | null> {
  return (await statOf(pid))?.start ?? null;
}

/** Whether it runs: one that has ended holds nothing any more, also before its parent has taken note of it. */
export async function isRunning(pid: number): Promise<boolean> {
  const stat = await statOf(pid);
  return stat !== null && !stat.zombie;
}

const MAX_ANCESTORS = 64;

/** `PID:START` of a process, its parent, its parent's and so on, but the first process; empty when it has ended. */
export async function lineageOf(pid: number): Promise<string[]> {
  const lineage: string[] = [];
  for (let one = pid; one > 1 && lineage.length < MAX_ANCESTORS;) {
    const stat = await statOf(one);
    if (stat === null) break;
    lineage.push(`${one}:${stat.start}`);
    one = stat.ppid;
  }
  return lineage;
}

/** Its command line, at least its name; empty when it has ended. */
export async function commandOf(pid: number): Promise<string> {
  const [argv, name] = await Promise.all(['cmdline', 'comm'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')));
  return argv!.replaceAll('\0', ' ').trim().slice(0, 100) || name!.trim();
}

export const PROC: Processes = {
  async runs({ pid, start }) {
    const stat = await statOf(pid);
    return stat !== null && stat.start === start && !stat.zombie;
  },

  async parent({ ppid, start }) {
    const stat = ppid > 1 ? await statOf(ppid) : null;
    if (stat === null || stat.start > start) return null;
    const [exe, argv] = await Promise.all([
      readlink(`/proc/${ppid}/exe`).catch(() => ''),
      readFile(`/proc/${ppid}/cmdline`, 'latin1').then((text) => text.split('\0').slice(0, -1), () => []),
    ]);
    return { pid: ppid, start: stat.start, ppid: stat.ppid, exe, argv };
  },
};

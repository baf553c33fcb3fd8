/**
 * Who may change nothing more: families of processes that tripped a wire, until somebody releases them. Guarantees: the
 * engine has the list before anybody is told of it; it is kept in the store, so that a new daemon goes on with it for as
 * long as the process runs (a process is told by its id and start, and by the start of the machine); who was released is
 * not blocked again.
 */
import { readFile, rm } from 'node:fs/promises';
import type { Seq } from '../history/types.js';
import type { Alarm } from '../policy/trips.js';
import { replaceFile } from '../replace.js';
import type { ProcessId, Processes } from './processes.js';

/** One blocked family, as it is kept: told by its first process. */
export interface Block extends ProcessId {
  command: string;
  what: Alarm;
  count: number;
  /** The first change of what it did. */
  first: Seq;
  /** Milliseconds since the epoch. */
  sinceMs: number;
}

/** Where the list is kept, and whom it is told to. */
export interface Blocking {
  file: string;
  /** Changes with each start of the machine. */
  boot: string;
  processes: Processes;
  block(families: string[]): void;
}

const keyOf = ({ pid, start }: ProcessId): string => `${pid}:${start}`;

export class Blocks {
  private readonly released = new Set<string>();
  /** The file is written by one at a time. */
  private writing: Promise<void> = Promise.resolve();

  private constructor(private readonly blocking: Blocking, private blocks: Block[]) {}

  /** Goes on with what the daemon before had blocked; answers also what is gone because the process has ended. */
  static async load(blocking: Blocking): Promise<{ blocks: Blocks; gone: Block[] }> {
    const kept = await readKept(blocking.file);
    const living: Block[] = [];
    const gone: Block[] = [];
    for (const one of kept.blocks) (kept.boot === blocking.boot && await blocking.processes.runs(one) ? living : gone).push(one);
    const blocks = new Blocks(blocking, living);
    if (kept.blocks.length > 0) await blocks.apply();
    return { blocks, gone };
  }

  list(): readonly Block[] {
    return this.blocks;
  }

  /** Blocks a family; false: it is blocked already, or was released. */
  async add(block: Block): Promise<boolean> {
    if (this.released.has(keyOf(block)) || this.blocks.some((one) => keyOf(one) === keyOf(block))) return false;
    this.blocks = [...this.blocks, block];
    await this.apply();
    return true;
  }

  async release(block: Block): Promise<void> {
    this.released.add(keyOf(block));
    this.blocks = this.blocks.filter((one) => one !== block);
    await this.apply();
  }

  private apply(): Promise<void> {
    this.blocking.block(this.blocks.map(keyOf));
    return (this.writing = this.writing.catch(() => undefined).then(() => this.keep()));
  }

  private async keep(): Promise<void> {
    const { blocking, blocks } = this;
    if (blocks.length === 0) return await rm(blocking.file, { force: true });
    await replaceFile(blocking.file, JSON.stringify({ boot: blocking.boot, blocks }));
  }
}

/** What cannot be read blocks nobody: better a writer that goes on, and is recorded, than one that nobody can release. */
async function readKept(file: string): Promise<{ boot: string; blocks: Block[] }> {
  const nothing = { boot: '', blocks: [] };
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return nothing;
  try {
    const kept = JSON.parse(text) as { boot: string; blocks: Block[] };
    const whole = kept.blocks.every(({ pid, start, command, what }) => Number.isInteger(pid) && Number.isInteger(start) && typeof command === 'string' && typeof what === 'string');
    return whole ? kept : nothing;
  } catch {
    return nothing;
  }
}

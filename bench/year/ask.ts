/** The questions that are timed: what the commands ask of a history, of kept instants and files by chance. */
import type { History } from '../../lib/history/history.js';
import { ROOT, type Name, type NodeId, type Seq } from '../../lib/history/types.js';
import { planParts } from '../../lib/recovery/plan.js';
import { listSaves } from '../../lib/recovery/versions.js';
import { resolveTime } from '../../lib/time/resolve.js';
import type { Random } from '../../test/helpers/random.js';
import type { Question } from './model.js';

const NS_PER_MS = 1_000_000n;
const DAY_MS = 86_400_000;
/** How often each is asked. */
const TIMES = 3;
const LISTED = 20;
const READ_FILES = 100;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

/** What is asked for: paths in the tree. */
export interface Asked { file(): Name[]; database: Name[]; directory: Name[] }

export interface File { path: Name[]; node: NodeId; size: number }

/** Everything that lay in the tree at an instant: its files. */
export async function filesAt(history: History, seq: Seq): Promise<File[]> {
  const files: File[] = [];
  const directories: { path: Name[]; node: NodeId }[] = [{ path: [], node: ROOT }];
  for (let one = directories.pop(); one !== undefined; one = directories.pop()) {
    const { path } = one;
    const entries = await history.list(one.node, seq);
    const attrs = await history.attrs(entries.map(({ node }) => node), seq);
    entries.forEach(({ name, node }, i) => {
      const { mode, size } = attrs[i]!;
      if ((mode & S_IFMT) === S_IFDIR) directories.push({ path: [...path, name], node });
      else if ((mode & S_IFMT) === S_IFREG) files.push({ path: [...path, name], node, size });
    });
  }
  return files;
}

/** The last kept instant at or before a time. */
export async function keptAt(history: History, timeMs: number): Promise<Seq> {
  const { first } = (await history.range())!;
  const seq = await history.seqAt(BigInt(Math.round(timeMs)) * NS_PER_MS) ?? first.seq;
  const hidden = history.hidden(seq);
  return hidden === null ? seq : hidden.from || hidden.to;
}

export class Asker {
  private readonly times: Record<Question, number[]> = { logFile: [], logDatabase: [], logDirectory: [], logTree: [], view: [], read: [], rollbackDay: [], rollbackMonth: [] };

  private constructor(private readonly history: History, private readonly asked: Asked, private readonly random: Random) {}

  /** Medians, in milliseconds. */
  static async ask(history: History, asked: Asked, random: Random, nowMs: number): Promise<Record<Question, number>> {
    const asker = new Asker(history, asked, random);
    for (let i = 0; i < TIMES; i++) await asker.askOnce(nowMs);
    return Object.fromEntries(Object.entries(asker.times).map(([name, times]) => [name, median(times)])) as Record<Question, number>;
  }

  private async askOnce(nowMs: number): Promise<void> {
    const { history, asked, random } = this;
    const beginMs = Number((await history.range())!.first.timeNs / NS_PER_MS);
    await this.timed('logFile', () => this.log(asked.file()));
    await this.timed('logDatabase', () => this.log(asked.database));
    await this.timed('logDirectory', () => this.log(asked.directory));
    await this.timed('logTree', () => this.log([]));
    const then = await keptAt(history, beginMs + random.below(1000) / 1000 * (nowMs - beginMs));
    const files = await this.timed('view', async () => filesAt(history, (await resolveTime(`#${then}`, history)).seq));
    await this.timed('read', async () => {
      for (let i = 0; i < READ_FILES; i++) {
        const { node, size } = random.pick(files);
        await history.read(node, 0, size, then);
      }
    });
    await this.timed('rollbackDay', async () => this.plan([], await keptAt(history, nowMs - DAY_MS)));
    const path = asked.file();
    await this.timed('rollbackMonth', async () => this.plan(path, await keptAt(history, nowMs - 30 * DAY_MS)));
  }

  private async log(path: Name[]): Promise<void> {
    for await (const _ of listSaves(this.history, path, { limit: LISTED })) { /* Shown. */ }
  }

  private async plan(path: Name[], to: Seq): Promise<void> {
    await planParts(this.history, [{ path, to }], { now: this.history.watermark() });
  }

  private async timed<T>(question: Question, act: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const answer = await act();
    this.times[question].push(performance.now() - began);
    return answer;
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/** A year from its first day to its last: each day recorded, packed and tidied; each month measured. */
import fs from 'node:fs';
import { FAMILIES } from '../../lib/history/families.js';
import type { Name } from '../../lib/history/types.js';
import { bytesOf } from '../../lib/retention/keeper.js';
import { Random } from '../../test/helpers/random.js';
import { Asker, median } from './ask.js';
import { Developer } from './day.js';
import { BEGIN_MS, type Month, type Scale } from './model.js';
import { fileAt } from './project.js';
import { Recorder } from './recorder.js';
import { Samples } from './samples.js';
import { SimulatedTree, type Place } from './tree.js';

/** The round of a day: at 4 in the next night. */
const ROUND_HOUR = 4;
const HOUR_MS = 3_600_000;
/** The days' own seconds, a number for each day of the month. */
interface Spent { record: number[]; pack: number[]; round: number[] }

/** `month`: told of each month that is over. */
export async function runYear(directory: string, scale: Scale, month: (month: Month) => void): Promise<void> {
  const tree = new SimulatedTree(BEGIN_MS);
  const recorder = await Recorder.open(directory, tree);
  try {
    const year = new Year(recorder, tree, scale);
    for await (const one of year.months()) month(one);
  } finally {
    await recorder.history.close();
  }
}

class Year {
  private readonly samples = new Samples();
  private readonly developer: Developer;
  /** Of what is asked and compared: the work is the same whatever that is. */
  private readonly random: Random;
  private spent: Spent = { record: [], pack: [], round: [] };

  constructor(private readonly recorder: Recorder, private readonly tree: SimulatedTree, private readonly scale: Scale) {
    this.developer = new Developer(tree, scale);
    this.random = new Random(scale.seed + 1);
  }

  async *months(): AsyncGenerator<Month> {
    for (let day = 0; day < this.scale.days; day++) {
      const [today, tomorrow] = [new Date(BEGIN_MS), new Date(BEGIN_MS)];
      today.setDate(1 + day);
      tomorrow.setDate(2 + day);
      await this.day(today.getTime(), tomorrow.getTime());
      if (tomorrow.getMonth() === today.getMonth() && day + 1 < this.scale.days) continue;
      yield await this.measure(today.toLocaleString('en', { month: 'short' }), day + 1, tomorrow.getTime());
      this.spent = { record: [], pack: [], round: [] };
    }
  }

  private async day(todayMs: number, tomorrowMs: number): Promise<void> {
    const { recorder, tree, developer, spent } = this;
    const began = performance.now();
    for (const _ of developer.work(todayMs)) await recorder.record();
    await recorder.record(true);
    spent.record.push(since(began));
    const { project } = developer;
    const files = [...project.sources, project.database].map((place) => ({ path: pathOf(tree, place), content: fileAt(place).content }));
    this.samples.take(tree.seq, files, this.random);
    const packing = performance.now();
    await recorder.pack();
    spent.pack.push(since(packing));
    const round = performance.now();
    await recorder.round(tomorrowMs + ROUND_HOUR * HOUR_MS);
    spent.round.push(since(round));
  }

  private async measure(month: string, days: number, nowMs: number): Promise<Month> {
    const { recorder: { history }, tree, spent, developer: { project }, random } = this;
    const historyBytes = await bytesOf(history.directory);
    const { rss } = process.memoryUsage();
    const asked = { file: () => pathOf(tree, random.pick(project.sources)), database: pathOf(tree, project.database), directory: pathOf(tree, project.directory) };
    const questions = await Asker.ask(history, asked, random, nowMs);
    return {
      month, days, changes: tree.changes, records: tree.seq, objects: tree.objects, liveBytes: tree.liveBytes,
      writtenBytes: tree.writtenBytes, storedBytes: writtenByProcess(), historyBytes, families: await familyBytes(history), rssBytes: rss, heapBytes: heapBytes(),
      questions, roundSeconds: median(spent.round), longestRoundSeconds: Math.max(...spent.round), packSeconds: median(spent.pack), recordSeconds: median(spent.record),
      merged: history.retention().merged.length, compared: await this.samples.compare(history),
    };
  }
}

const since = (began: number): number => (performance.now() - began) / 1000;

/** Where something lies: its name behind that of its directory, when that is not the root. */
function pathOf(tree: SimulatedTree, { parent, name }: Place): Name[] {
  const above = (directory: typeof parent, path: Name[]): Name[] | null => {
    if (directory === parent) return path;
    for (const [entry, inode] of directory.entries!) {
      const found = inode.entries && above(inode, [...path, entry]);
      if (found) return found;
    }
    return null;
  };
  return [...above(tree.root, [])!, name];
}

/** What this process has handed to the kernel to be written. */
function writtenByProcess(): number {
  return Number(/^wchar: (\d+)$/m.exec(fs.readFileSync('/proc/self/io', 'utf8'))![1]);
}

function heapBytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}

/** What each family takes: tables and blob files. */
async function familyBytes({ rocks }: Recorder['history']): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for (const family of FAMILIES) {
    const parts = await Promise.all(['rocksdb.live-sst-files-size', 'rocksdb.live-blob-file-size'].map((name) => rocks.property(family, name)));
    sizes[family] = parts.reduce<number>((sum, part) => sum + Number(part ?? 0), 0);
  }
  return sizes;
}

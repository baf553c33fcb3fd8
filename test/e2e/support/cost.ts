/**
 * What a rollback and an undo of k changes cost in a tree of n files. Of a plan: questions to history and processor time;
 * of the whole command on the mounted tree: requests to the file system, records, and the daemon's processor time. The load
 * of the machine changes none of them; it changes the seconds, which are told beside them.
 */
import fs from 'node:fs';
import path from 'node:path';
import { History } from '../../../lib/history/history.js';
import type { HistoryReader } from '../../../lib/history/reader.js';
import { planRollback } from '../../../lib/recovery/plan.js';
import { planUndo } from '../../../lib/recovery/undo/plan.js';
import { select, type Selection } from '../../../lib/recovery/undo/select.js';
import { mountSettled, type MountedTree } from '../../helpers/mount.js';
import { shell } from '../../helpers/run.js';
import type { Scope } from '../../helpers/scope.js';

/** The same in every tree, so that the changes concern as many; each holds more in a larger one. */
const DIRECTORIES = 20;

export interface Cost {
  /** Questions to history, those about many objects counted for each. */
  questions: number;
  /** Entries of directories and changes that were read. */
  rows: number;
  cpuMs: number;
  steps: number;
}

/** A command on the mounted tree, from its start to its end. */
export interface Applied {
  requests: number;
  records: number;
  daemonCpuMs: number;
  seconds: number;
}

/** `undo` is of one process family since ever, `undoSince` since an instant. */
export interface Costs { rollback: Cost; undo: Cost; undoSince: Cost; applied: { rollback: Applied; undo: Applied } }

/** A history that counts what it is asked. */
function counting(history: History): { history: HistoryReader; count: { questions: number; rows: number } } {
  const count = { questions: 0, rows: 0 };
  const counted = new Proxy(history as HistoryReader, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown => {
        count.questions += Array.isArray(args[0]) && name !== 'resolve' ? args[0].length : 1;
        const answer = (member as (...all: unknown[]) => unknown).apply(target, args);
        if (answer instanceof Promise) return answer.then((value: unknown) => { if (Array.isArray(value)) count.rows += value.length; return value; });
        return answer !== null && typeof answer === 'object' && Symbol.asyncIterator in answer ? each(answer as AsyncIterable<unknown>) : answer;
      };
    },
  });
  async function* each(rows: AsyncIterable<unknown>): AsyncGenerator<unknown> {
    for await (const row of rows) {
      count.rows++;
      yield row;
    }
  }
  return { history: counted, count };
}

/** `files` of them, of which `changes` are changed (written, removed, renamed, made) by one program. */
export async function costOf(scope: Scope, files: number, changes: number): Promise<Costs> {
  const mounted = await mountSettled(scope, { where: 'memory', tree: await treeOf(scope, files) });
  // Of a large tree history is long: each of its files was changed before.
  await shell('find . -type f -print0 | xargs -0 touch', { cwd: mounted.tree, timeoutMs: 300_000 });
  const { seq } = await mounted.settled();
  const step = Math.floor(files / changes) - 1;
  const script = Array.from({ length: changes }, (_, i) => changeOf(i, i * step)).join('\n');
  const pid = (await shell(`bash -c 'echo $$\n${script}'`, { cwd: mounted.tree })).trim();
  const now = (await mounted.settled()).seq;
  const undone = await applied(mounted, ['undo', '--family', pid]);
  await mounted.rewind('undo', '--yes');
  const rolledBack = await applied(mounted, ['rollback', '--to', `#${seq}`]);
  await mounted.unmount();
  const { id } = JSON.parse(fs.readFileSync(path.join(mounted.store, 'store.json'), 'utf8')) as { id: string };
  const history = await History.open(path.join(mounted.store, 'history'), { storeId: Buffer.from(id, 'hex') });
  try {
    const rollback = await measure(history, (counted) => planRollback(counted, { paths: [], to: seq, now }));
    const undoOf = (selection: Selection): Promise<Cost> => measure(history, async (counted) => (await planUndo(counted, await select(counted, selection), { now })).plan);
    const [undo, undoSince] = [await undoOf({ family: Number(pid) }), await undoOf({ uid: process.getuid!(), since: seq })];
    return { rollback, undo, undoSince, applied: { rollback: rolledBack, undo: undone } };
  } finally {
    await history.close();
  }
}

async function applied(mounted: MountedTree, args: [verb: string, ...rest: string[]]): Promise<Applied> {
  const look = async (): Promise<{ requests: number; seq: number; cpuMs: number }> => {
    const { requests, seq } = await mounted.status();
    const counts = Object.values(requests as Record<string, number>);
    return { requests: counts.reduce((sum, count) => sum + count, 0), seq, cpuMs: cpuMsOf(mounted.daemon) };
  };
  const before = await look();
  const began = Date.now();
  await mounted.rewind(...args, '--yes');
  const seconds = (Date.now() - began) / 1000;
  const after = await look();
  return { requests: after.requests - before.requests, records: after.seq - before.seq, daemonCpuMs: after.cpuMs - before.cpuMs, seconds };
}

/** Fields 14 and 15 of /proc/PID/stat (proc(5)), hundredths of a second. */
function cpuMsOf(pid: number): number {
  const [user, system] = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ').slice(11, 13).map(Number);
  return (user! + system!) * 10;
}

const nameOf = (file: number): string => `d${file % DIRECTORIES}/f${file}`;

function changeOf(i: number, file: number): string {
  const name = nameOf(file);
  return [`echo more >> ${name}`, `rm ${name}`, `mv ${name} ${name}.moved`, `echo new > ${name}.new`][i % 4] as string;
}

async function treeOf(scope: Scope, files: number): Promise<string> {
  const tree = path.join(scope.temporary('memory'), 'tree');
  for (let directory = 0; directory < DIRECTORIES; directory++) fs.mkdirSync(path.join(tree, `d${directory}`), { recursive: true });
  for (let file = 0; file < files; file++) fs.writeFileSync(path.join(tree, nameOf(file)), `file ${file}\n`);
  return tree;
}

async function measure(history: History, work: (counted: HistoryReader) => Promise<{ ops: unknown[] }>): Promise<Cost> {
  // Once for what is loaded and compiled, then the best of some.
  await work(history);
  let best: Cost | null = null;
  for (let i = 0; i < 5; i++) {
    const { history: counted, count } = counting(history);
    const before = process.cpuUsage();
    const { ops } = await work(counted);
    const { user, system } = process.cpuUsage(before);
    const cost = { ...count, cpuMs: (user + system) / 1000, steps: ops.length };
    if (!best || cost.cpuMs < best.cpuMs) best = cost;
  }
  return best as Cost;
}

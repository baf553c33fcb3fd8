/** Hot and cold by hand: how fast a file of 64 MiB is read, in turns, from the disk and from the page cache. As root: `node dist/test/lib/cold/speed-run.js [DIRECTORY] [ROUNDS]`. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { History } from '../../../lib/history/history.js';
import type { NodeId, Seq } from '../../../lib/history/types.js';
import { cool, filesOf } from '../../helpers/cold.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { scoped } from '../../helpers/scope.js';

const MIB = 1 << 20;
const FILE_MIB = 64;
const PIECE = 2 * MIB;
const BLOCK = 65_536;
const SINGLE = 200;

interface Filed { name: string; history: History; node: NodeId; seq: Seq }

/** A history of one file that is deleted. */
async function made(base: string, name: string, data: readonly Buffer[]): Promise<Filed & { last: Seq }> {
  const tree = new ModelTree();
  tree.do({ op: 'create', path: Buffer.from('f'), mode: 0o644 });
  data.forEach((bytes, i) => tree.do({ op: 'write', path: Buffer.from('f'), offset: i * MIB, data: bytes }));
  const { seq } = tree;
  tree.sleep(1_000_000_000n);
  tree.do({ op: 'unlink', path: Buffer.from('f') });
  const { history } = await FoldedHistory.open(path.join(base, name), tree);
  await history.rocks.flush();
  return { name, history, node: (await history.resolve(['f'], seq))!, seq, last: tree.seq };
}

function forgetAll(history: History, pages: boolean): void {
  history.contents.forget();
  if (!pages) return;
  execFileSync('sync');
  fs.writeFileSync('/proc/sys/vm/drop_caches', '3');
}

/** MB a second of all of it in order, and milliseconds of single blocks all over it. */
async function timed({ history, node, seq }: Filed, pages: boolean): Promise<[number, number]> {
  forgetAll(history, pages);
  let began = performance.now();
  for (let at = 0; at < FILE_MIB * MIB; at += PIECE) await history.read(node, at, PIECE, seq);
  const whole = FILE_MIB * MIB / 1e3 / (performance.now() - began);
  forgetAll(history, pages);
  began = performance.now();
  for (let i = 0; i < SINGLE; i++) await history.read(node, (i * 7919) % (FILE_MIB * MIB / BLOCK) * BLOCK, 4096, seq);
  return [whole, (performance.now() - began) / SINGLE];
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;

const [, , base = '', rounds = '9'] = process.argv;
await scoped(async (scope) => {
  const place = fs.mkdtempSync(path.join(base || scope.temporary('disk'), 'cold-'));
  scope.defer(() => fs.rmSync(place, { recursive: true, force: true }));
  const data = Array.from({ length: FILE_MIB }, () => randomBytes(MIB));
  const [hot, cold] = [await made(place, 'hot', data), await made(place, 'cold', data)];
  const directory = path.join(place, 'archive');
  fs.mkdirSync(directory);
  const began = performance.now();
  await cool(cold.history, directory, cold.last);
  const bytes = filesOf(directory).reduce((sum, file) => sum + fs.statSync(file).size, 0);
  process.stdout.write(`went cold with ${(FILE_MIB * MIB / 1e3 / (performance.now() - began)).toFixed(0)} MB/s; ${bytes} bytes of files for ${FILE_MIB * MIB}\n`);
  const seen = new Map<string, [number, number][]>();
  for (let round = 0; round < Number(rounds); round++) {
    for (const pages of [true, false]) {
      for (const one of [hot, cold]) {
        const label = `${one.name}, from ${pages ? 'the disk' : 'the page cache'}`;
        seen.set(label, [...seen.get(label) ?? [], await timed(one, pages)]);
      }
    }
  }
  for (const [label, times] of seen) process.stdout.write(`${label}: ${median(times.map(([whole]) => whole)).toFixed(0)} MB/s in order, ${median(times.map(([, single]) => single)).toFixed(2)} ms a single block\n`);
  for (const { history } of [hot, cold]) await history.close();
});

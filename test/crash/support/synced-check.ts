/** Is everything there that was synced before an instant? In the live tree, and for a sample of it in history. */
import fs from 'node:fs';
import path from 'node:path';
import type { Random } from '../../helpers/random.js';
import type { Note } from './synced-load.js';
import { apply, contentsAfter, operation, touched, WRITERS, type Contents, type Writer } from './synced-ops.js';

/** What a disk writes as a whole. */
const SECTOR = 512;
const SAMPLE = 12;

/** The notes of before an instant. */
export function notesUntil(logs: readonly string[], ns: bigint): Note[] {
  return logs.flatMap((log) => fs.readFileSync(log, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Note)).filter((note) => BigInt(note.ns) <= ns);
}

function read(file: string): Buffer | null {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

const same = (a: Buffer | null, b: Buffer | null): boolean => (a === null || b === null ? a === b : a.equals(b));

/** Of a write that was under way each sector is the old or the new one; what an append adds may be there in part. */
function isBetween(live: Buffer, before: Buffer, after: Buffer): boolean {
  if (live.length < before.length || live.length > after.length) return false;
  for (let at = 0; at < before.length; at += SECTOR) {
    const sector = live.subarray(at, Math.min(at + SECTOR, before.length));
    if (!sector.equals(before.subarray(at, at + sector.length)) && !sector.equals(after.subarray(at, at + sector.length))) return false;
  }
  return true;
}

/** What is wrong with the live tree, for one writer that had ended `done` operations and maybe begun with the next. */
function wrongOf(tree: string, writer: Writer, done: number, begun: boolean): string[] {
  const before = contentsAfter(writer, done);
  const after: Contents = new Map(before);
  const next = operation(writer, done);
  if (begun) apply(after, next);
  const inParts = begun && (next.do === 'append' || next.do === 'write');
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    const live = read(path.join(tree, name));
    const [old, now] = [before.get(name) ?? null, after.get(name) ?? null];
    if (same(live, old) || same(live, now)) return [];
    if (inParts && next.path === name && live !== null && isBetween(live, old ?? Buffer.alloc(0), now!)) return [];
    // A new file may be there before its content was synced.
    if (old === null && begun && live !== null) return [];
    return [`${name}: after ${done} operations of ${writer}${begun ? ' and part of the next' : ''} it has ${live?.length ?? 'no'} bytes, expected ${old?.length ?? 'none'}`];
  });
}

/** All that is wrong with what was synced; and how many operations were looked at. */
export function checkSynced(tree: string, notes: readonly Note[], random: Random): { wrong: string[]; synced: number } {
  const wrong: string[] = [];
  let synced = 0;
  for (const writer of WRITERS) {
    const mine = notes.filter((note) => note.writer === writer);
    const ended = mine.filter(({ done }) => done);
    synced += ended.length;
    const done = (ended.at(-1)?.n ?? -1) + 1;
    wrong.push(...wrongOf(tree, writer, done, mine.some(({ n }) => n === done)));
    for (let i = 0; i < Math.min(SAMPLE, ended.length); i++) wrong.push(...wrongInHistory(tree, random.pick(ended)));
  }
  return { wrong, synced };
}

/** The view of the instant at which an operation had ended shows what it made. */
function wrongInHistory(tree: string, { writer, n, ms }: Note): string[] {
  const contents = contentsAfter(writer, n + 1);
  const at = `@${new Date(ms).toISOString()}`;
  return touched(operation(writer, n))
    .filter((name) => !same(read(path.join(tree, '.snapshots', at, name)), contents.get(name) ?? null))
    .map((name) => `${name}: ${at} does not show what operation ${n} of ${writer} made`);
}

/**
 * Random bytes of a small closed store are flipped, one store a flip: it refuses to open with a clear error, or verify finds
 * it, or all reads answer what they did. Nothing else may come of it. After a repair it opens and answers what is right.
 */
import fs from 'node:fs';
import path from 'node:path';
import { decodeRecord, RECORD_HEAD_BYTES } from '../../../../lib/extractor/record.js';
import { openOffline, type OfflineSession } from '../../../../lib/daemon/offline.js';
import { native } from '../../../../lib/native.js';
import { createStore, openStore } from '../../../../lib/store/store.js';
import { verify } from '../../../../lib/verify/verify.js';
import { dump } from '../../../helpers/dump.js';
import { Random } from '../../../helpers/random.js';
import { answers, wrongAnswers, type Answers } from '../../repair/support/oracle.js';
import { answersOf as repairedAnswers, opened, repaired } from '../../repair/support/stores.js';
import { Scenario } from '../../../helpers/scenario.js';
import type { Scope } from '../../../helpers/scope.js';

const never = new AbortController().signal;
const HEAD_BYTES = 64;
/** A store that takes longer hangs. */
const PATIENCE_MS = 30_000;
/** Instants whose whole tree is compared. */
const EVERY = 17;

export type Outcome = 'refused' | 'found' | 'equal';

/** A record with both its checksums, as it lies in a segment. */
function sealed(raw: Buffer): Buffer {
  const record = Buffer.from(raw);
  const { payloadAt, payloadBytes } = decodeRecord(record, 0).record;
  record.writeUInt32LE(native.crc32c(record.subarray(payloadAt, payloadAt + payloadBytes)), RECORD_HEAD_BYTES - 4);
  record.writeUInt32LE(native.crc32c(record.subarray(8, payloadAt), native.crc32c(record.subarray(0, 4))), 4);
  return record;
}

function segment(storeId: Buffer, first: number, records: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write('RWNDSEG1', 'latin1');
  head.writeUInt32LE(1, 8);
  storeId.copy(head, 16);
  head.writeBigUInt64LE(BigInt(first), 32);
  head.writeUInt32LE(native.crc32c(head), 12);
  return Buffer.concat([head, ...records.map(sealed)]);
}

/**
 * A store whose history lies in tables and blob files, its newest part in write-ahead logs, and that in the journal too; or,
 * `ahead`, only what is newer still, which history does not have, in two segments.
 */
export async function makeStore(root: string, { ahead = false, seed = 77 } = {}): Promise<void> {
  const scenario = new Scenario(new Random(seed));
  scenario.changeUnmounted(10);
  scenario.mount();
  for (let i = 0; i < 150; i++) scenario.step();
  scenario.finishWalk();
  const store = await createStore(root, '/nowhere', '.snapshots');
  const storeId = Buffer.from(store.description.id, 'hex');
  const parts = ahead ? 4 : 2;
  const part = Math.ceil(scenario.records.length / parts);
  const segments = Array.from({ length: parts }, (_, i) => [i * part + 1, scenario.records.slice(i * part, (i + 1) * part)] as const);
  fs.mkdirSync(store.layout.journal, { recursive: true });
  const paths = [];
  for (const [first, records] of segments) {
    const file = path.join(store.layout.journal, `${first.toString(16).padStart(16, '0')}.seg`);
    paths.push(file);
    fs.writeFileSync(file, segment(storeId, first, records));
    if (ahead && first > 2 * part) continue;
    const session = await openOffline(store);
    if (first === 1) await session.packing.history.rocks.flush();
    await session.close();
  }
  for (const file of paths.slice(0, parts / 2)) fs.rmSync(file);
}

/** All that can be asked, of some instants. */
export async function answersOf({ packing: { history } }: OfflineSession): Promise<string[]> {
  const lines = [`to #${history.watermark()}`];
  for (let seq = 1; seq <= history.watermark(); seq += EVERY) lines.push(...(await dump(history, seq)).map((line) => `#${seq} ${line}`));
  for await (const change of history.changes(0, history.watermark())) lines.push(JSON.stringify(change, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)));
  lines.push(JSON.stringify(await history.points(), (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)));
  return lines;
}

/** What comes of a store as it lies there. @throws when a wrong byte is served as right, or an error is not clear */
export async function outcomeOf(root: string, expected: readonly string[]): Promise<Outcome> {
  let session: OfflineSession;
  try {
    session = await openOffline(await openStore(root));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith('ERR_') === true) return 'refused';
    throw error;
  }
  try {
    for await (const found of verify(session.packing.history, { deep: true, journal: session.journal, signal: never })) if ('kind' in found) return 'found';
    const answers = await answersOf(session);
    const wrong = answers.findIndex((line, i) => line !== expected[i]);
    if (wrong >= 0 || answers.length !== expected.length) throw new Error(`a wrong answer: ${answers[wrong]}, expected ${expected[wrong]}`);
    return 'equal';
  } finally {
    await session.close();
  }
}

/** Repairs a store that is not whole: then it opens, is whole, and what it answers is right. @throws when it is not so */
async function expectRepaired(root: string, expected: Answers): Promise<void> {
  const { end, families } = await repaired(root);
  if (end.left.length > 0) throw new Error(`found after a repair: ${end.left[0]!.what}`);
  const after = await opened(root);
  if ('refused' in after || after.findings.length > 0) throw new Error(`not whole after a repair: ${JSON.stringify(after)}`);
  const [wrong] = wrongAnswers(expected, await repairedAnswers(root), families);
  if (wrong !== undefined) throw new Error(`a wrong answer after a repair: ${wrong}`);
}

/** Flips `count` bytes, and counts what came of it by kind of file; one in `repairEvery` of the stores that are damaged is repaired. */
export async function flips(scope: Scope, seed: number, count: number, repairEvery = 1): Promise<Record<string, Record<Outcome | 'repaired', number>>> {
  const base = scope.temporary('memory');
  const root = path.join(base, 'store');
  await makeStore(root);
  const copy = path.join(base, 'copy');
  const fresh = (): void => {
    fs.rmSync(copy, { recursive: true, force: true });
    fs.cpSync(root, copy, { recursive: true });
  };
  fresh();
  const session = await openOffline(await openStore(copy));
  const expected = await answersOf(session);
  const right = await answers(session.packing.history);
  await session.close();
  let damaged = 0;
  const files = ['history', 'journal'].flatMap((directory) => fs.readdirSync(path.join(root, directory)).map((name) => path.join(directory, name))).sort();
  // As many of each kind, however many files of it there are.
  const targets = new Map<string, string[]>();
  for (const file of files.filter((one) => fs.statSync(path.join(root, one)).size > 0)) targets.set(kindOf(file), [...targets.get(kindOf(file)) ?? [], file]);
  const random = new Random(seed);
  const counts: Record<string, Record<Outcome | 'repaired', number>> = {};
  for (let i = 0; i < count; i++) {
    fresh();
    const [kind, own] = random.pick([...targets]);
    const file = random.pick(own);
    const bytes = fs.readFileSync(path.join(copy, file));
    const at = random.below(bytes.length);
    const mask = 1 << random.below(8);
    bytes[at]! ^= mask;
    fs.writeFileSync(path.join(copy, file), bytes);
    const told = (error: Error): never => {
      throw new Error(`flip ${i} of seed ${seed}, byte ${at} of ${file} by ${mask}: ${error.stack}`);
    };
    const outcome = await within(PATIENCE_MS, outcomeOf(copy, expected)).catch(told);
    counts[kind] ??= { refused: 0, found: 0, equal: 0, repaired: 0 };
    counts[kind][outcome]++;
    if (outcome === 'equal' || damaged++ % repairEvery !== 0) continue;
    // As it was before it was looked at: opening a database changes it.
    fresh();
    fs.writeFileSync(path.join(copy, file), bytes);
    await within(PATIENCE_MS, expectRepaired(copy, right)).catch(told);
    counts[kind].repaired++;
  }
  return counts;
}

/** What decides how a file is read; all that only says how RocksDB was opened is one kind. */
function kindOf(file: string): string {
  if (file.startsWith('journal')) return 'journal';
  return /\.(sst|blob|log)$|MANIFEST|CURRENT/.exec(file)?.[0].replace('.', '') ?? 'other';
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer!: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => { timer = setTimeout(() => reject(new Error(`it took more than ${ms} ms`)), ms); });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

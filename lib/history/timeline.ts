/** When and by whom: changes, times, writers, points, gaps. */
import { clockKey, getU64, pairKey, tripleKey, u64Key } from './keys.js';
import type { Rocks } from './rocks.js';
import type { Change, Gap, NodeId, Point, Seq, Writer } from './types.js';
import { corrupt, decodeChange, decodeTimes } from './values.js';

/** Changes that are fetched at a time. */
const PAGE = 256;
const LAST = Number.MAX_SAFE_INTEGER;

export class TimelineReader {
  constructor(private readonly rocks: Rocks) {}

  async *changes(after: Seq, upTo: Seq, options: { reverse?: boolean } = {}): AsyncGenerator<Change> {
    if (upTo <= after) return;
    const range = { gt: pairKey(after, LAST), lte: pairKey(upTo, LAST) };
    for await (const { key, value } of this.rocks.scan('changes', range, { reverse: options.reverse ?? false })) yield decodeChange(key, value);
  }

  async *nodeChanges(node: NodeId, after: Seq, upTo: Seq, { reverse = false }: { reverse?: boolean } = {}): AsyncGenerator<Change> {
    if (upTo <= after) return;
    let keys: Buffer[] = [];
    const range = { gt: tripleKey(node, after, LAST), lte: tripleKey(node, upTo, LAST) };
    for await (const { key } of this.rocks.scan('nodechanges', range, { values: false, reverse })) {
      keys.push(key.subarray(8));
      if (keys.length < PAGE) continue;
      yield* this.changesAt(keys);
      keys = [];
    }
    yield* this.changesAt(keys);
  }

  private async *changesAt(keys: Buffer[]): AsyncGenerator<Change> {
    const values = await this.rocks.getMany('changes', keys);
    for (const [i, value] of values.entries()) {
      if (value === null) throw corrupt(`no change ${getU64(keys[i]!, 0)}, which its node names`);
      yield decodeChange(keys[i]!, value);
    }
  }

  /** The last record whose time is not after timeNs; null when there is none. */
  async seqAt(timeNs: bigint): Promise<Seq | null> {
    if (timeNs < 0n) return null;
    const entry = await this.rocks.peek('clock', { lte: clockKey(timeNs, LAST) }, true);
    if (entry === null) return null;
    const first = getU64(entry.key, 8);
    const value = await this.rocks.get('times', u64Key(first));
    if (value === null) throw corrupt(`no times for record ${first}, which the clock names`);
    const times = decodeTimes(value);
    let low = 0;
    for (let high = times.count - 1; low < high;) {
      const middle = Math.ceil((low + high) / 2);
      if (times.at(middle) <= timeNs) low = middle;
      else high = middle - 1;
    }
    return first + low;
  }

  async timeOf(seq: Seq): Promise<bigint | null> {
    if (seq < 0) return null;
    const entry = await this.rocks.peek('times', { lte: u64Key(seq) }, true);
    if (entry === null) return null;
    const times = decodeTimes(entry.value);
    const index = seq - getU64(entry.key, 0);
    return index < times.count ? times.at(index) : null;
  }

  /** One look for each run of records that any of them lies in. */
  async timesOf(seqs: readonly Seq[]): Promise<(bigint | null)[]> {
    const known = new Map<Seq, bigint | null>();
    let run: { from: Seq; times: ReturnType<typeof decodeTimes> } | null = null;
    for (const seq of [...new Set(seqs)].sort((a, b) => b - a)) {
      if (run === null || seq < run.from) {
        const entry = seq < 0 ? null : await this.rocks.peek('times', { lte: u64Key(seq) }, true);
        run = entry && { from: getU64(entry.key, 0), times: decodeTimes(entry.value) };
      }
      known.set(seq, run !== null && seq - run.from < run.times.count ? run.times.at(seq - run.from) : null);
    }
    return seqs.map((seq) => known.get(seq) ?? null);
  }

  async writer(id: Seq): Promise<Writer | null> {
    const value = id === 0 ? null : await this.rocks.get('writers', u64Key(id));
    return value === null ? null : decodeWriter(id, value);
  }

  async *allWriters(): AsyncGenerator<Writer> {
    for await (const { key, value } of this.rocks.scan('writers', {})) yield decodeWriter(getU64(key, 0), value);
  }

  async points(): Promise<Point[]> {
    const points: Point[] = [];
    const pins = new Map<Seq, boolean>();
    for await (const { key, value } of this.rocks.scan('points', {})) {
      const id = getU64(key, 0);
      const { timeNs, seq = id, pins: pinsPoint, ...raw } = parse(value, `point ${id}`) as unknown as Omit<Point, 'id' | 'seq' | 'timeNs'> & { seq?: Seq; timeNs: string; pins?: Seq };
      if (pinsPoint === undefined) points.push({ id, seq, timeNs: BigInt(timeNs), ...raw });
      else pins.set(pinsPoint, raw.pinned === true);
    }
    return points.map((point) => (pins.has(point.id) ? { ...point, pinned: pins.get(point.id) } : point));
  }

  async gaps(): Promise<Gap[]> {
    const gaps: Gap[] = [];
    for await (const { key, value } of this.rocks.scan('gaps', {})) {
      const seq = getU64(key, 0);
      const raw = parse(value, `gap ${seq}`) as { timeNs: string; reason: string; detail: Record<string, unknown> };
      gaps.push({ seq, timeNs: BigInt(raw.timeNs), reason: raw.reason, detail: raw.detail });
    }
    return gaps;
  }
}

function decodeWriter(id: Seq, value: Buffer): Writer {
  const raw = parse(value, `writer ${id}`);
  const number = (key: string) => (typeof raw[key] === 'number' ? (raw[key] as number) : 0);
  const text = (key: string) => (typeof raw[key] === 'string' ? (raw[key] as string) : '');
  const texts = (key: string) => (Array.isArray(raw[key]) ? (raw[key] as unknown[]).map(String) : []);
  return {
    id, pid: number('pid'), start: number('start'), ppid: number('ppid'), exe: text('exe'), argv: texts('argv'), uid: number('uid'), gid: number('gid'),
    cgroup: text('cgroup'), certain: raw['certain'] !== false, ancestors: texts('ancestors'), session: text('session'),
  };
}

function parse(value: Buffer, what: string): Record<string, unknown> {
  try {
    return JSON.parse(value.toString('utf8')) as Record<string, unknown>;
  } catch {
    throw corrupt(`a ${what} that cannot be read`);
  }
}


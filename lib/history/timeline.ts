/** When and by whom: changes, times, writers, points, gaps. */
import { decodeChanges, decodeRefs, RUN_SEQS, type ChangeRef } from './changes.js';
import { clockKey, getInverse, getU64, nodeChangeKey, pairKey, u64Key } from './keys.js';
import type { Range, Rocks } from './rocks.js';
import type { Change, ClockReading, Gap, NodeId, Point, Seq, Writer } from './types.js';
import { corrupt, decodeTimes } from './values.js';

/** Changes that are fetched at a time. */
const PAGE = 256;
const LAST = Number.MAX_SAFE_INTEGER;

/** Tells the run of a change from others. */
const refId = ({ seq, record, run }: ChangeRef): string => (record === seq ? `${run}` : `${run}/${record}`);

export class TimelineReader {
  private readonly readings: ClockReading[] = [];
  /** Points up to this one have been looked through for readings. */
  private readTo: Seq = 0;

  constructor(private readonly rocks: Rocks) {}

  async *changes(after: Seq, upTo: Seq, { reverse = false }: { reverse?: boolean } = {}): AsyncGenerator<Change> {
    if (upTo <= after) return;
    const range = { gte: pairKey(Math.max(after + 2 - RUN_SEQS, 0), 0), lte: pairKey(upTo, LAST) };
    for await (const { key, value } of this.rocks.scan('changes', range, { reverse })) {
      const run = decodeChanges(key, value, upTo);
      for (const change of reverse ? run.reverse() : run) if (change.seq > after) yield change;
    }
  }

  async *nodeChanges(node: NodeId, after: Seq, upTo: Seq, { reverse = false }: { reverse?: boolean } = {}): AsyncGenerator<Change> {
    if (upTo <= after) return;
    let page: ChangeRef[] = [];
    for await (const { key, value } of this.rocks.scan('nodechanges', await this.refRange(node, after, upTo, reverse), { reverse: !reverse })) {
      const refs = decodeRefs(key, value);
      for (const ref of reverse ? refs.reverse() : refs) if (ref.seq > after && ref.seq <= upTo) page.push(ref);
      if (reverse && getInverse(key, 8) <= after) break;
      if (page.length < PAGE) continue;
      yield* this.changesAt(node, page);
      page = [];
    }
    yield* this.changesAt(node, page);
  }

  /** Where the runs of a node lie, newest first, that hold its changes of these seqs: from the oldest on, it has to be sought. */
  private async refRange(node: NodeId, after: Seq, upTo: Seq, reverse: boolean): Promise<Range> {
    const newest = { gte: nodeChangeKey(node, upTo, LAST), lt: u64Key(node + 1) };
    if (reverse || after <= 0) return newest;
    const oldest = await this.rocks.peek('nodechanges', { gte: nodeChangeKey(node, after, LAST), lt: newest.lt });
    return oldest === null ? newest : { gte: newest.gte, lte: oldest.key };
  }

  private async *changesAt(node: NodeId, refs: ChangeRef[]): AsyncGenerator<Change> {
    const keyOf = ({ seq, record, run }: ChangeRef): Buffer => pairKey(run, record === seq ? run : record);
    const keys = new Map(refs.map((ref) => [refId(ref), keyOf(ref)]));
    const values = await this.rocks.getMany('changes', [...keys.values()]);
    const runs = new Map([...keys].map(([id, key], i) => [id, values[i] === null ? [] : decodeChanges(key, values[i]!)]));
    for (const ref of refs) {
      const change = runs.get(refId(ref))!.find(({ seq, record }) => seq === ref.seq && record === ref.record);
      if (change !== undefined) yield change;
      else if (await this.isNamed(node, ref)) throw corrupt(`no change ${ref.seq}, which its node names`);
    }
  }

  /** A change may have been given up since its name was read. */
  private async isNamed(node: NodeId, { seq, record }: ChangeRef): Promise<boolean> {
    const entry = await this.rocks.peek('nodechanges', { gte: nodeChangeKey(node, seq, seq === record ? LAST : record), lt: u64Key(node + 1) });
    return entry !== null && decodeRefs(entry.key, entry.value).some((ref) => ref.seq === seq && ref.record === record);
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
      if (pinsPoint !== undefined) pins.set(pinsPoint, raw.pinned === true);
      else if (!isOnlyReading(raw)) points.push({ id, seq, timeNs: BigInt(timeNs), ...raw });
    }
    return points.map((point) => (pins.has(point.id) ? { ...point, pinned: pins.get(point.id) } : point));
  }

  async clockReadings(): Promise<readonly ClockReading[]> {
    for await (const { key, value } of this.rocks.scan('points', { gte: u64Key(this.readTo + 1) })) {
      const id = getU64(key, 0);
      const { kind, timeNs, detail } = parse(value, `point ${id}`) as { kind?: unknown; timeNs?: unknown; detail?: { clock?: unknown } };
      if (kind === 'clock' && id > this.readTo) this.readings.push({ seq: id, wallNs: BigInt(String(detail?.clock)), stoodNs: BigInt(String(timeNs)) });
      this.readTo = Math.max(this.readTo, id);
    }
    return this.readings;
  }

  async gaps(): Promise<Gap[]> {
    const gaps: Gap[] = [];
    for await (const { key, value } of this.rocks.scan('gaps', {})) {
      const seq = getU64(key, 0);
      const raw = parse(value, `gap ${seq}`) as unknown as Omit<Gap, 'seq' | 'timeNs'> & { timeNs: string };
      gaps.push({ ...raw, seq, timeNs: BigInt(raw.timeNs) });
    }
    return gaps;
  }
}

/** The first reading after the clock was set back says so, and is a point; the others only tell times. */
const isOnlyReading = ({ kind, note }: Pick<Point, 'kind' | 'note'>): boolean => kind === 'clock' && note === '';

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


/** Which changes a rule means: path, program, user, connection, and how many in how short a time. */
import type { Change, Seq, Writer } from '../history/types.js';
import type { HistoryReader } from '../history/reader.js';
import type { PointRule } from '../policy/points.js';
import type { Connections } from './connections.js';

type Asked = Pick<HistoryReader, 'writer' | 'pathOf' | 'attr'>;

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
/** Writers whose first change is remembered until their connection is seen. */
const MAX_CANDIDATES = 1024;
const NS_PER_MS = 1_000_000n;

/** The first change of a burst that a rule asks for; `why`: the connection. */
export interface Match { seq: Seq; why: string }

/** One rule, with what it has seen. */
export interface Matcher {
  readonly rule: PointRule;
  /** The first change of a burst, once the burst has reached what the rule asks for; else null. */
  first(change: Change, history: Asked): Promise<Match | null>;
  /** The same for changes of before, whose writers' connections are known only now. */
  connected(): Match[];
}

type Happened = Pick<Change, 'seq' | 'timeNs'>;

/** now: milliseconds, never set back. */
export function matcherOf(rule: PointRule, connections: Pick<Connections, 'of' | 'lookedMs'>, now: () => number): Matcher {
  const burst = new Burst(rule);
  const candidates = new Map<Seq, { change: Happened; writer: Writer; sinceMs: number }>();
  const withinMs = Number(rule.withinNs / NS_PER_MS);
  const connectionOf = (writer: Writer): string | null => (rule.remote === null ? '' : connections.of(rule.remote, writer, withinMs));
  const forget = (): void => {
    for (const [id, { sinceMs }] of candidates) if (connections.lookedMs - sinceMs > withinMs || candidates.size >= MAX_CANDIDATES) candidates.delete(id);
  };
  const matched = (change: Happened, why: string): Match | null => {
    const seq = burst.first(change);
    return seq === null ? null : { seq, why };
  };
  return {
    rule,
    async first(change, history) {
      const writer = change.writer === 0 ? null : await history.writer(change.writer);
      if (!byWriter(rule, writer) || !(rule.path === null || await byPath(rule.path, change, history))) return null;
      const why = writer === null ? '' : connectionOf(writer);
      if (why !== null) return matched(change, why);
      forget();
      if (writer !== null && !candidates.has(writer.id)) candidates.set(writer.id, { change: { seq: change.seq, timeNs: change.timeNs }, writer, sinceMs: now() });
      return null;
    },
    connected() {
      const matches: Match[] = [];
      forget();
      for (const [id, { change, writer }] of candidates) {
        const why = connectionOf(writer);
        if (why === null) continue;
        candidates.delete(id);
        const match = matched(change, why);
        if (match) matches.push(match);
      }
      return matches;
    },
  };
}

/** Counts matching changes. */
class Burst {
  private readonly recent: Happened[] = [];
  private told = false;
  private lastNs: bigint | null = null;

  constructor(private readonly rule: PointRule) {}

  first({ seq, timeNs }: Happened): Seq | null {
    const { rule, recent } = this;
    if (this.lastNs !== null && timeNs - this.lastNs > rule.quietNs) {
      this.told = false;
      recent.length = 0;
    }
    this.lastNs = timeNs;
    if (this.told) return null;
    recent.push({ seq, timeNs });
    while (recent.length > 0 && timeNs - recent[0]!.timeNs > rule.withinNs) recent.shift();
    if (recent.length < rule.count) return null;
    this.told = true;
    const { seq: first } = recent[0]!;
    recent.length = 0;
    return first;
  }
}

function byWriter({ exe, uid, remote }: PointRule, writer: Writer | null): boolean {
  if (exe === null && uid === null && remote === null) return true;
  if (writer === null || (uid !== null && writer.uid !== uid)) return false;
  return exe === null || exe(writer);
}

/** Every name that the change concerns: of a rename both, of a deletion the one that was there. */
export async function byPath(test: (path: Buffer, directory: boolean) => boolean, change: Change, history: Pick<Asked, 'pathOf' | 'attr'>): Promise<boolean> {
  const attr = await history.attr(change.node, change.seq);
  const directory = attr !== null && (attr.mode & S_IFMT) === S_IFDIR;
  const under = async (parent: number | undefined, name: string | undefined, seq: Seq): Promise<boolean> => {
    const above = parent === undefined || name === undefined ? null : await history.pathOf(parent, seq);
    return above !== null && test(Buffer.from([...above, name!].join('/'), 'latin1'), directory);
  };
  if (change.parent !== undefined) {
    return await under(change.parent, change.name, change.seq) || await under(change.parent2, change.name2, change.seq);
  }
  const path = await history.pathOf(change.node, change.seq);
  return path !== null && path.length > 0 && test(Buffer.from(path.join('/'), 'latin1'), directory);
}

/** Which changes a rule about writes means: path, program, user, and how many in how short a time. */
import type { Change, Seq, Writer } from '../history/types.js';
import type { HistoryReader } from '../history/reader.js';
import { programOf } from './programs.js';
import type { PointRule } from '../policy/points.js';

type Asked = Pick<HistoryReader, 'writer' | 'pathOf' | 'attr'>;

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

/** One rule, with what it has seen. */
export interface Matcher {
  readonly rule: PointRule;
  /** The first change of a burst, once the burst has reached what the rule asks for; else null. */
  first(change: Change, history: Asked): Promise<Seq | null>;
}

export function matcherOf(rule: PointRule): Matcher {
  const recent: { seq: Seq; timeNs: bigint }[] = [];
  let told = false;
  let lastNs: bigint | null = null;
  return {
    rule,
    async first(change, history) {
      if (!await matches(rule, change, history)) return null;
      const { seq, timeNs } = change;
      if (lastNs !== null && timeNs - lastNs > rule.quietNs) {
        told = false;
        recent.length = 0;
      }
      lastNs = timeNs;
      if (told) return null;
      recent.push({ seq, timeNs });
      while (recent.length > 0 && timeNs - recent[0]!.timeNs > rule.withinNs) recent.shift();
      if (recent.length < rule.count) return null;
      told = true;
      const { seq: first } = recent[0]!;
      recent.length = 0;
      return first;
    },
  };
}

async function matches(rule: PointRule, change: Change, history: Asked): Promise<boolean> {
  if (rule.exe !== null || rule.uid !== null) {
    const writer = change.writer === 0 ? null : await history.writer(change.writer);
    if (writer === null || !byWriter(rule, writer)) return false;
  }
  return rule.path === null || await byPath(rule.path, change, history);
}

function byWriter({ exe, uid }: PointRule, writer: Writer): boolean {
  if (uid !== null && writer.uid !== uid) return false;
  return exe === null || exe.test(programOf(writer).name) || exe.test(writer.exe.slice(writer.exe.lastIndexOf('/') + 1));
}

/** Every name that the change concerns: of a rename both, of a deletion the one that was there. */
async function byPath(test: NonNullable<PointRule['path']>, change: Change, history: Asked): Promise<boolean> {
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

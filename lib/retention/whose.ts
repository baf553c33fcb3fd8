/**
 * Which schedule an object of a stretch is kept by. Its path at the time decides, not the one that it has now; where it had
 * several (hard links, a rename), the longest schedule wins. A file without a name counts as where it had its last one.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Stretch } from '../history/retained.js';
import { ROOT, type Link, type NodeId, type Seq } from '../history/types.js';
import type { KeepPolicy } from '../policy/keeping.js';

/** From `from` until just before `until`. */
interface Time { from: Seq; until: Seq }

export class Whose {
  private readonly directories = new Map<string, Promise<string[]>>();

  constructor(private readonly history: HistoryReader, private readonly keeping: KeepPolicy) {}

  /** Its name; null when the object had paths of several, none of which keeps all that the others keep. */
  async scheduleOf(node: NodeId, { from, to }: Stretch): Promise<string | null> {
    return this.keeping.longest((await this.pathsOf(node, { from: from + 1, until: to })).map((path) => Buffer.from(path, 'latin1')));
  }

  /** Every path that it had in that time. */
  private async pathsOf(node: NodeId, time: Time): Promise<string[]> {
    const links = await this.history.everyLink(node);
    const then = links.filter(({ from, until }) => from < time.until && until > time.from);
    const last = links.filter(({ until }) => until <= time.from).reduce<Link | null>((one, other) => (one === null || other.until > one.until ? other : one), null);
    const counted = then.length > 0 ? then.map((link) => ({ link, time: overlap(link, time) })) : last === null ? [] : [{ link: last, time: { from: last.until - 1, until: last.until } }];
    const paths = await Promise.all(counted.map(async ({ link, time: when }) => (await this.above(link.parent, when)).map((above) => (above === '' ? link.name : `${above}/${link.name}`))));
    return [...new Set(paths.flat())];
  }

  private above(directory: NodeId, time: Time): Promise<string[]> {
    if (directory === ROOT) return Promise.resolve(['']);
    const key = `${directory} ${time.from} ${time.until}`;
    const known = this.directories.get(key) ?? this.pathsOf(directory, time);
    this.directories.set(key, known);
    return known;
  }
}

const overlap = (link: Link, time: Time): Time => ({ from: Math.max(link.from, time.from), until: Math.min(link.until, time.until) });

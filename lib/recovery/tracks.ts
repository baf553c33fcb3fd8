/** Where the objects of the timeline lay when they changed. */
import type { HistoryReader } from '../history/reader.js';
import { ROOT, type Link, type Name, type NodeId, type Seq } from '../history/types.js';
import { linksTold } from './told.js';

/** Objects whose names are remembered. */
const LIMIT = 100_000;

/** `inside`: at or below one of the directories that were asked for, whatever it was called then. */
interface Place {
  path: Name[];
  inside: boolean;
}

/** A place from `from` until just before `until`. */
interface Stay extends Place {
  from: Seq;
  until: Seq;
}

/**
 * Places at any seqs, in any order. Names are remembered with the time for which they stood, and the place of a
 * directory with the time for which every name of its path stood: nothing that is remembered grows old.
 */
export class Tracks {
  private readonly root: Stay;
  private readonly dirs = new Map<NodeId, Stay>();
  private readonly links = new Map<NodeId, Promise<Link[]>>();
  private readonly told = new Map<NodeId, Promise<Link[]>>();

  constructor(private readonly history: HistoryReader, private readonly tops: ReadonlySet<NodeId>) {
    this.root = { path: [], inside: tops.has(ROOT), from: 0, until: Infinity };
  }

  /** Is it one of the objects that were asked for? */
  isTop(node: NodeId): boolean {
    return this.tops.has(node);
  }

  /** The place of a name at an instant. */
  async slot(parent: NodeId, name: Name, seq: Seq): Promise<Place | null> {
    const dir = await this.dir(parent, seq);
    return dir && { path: [...dir.path, name], inside: dir.inside };
  }

  /** The places of an object at an instant, sorted by bytes. */
  async places(node: NodeId, seq: Seq): Promise<Place[]> {
    if (node === ROOT) return [this.root];
    const places: Place[] = [];
    for (const { parent, name } of await this.linksAt(node, seq)) {
      const place = await this.slot(parent, name, seq);
      if (place) places.push({ path: place.path, inside: place.inside || this.tops.has(node) });
    }
    const text = ({ path }: Place): string => path.join('\0');
    return places.sort((a, b) => (text(a) < text(b) ? -1 : 1));
  }

  private async dir(node: NodeId, seq: Seq): Promise<Stay | null> {
    if (node === ROOT) return this.root;
    const known = this.dirs.get(node);
    if (known && known.from <= seq && seq < known.until) return known;
    const [link] = await this.linksAt(node, seq);
    const above = link && await this.dir(link.parent, seq);
    if (!above) return null;
    const place = {
      path: [...above.path, link.name], inside: above.inside || this.tops.has(node),
      from: Math.max(above.from, link.from), until: Math.min(above.until, link.until),
    };
    this.dirs.set(node, place);
    return place;
  }

  /** Between kept instants a name may be gone that the timeline still tells of. */
  private async linksAt(node: NodeId, seq: Seq): Promise<Link[]> {
    const at = async (known: Map<NodeId, Promise<Link[]>>, ask: () => Promise<Link[]>): Promise<Link[]> =>
      (await remembered(known, node, ask)).filter(({ from, until }) => from <= seq && seq < until);
    const links = await at(this.links, () => this.history.everyLink(node));
    return links.length > 0 ? links : at(this.told, () => linksTold(this.history, node));
  }
}

function remembered(known: Map<NodeId, Promise<Link[]>>, node: NodeId, ask: () => Promise<Link[]>): Promise<Link[]> {
  let links = known.get(node);
  if (!links) {
    if (known.size >= LIMIT) known.clear();
    known.set(node, (links = ask()));
  }
  return links;
}

/** Where the objects of the timeline lay when they changed, for a walk that goes back in time. */
import type { HistoryReader } from '../history/reader.js';
import { ROOT, type Change, type Name, type NodeId, type Seq } from '../history/types.js';
import { slotKey } from './places.js';

/** Objects whose places are remembered. */
const LIMIT = 100_000;

interface Place {
  path: Name[];
  inside: boolean;
}

/**
 * Paths at seqs that only go down. Directories are remembered until a change of directories' names is passed; `inside`
 * tells whether a place lies at or below one of the directories that were asked for, whatever it was called then.
 */
export class Tracks {
  private dirs = new Map<NodeId, Promise<Place | null>>();
  private objects = new Map<NodeId, Place[]>();

  constructor(private readonly history: HistoryReader, private readonly tops: ReadonlySet<NodeId>) {}

  /** To be called with every change, from the newest on, after it was looked at. */
  passed(change: Change): void {
    if (change.marker === 'rename' || change.marker === 'create' || change.marker === 'delete') {
      const concerned = [change.node, ...(change.target === undefined ? [] : [change.target])];
      const moved = concerned.some((node) => this.dirs.has(node));
      if (moved) this.dirs = new Map();
      if (moved || this.objects.size > LIMIT) this.objects = new Map();
      for (const node of concerned) this.objects.delete(node);
    }
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
    if (node === ROOT) return [{ path: [], inside: this.tops.has(ROOT) }];
    const known = this.objects.get(node);
    if (known) return known;
    const places: Place[] = [];
    const seen = new Set<string>();
    for (const { parent, name } of await this.history.linksOf(node, seq)) {
      const key = slotKey(parent, name);
      const place = seen.has(key) ? null : await this.slot(parent, name, seq);
      seen.add(key);
      if (place) places.push({ path: place.path, inside: place.inside || this.tops.has(node) });
    }
    const text = ({ path }: Place): string => path.join('\0');
    places.sort((a, b) => (text(a) < text(b) ? -1 : 1));
    this.objects.set(node, places);
    return places;
  }

  private dir(node: NodeId, seq: Seq): Promise<Place | null> {
    let place = this.dirs.get(node);
    if (!place) this.dirs.set(node, (place = this.findDir(node, seq)));
    return place;
  }

  private async findDir(node: NodeId, seq: Seq): Promise<Place | null> {
    if (node === ROOT) return { path: [], inside: this.tops.has(ROOT) };
    const [link] = await this.history.linksOf(node, seq);
    const above = link ? await this.slot(link.parent, link.name, seq) : null;
    return above && { path: above.path, inside: above.inside || this.tops.has(node) };
  }
}

/**
 * The view of a group: of the tree at one instant only its members and the directories that lead to them, or all names,
 * of which only members can be read. Guarantee: the same instant through the same lens shows the same for ever.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Name, NodeAttr, NodeId, Seq } from '../history/types.js';
import { S_IFDIR, S_IFMT } from './wire.js';

/** A set of files, by their paths from the root of the tree (bytes). */
export interface ViewGroup {
  has(path: Buffer, directory: boolean): boolean;
  /** Nothing at or below it is a member. */
  excludes(path: Buffer, directory: boolean): boolean;
  view: 'members' | 'names';
}

type Asked = Pick<HistoryReader, 'pathOf' | 'list' | 'attr' | 'attrs' | 'linksOf'>;

const bytes = (path: readonly Name[]): Buffer => Buffer.from(path.join('/'), 'latin1');
const isDirectory = (attr: NodeAttr | null): boolean => attr !== null && (attr.mode & S_IFMT) === S_IFDIR;

export class Lens {
  private readonly leading = new Map<NodeId, Promise<boolean>>();

  constructor(private readonly history: Asked, private readonly seq: Seq, private readonly group: ViewGroup) {}

  /** Which of these entries of a directory are there. */
  async shows(directory: NodeId, entries: readonly { name: Name; node: NodeId }[]): Promise<boolean[]> {
    if (this.group.view === 'names') return entries.map(() => true);
    const [above, attrs] = await Promise.all([this.history.pathOf(directory, this.seq), this.history.attrs(entries.map(({ node }) => node), this.seq)]);
    return Promise.all(entries.map(({ name, node }, i) => above !== null && this.isThere([...above, name], node, attrs[i] ?? null)));
  }

  /** May the content of this object be read? By any of its names. */
  async mayRead(node: NodeId): Promise<boolean> {
    if (this.group.view === 'members') return true;  // nobody gets to what is not there
    for (const { parent, name } of await this.history.linksOf(node, this.seq)) {
      const above = await this.history.pathOf(parent, this.seq);
      if (above && this.group.has(bytes([...above, name]), false)) return true;
    }
    return false;
  }

  private async isThere(path: readonly Name[], node: NodeId, attr: NodeAttr | null): Promise<boolean> {
    return isDirectory(attr) ? this.leads(node, path) : this.group.has(bytes(path), false);
  }

  /** Is this directory a member, or does it lead to one? Looked into once. */
  private leads(node: NodeId, path: readonly Name[]): Promise<boolean> {
    let found = this.leading.get(node);
    if (!found) {
      found = this.find(node, path);
      this.leading.set(node, found);
      found.catch(() => this.leading.delete(node));
    }
    return found;
  }

  private async find(node: NodeId, path: readonly Name[]): Promise<boolean> {
    if (this.group.excludes(bytes(path), true)) return false;
    if (this.group.has(bytes(path), true)) return true;
    const entries = await this.history.list(node, this.seq);
    const attrs = await this.history.attrs(entries.map((entry) => entry.node), this.seq);
    const directories: typeof entries = [];
    for (const [i, entry] of entries.entries()) {
      if (isDirectory(attrs[i] ?? null)) directories.push(entry);
      else if (this.group.has(bytes([...path, entry.name]), false)) return true;
    }
    for (const entry of directories) if (await this.leads(entry.node, [...path, entry.name])) return true;
    return false;
  }
}

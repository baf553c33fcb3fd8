/**
 * Archives that go on from each other: a full one, then those of what changed since, in order. Guarantee: what cannot be read
 * together (another store, another group, a gap between two, a full one in the middle) is refused, naming what is missing.
 */
import { RewindError } from '../errors.js';
import type { NodeId } from '../history/types.js';
import { safeForTerminal } from '../paths.js';
import { formatTimeUtc } from '../time/format.js';
import { Archive } from './archive.js';
import type { ArchiveInstant } from './head.js';
import type { ArchiveNode } from './records.js';

/** An object, and the archive of a chain that describes it. */
export interface Located { level: number; one: ArchiveNode }

const showInstant = ({ seq, timeNs }: ArchiveInstant): string => `#${seq} (${formatTimeUtc(timeNs)})`;

export class Chain {
  private constructor(readonly archives: readonly Archive[]) {}

  /** @param names what errors call them @throws ERR_ARCHIVE_BASE, and those of Archive.open */
  static async open(files: readonly string[], names = files): Promise<Chain> {
    const archives: Archive[] = [];
    try {
      for (const [i, file] of files.entries()) {
        const archive = await Archive.open(file, names[i]);
        archives.push(archive);
        expectToFit(archive, archives.at(-2));
      }
      return new Chain(archives);
    } catch (error) {
      for (const archive of archives) await archive.close();
      throw error;
    }
  }

  /** What the newest archive, up to the one of this level, says of an object. @throws ERR_ARCHIVE_CORRUPT */
  async node(node: NodeId, level: number): Promise<Located | null> {
    for (let at = level; at >= 0; at--) {
      const one = await this.archives[at]!.node(node);
      if (one) return { level: at, one };
    }
    return null;
  }

  async close(): Promise<void> {
    for (const archive of this.archives) await archive.close();
  }
}

/** @throws ERR_ARCHIVE_BASE unless an archive goes on from the one before, or is a full one when there is none */
export function expectToFit(archive: Archive, before: Archive | undefined): void {
  const name = safeForTerminal(archive.file);
  const { head } = archive;
  const refuse = (why: string, hint: string) => new RewindError('ERR_ARCHIVE_BASE', why, hint);
  if (!before) {
    if (head.base) throw refuse(`${name} holds what changed since ${showInstant(head.base)}: the archive of that instant is missing`, 'Name a full archive first, then those that go on from it, in order.');
    return;
  }
  const last = safeForTerminal(before.file);
  if (!head.base) throw refuse(`${name} is a full archive, and goes on from nothing`, `It is needed alone, or first: leave ${last} out.`);
  if (head.store !== before.head.store) throw refuse(`${name} is of the store ${head.store.slice(0, 8)}, ${last} of ${before.head.store.slice(0, 8)}`, 'Archives that go on from each other are of one store.');
  if (JSON.stringify(head.group) !== JSON.stringify(before.head.group)) throw refuse(`${name} is of another group than ${last}, or of one that was defined otherwise`, 'Archives that go on from each other are of one group.');
  if (head.base.seq !== before.head.at.seq) {
    throw refuse(`${name} goes on from ${showInstant(head.base)}, ${last} ends at ${showInstant(before.head.at)}`,
      head.base.seq > before.head.at.seq ? 'An archive between them is missing.' : 'They are in the wrong order, or one is named twice.');
  }
}

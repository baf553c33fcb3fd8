/**
 * What files take in history: what was written, and what is stored for it. Guarantees: content that several share is counted
 * where it is met first; entries that belong to no file (names of directories, the timeline, times) are in no file's figures.
 */
import { decodeBlock } from '../history/blocks.js';
import { coldPlaceOf } from '../history/cold/place.js';
import type { Family } from '../history/families.js';
import type { History } from '../history/history.js';
import { seqInKey, u64Key, under } from '../history/keys.js';
import type { NodeId } from '../history/types.js';

/** Bytes that were written (all of them, how often ever), in how many pieces, and what they take. */
export interface Usage { pieces: number; writtenBytes: number; storedBytes: number }

/** Families whose keys begin with a node. */
const OWN: readonly Family[] = ['nodes', 'links', 'xattrs', 'cuts', 'nodechanges'];
/** Contents that are looked up at a time. */
const LOOKED_UP = 256;

export class UsageMeter {
  private readonly counted = new Set<number>();

  constructor(private readonly history: History) {}

  /** Of one object. */
  async of(node: NodeId): Promise<Usage> {
    const { rocks } = this.history;
    const usage: Usage = { pieces: 0, writtenBytes: 0, storedBytes: 0 };
    for (const family of OWN) for await (const { key, value } of rocks.scan(family, under(node), { stored: true })) usage.storedBytes += key.length + value.length;
    const contents: number[] = [];
    for await (const { key, value } of rocks.scan('blocks', under(node), { stored: true })) {
      usage.storedBytes += key.length + value.length;
      for (const { zero, content, length } of decodeBlock(rocks.zip.unzip('blocks', value), seqInKey(key)).patches) {
        usage.pieces++;
        if (zero) continue;
        usage.writtenBytes += length;
        if (content === 0 || this.counted.has(content)) continue;
        this.counted.add(content);
        contents.push(content);
      }
    }
    for (let i = 0; i < contents.length; i += LOOKED_UP) {
      for (const value of await rocks.getMany('content', contents.slice(i, i + LOOKED_UP).map(u64Key))) usage.storedBytes += value === null ? 0 : value.length + 8 + (coldPlaceOf(value)?.length ?? 0);
    }
    return usage;
  }
}

export function add(to: Usage, more: Usage): void {
  to.pieces += more.pieces;
  to.writtenBytes += more.writtenBytes;
  to.storedBytes += more.storedBytes;
}

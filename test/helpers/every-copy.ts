/** The naive model of what looks into the past: a copy of the whole tree after every single record. */
import { ROOT, type Name, type NodeId, type Seq } from '../../lib/history/types.js';
import type { ModelTree } from './model-tree.js';

/** What lay at a path. */
export interface Copy {
  /** Type bits of st_mode. */
  type: number;
  node: NodeId;
  size: number;
  data: Buffer;
}

/** By seq, then by path (names joined with `/`, latin1); index 0 is before everything. */
export async function everyCopy({ history }: ModelTree): Promise<Map<string, Copy>[]> {
  const copies: Map<string, Copy>[] = [new Map()];
  for (let seq = 1; seq <= history.watermark(); seq++) {
    const copy = new Map<string, Copy>();
    const visit = async (node: NodeId, path: Name[]): Promise<void> => {
      const state = history.node(node, seq);
      if (!state) throw new Error(`no state of ${path.join('/')} at #${seq}`);
      if (path.length > 0) copy.set(path.join('/'), { type: state.attr.mode & 0o170000, node, size: state.attr.size, data: state.data });
      for (const entry of await history.list(node, seq)) await visit(entry.node, [...path, entry.name]);
    };
    await visit(ROOT, []);
    copies.push(copy);
  }
  return copies;
}

/** A path was there from `from` to `last`, with one type. */
export interface CopiedLife {
  path: string;
  type: number;
  from: Seq;
  last: Seq;
  size: number;
}

/** Every life of every path: the longest stretches of copies that have it, with one type. */
export function livesInCopies(copies: Map<string, Copy>[]): CopiedLife[] {
  const lives: CopiedLife[] = [];
  const open = new Map<string, CopiedLife>();
  copies.forEach((copy, seq) => {
    for (const [path, life] of open) if (copy.get(path)?.type !== life.type) open.delete(path);
    for (const [path, { type, size }] of copy) {
      const life = open.get(path);
      if (life) Object.assign(life, { last: seq, size });
      else {
        const fresh = { path, type, from: seq, last: seq, size };
        open.set(path, fresh);
        lives.push(fresh);
      }
    }
  });
  return lives;
}

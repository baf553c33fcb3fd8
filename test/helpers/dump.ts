/** The state of a tree at one instant, as text that can be compared: everything that a rollback must bring back. */
import type { HistoryReader } from '../../lib/history/reader.js';
import { type Name, type NodeId, type Seq } from '../../lib/history/types.js';
import { showPath } from '../../lib/paths.js';
import { createHash } from 'node:crypto';
import { aclWithMode } from './acl.js';

export interface DumpOptions {
  /** Only this subtree. */
  path?: Name[];
  /** Also times of access. */
  atime?: boolean;
}

/** One line a path, sorted; hard links show the first path of their object. */
export async function dump(history: HistoryReader, seq: Seq, options: DumpOptions = {}): Promise<string[]> {
  const first = new Map<NodeId, string>();
  const lines: string[] = [];
  const top = await history.resolve(options.path ?? [], seq);
  const visit = async (node: NodeId, path: Name[]): Promise<void> => {
    const attr = await history.attr(node, seq);
    if (!attr) throw new Error(`no attributes of ${showPath(path)} at #${seq}`);
    const group = first.get(node) ?? showPath(path);
    first.set(node, group);
    const type = attr.mode & 0o170000;
    const isDir = type === 0o040000;
    const content = type === 0o100000 ? await history.read(node, 0, attr.size, seq) : type === 0o120000 ? await history.readlink(node, seq) : Buffer.alloc(0);
    const xattrs = [...await history.xattrs(node, seq)]
      .map(([name, value]) => `${name}=${(name === 'system.posix_acl_access' ? aclWithMode(value, attr.mode) : value).toString('hex')}`).sort().join(',');
    lines.push([
      showPath(path), attr.mode.toString(8), attr.uid, attr.gid, isDir ? '' : `n${attr.nlink} s${attr.size} ${group}`, attr.rdev,
      attr.mtime, options.atime === false ? '' : attr.atime, createHash('sha1').update(content).digest('hex').slice(0, 12), xattrs,
    ].join(' | '));
    if (isDir) for (const entry of await history.list(node, seq)) await visit(entry.node, [...path, entry.name]);
  };
  if (top !== null) await visit(top, options.path ?? []);
  return lines;
}

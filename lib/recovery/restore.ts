/**
 * A copy of a past state somewhere else. Guarantees: exact (types, content with its holes, modes, owners, times, extended
 * attributes, hard links inside the copy); an existing name is never overwritten unless that was asked for, and this is
 * known before the first byte is written.
 */
import { lstat, mkdir, readdir } from 'node:fs/promises';
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Name, NodeAttr, NodeId, Seq } from '../history/types.js';
import type { TreeWriter } from '../native.js';
import { safeForTerminal, showName, showPath } from '../paths.js';
import { applyPlan, type ApplyOptions, type Steps } from './apply.js';
import { hasNoContent, isDir, whyNoContent } from './compare.js';
import { neverExisted } from './nearest.js';
import { directoryAttributes, joinPath, makeObject } from './plan/objects.js';
import type { ApplyProgress, PlanOp } from './types.js';

/** What to copy where. */
export interface RestoreOptions extends ApplyOptions {
  /** What to copy; [] is the whole tree. */
  path: Name[];
  at: Seq;
  /** A directory; made if it is missing. The copy gets its old name in it; the whole tree comes as its content. */
  dest: string;
  /** Only these paths of the tree, which lead to each other. Default: all. */
  only?: ReadonlySet<string>;
  /** Told of each file that is left out because history does not have its content: its path in the copy, and why not. */
  onSkip?: (path: Name[], reason: string) => void;
  /** Replace files that are in the way, and fill directories that are there already. */
  force?: boolean;
  /** Opens a directory for changing: `native.openTree`. */
  openTree: (path: string) => Promise<TreeWriter>;
}

interface Item {
  node: NodeId;
  path: string;
  attr: NodeAttr;
}

/**
 * Restores a path as it was at an instant into another directory.
 * @throws ERR_NEVER_EXISTED, ERR_NOT_THEN, ERR_EXISTS naming what is in the way, ERR_PARTLY_DONE.
 */
export async function restoreInto(history: HistoryReader, options: RestoreOptions): Promise<ApplyProgress> {
  const { dest } = options;
  const steps = await planRestore(history, options);
  await mkdir(dest, { recursive: true });
  const tree = await options.openTree(dest);
  try {
    return await applyPlan(steps, history, tree, options);
  } finally {
    tree.close();
  }
}

/** The steps alone; nothing is changed. @throws as restoreInto, but ERR_PARTLY_DONE */
export async function planRestore(history: HistoryReader, { path, at, dest, force, only, onSkip }: Omit<RestoreOptions, 'openTree'>): Promise<Steps & { objects: number }> {
  const node = await history.resolve(path, at);
  if (node === null) {
    throw await neverExisted(history, path) ?? new RewindError('ERR_NOT_THEN', `${safeForTerminal(showPath(path))} did not exist at #${at}`, '`rewind log` shows when it did');
  }
  const attr = await history.attr(node, at);
  if (!attr) throw new RewindError('ERR_HISTORY_CORRUPT', `history has no attributes of ${safeForTerminal(showPath(path))} at #${at}`, 'check the store');
  if (hasNoContent(attr)) throw new RewindError(attr.thinned === undefined ? 'ERR_NOT_CAPTURED' : 'ERR_TIME_THINNED', `${safeForTerminal(showPath(path))} at #${at}: ${whyNoContent(attr)}`, '`rewind policy check PATH` says which rule it was');
  const builder = new Builder(history, at, dest, force === true, onSkip, only && { paths: only, above: path.slice(0, -1) });
  await builder.build({ node, path: path.at(-1) ?? '', attr });
  return { ops: builder.ops, to: at, bytes: builder.bytes, objects: builder.objects };
}

class Builder {
  readonly ops: PlanOp[] = [];
  bytes = 0;
  /** Names that come, or are replaced. */
  objects = 0;
  private readonly made = new Map<NodeId, string>();

  constructor(private readonly history: HistoryReader, private readonly at: Seq, private readonly dest: string, private readonly force: boolean, private readonly onSkip?: RestoreOptions['onSkip'], private readonly only?: { paths: ReadonlySet<string>; above: Name[] }) {}

  async build(top: Item): Promise<void> {
    const last: PlanOp[][] = [];
    const stack: { item: Item; below: boolean }[] = [{ item: top, below: true }];
    for (let next = stack.pop(); next; next = stack.pop()) {
      const { item, below } = next;
      if (hasNoContent(item.attr)) {
        this.onSkip?.(item.path.split('/'), whyNoContent(item.attr));
        continue;
      }
      const there = below && await this.there(item);
      if (there !== 'directory' && item.path !== '') this.objects++;
      const made = this.made.get(item.node);
      if (made !== undefined) {
        this.ops.push({ op: 'link', path: item.path, from: made });
        continue;
      }
      if (!isDir(item.attr)) this.made.set(item.node, item.path);
      if (there !== 'directory' && item.path !== '') {
        const steps = await makeObject(this.history, item.path, item.node, item.attr, this.at, { owner: null, acl: true });
        for (const one of steps.ops) this.ops.push(one);
        this.bytes += steps.bytes;
      }
      if (!isDir(item.attr)) continue;
      last.push(await directoryAttributes(this.history, item.path, item.node, item.attr, this.at, { owner: null, acl: true }));
      const entries = await this.history.list(item.node, this.at);
      const attrs = await this.history.attrs(entries.map((entry) => entry.node), this.at);
      for (const [i, entry] of [...entries.entries()].reverse()) {
        const attr = attrs[i];
        if (attr && this.wanted(joinPath(item.path, entry.name))) stack.push({ item: { node: entry.node, path: joinPath(item.path, entry.name), attr }, below: there === 'directory' });
      }
    }
    for (const ops of last.reverse()) for (const one of ops) this.ops.push(one);
  }

  private wanted(path: string): boolean {
    return this.only?.paths.has([...this.only.above, path].join('/')) ?? true;
  }

  /** What lies in the way. A file that may be replaced is removed by a step of its own. */
  private async there(item: Item): Promise<'nothing' | 'directory'> {
    const full = Buffer.concat([Buffer.from(`${this.dest}/`), Buffer.from(item.path, 'latin1')]);
    const stat = await lstat(full).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (!stat) return 'nothing';
    const refuse = (why: string): never => {
      throw new RewindError('ERR_EXISTS', `${safeForTerminal(`${this.dest}/${item.path.split('/').map(showName).join('/')}`)} ${why}`, 'restore into another directory, or use --force');
    };
    if (item.path === '' && !stat.isDirectory()) refuse('is not a directory');
    if (item.path === '') return (await readdir(this.dest)).length === 0 || this.force ? 'directory' : refuse('is not empty');
    if (!this.force) return refuse('exists already');
    if (stat.isDirectory()) return isDir(item.attr) ? 'directory' : refuse('is a directory, and a file should take its name');
    this.ops.push({ op: 'unlink', path: item.path });
    return 'nothing';
  }
}


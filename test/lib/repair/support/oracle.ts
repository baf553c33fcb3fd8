/**
 * What a damaged store may answer: what the whole one did, or that it does not know. Every answer about sampled instants is
 * kept with its place, so that one that is missing is told from one that is wrong.
 */
import { createHash } from 'node:crypto';
import type { History } from '../../../../lib/history/history.js';
import type { Name, NodeId, Seq } from '../../../../lib/history/types.js';
import { showPath } from '../../../../lib/paths.js';

/** Instants whose tree is looked at, beside the last. */
const EVERY = 17;
/** Errors that say that something is not known any more. */
const UNKNOWN = new Set(['ERR_NOT_CAPTURED', 'ERR_TIME_THINNED', 'ERR_PURGED']);

/** By instant and path; null: it is said not to be known. */
export type Answers = Map<string, { attributes: string; content: string | null }>;

export async function answers(history: History): Promise<Answers> {
  const found: Answers = new Map();
  const instants = Array.from({ length: Math.ceil(history.watermark() / EVERY) }, (_, i) => 1 + i * EVERY);
  for (const seq of new Set([...instants, history.watermark()])) if (history.hidden(seq) === null) await tree(history, seq, 1, [], found);
  return found;
}

async function tree(history: History, seq: Seq, node: NodeId, path: Name[], found: Answers): Promise<void> {
  const attr = await history.attr(node, seq);
  if (attr === null) throw new Error(`no attributes of ${showPath(path)} at #${seq}`);
  const type = attr.mode & 0o170000;
  const xattrs = [...await history.xattrs(node, seq)].map(([name, value]) => `${name}=${value.toString('hex')}`).sort();
  const { uncaptured: _, ...rest } = attr;
  found.set(`#${seq} ${showPath(path)}`, { attributes: [...Object.values(rest), ...xattrs].join(' '), content: type === 0o040000 ? '' : await contentOf(history, node, attr.size, seq) });
  if (type === 0o040000) for (const entry of await history.list(node, seq)) await tree(history, seq, entry.node, [...path, entry.name], found);
}

async function contentOf(history: History, node: NodeId, size: number, seq: Seq): Promise<string | null> {
  try {
    return createHash('sha1').update(await history.read(node, 0, size, seq)).digest('hex');
  } catch (error) {
    if (UNKNOWN.has((error as { code?: string }).code ?? '')) return null;
    throw error;
  }
}

/** What is answered and is not so. `families`: those of which something was lost; only that may be missing. */
export function wrongAnswers(expected: Answers, given: Answers, families: ReadonlySet<string>): string[] {
  const wrong: string[] = [];
  const instants = new Set([...expected.keys()].map((place) => place.split(' ', 1)[0]!));
  for (const [place, { attributes, content }] of given) {
    const right = expected.get(place);
    // The last instant of a history that is cut is one that was not looked at.
    if (right === undefined && !instants.has(place.split(' ', 1)[0]!)) continue;
    if (right === undefined) {
      if (!families.has('names') && !families.has('links')) wrong.push(`${place} is there`);
      continue;
    }
    if (content !== null && content !== right.content) wrong.push(`${place}: ${content}, expected ${right.content}`);
    if (attributes !== right.attributes && !families.has('nodes') && !families.has('xattrs')) wrong.push(`${place}: ${attributes}, expected ${right.attributes}`);
  }
  return wrong;
}

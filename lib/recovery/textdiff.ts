/**
 * The content of one difference as a unified diff. Guarantees: the patch is bytes, so that patch(1) gets exactly what the
 * files hold, whatever their encoding; time and memory are bounded (what differs too much is shown as replaced whole).
 */
import { structuredPatch } from 'diff/lib/patch/create.js';
import type { HistoryReader } from '../history/reader.js';
import type { NodeAttr, NodeId, Seq } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import { hasNoContent, isDir, isFile, isLink } from './compare.js';
import type { DiffEntry } from './types.js';

/** Content that differs, as a patch or as the reason why there is none. */
export type ContentDiff =
  | { kind: 'text'; patch: Buffer; added: number; removed: number }
  | { kind: 'binary'; fromBytes: number; toBytes: number }
  | { kind: 'large'; fromBytes: number; toBytes: number }
  /** The content of one side was not captured. */
  | { kind: 'uncaptured'; fromBytes: number; toBytes: number };

/** How content is compared. */
export interface TextDiffOptions {
  /** Unchanged lines around a change. Default 3. */
  context?: number;
  /** A file above this is `large`. Default 4 MiB. */
  maxBytes?: number;
  /** Control characters as escapes, for a terminal; tabs stay. */
  terminal?: boolean;
}

const MAX_BYTES = 4 << 20;
const MAX_EDITS = 1500;
const BINARY_BYTES = 8000;

/** null when there is no content to compare: directories, special files, or equal content. */
export async function unifiedDiff(history: HistoryReader, entry: DiffEntry, fromSeq: Seq, toSeq: Seq, options: TextDiffOptions = {}): Promise<ContentDiff | null> {
  const { fromNode, toNode, fromAttr, toAttr } = entry;
  const readable = (attr: NodeAttr | null): boolean => attr !== null && (isFile(attr) || isLink(attr));
  if (!readable(fromAttr) && !readable(toAttr)) return null;
  if ((fromAttr && isDir(fromAttr)) || (toAttr && isDir(toAttr))) return null;
  if (fromAttr && toAttr && !entry.what.content) return null;
  const fromBytes = fromAttr?.size ?? 0;
  const toBytes = toAttr?.size ?? 0;
  if ((fromAttr && hasNoContent(fromAttr)) || (toAttr && hasNoContent(toAttr))) return { kind: 'uncaptured', fromBytes, toBytes };
  if (Math.max(fromBytes, toBytes) > (options.maxBytes ?? MAX_BYTES)) return { kind: 'large', fromBytes, toBytes };
  const [a, b] = await Promise.all([contentOf(history, fromNode, fromAttr, fromSeq), contentOf(history, toNode, toAttr, toSeq)]);
  if (isBinary(a) || isBinary(b)) return { kind: 'binary', fromBytes, toBytes };
  if (a.equals(b)) return null;
  const name = showPath(entry.path);
  const oldName = fromAttr === null ? '/dev/null' : `a/${showPath(entry.from ?? entry.path)}`;
  const newName = toAttr === null ? '/dev/null' : `b/${name}`;
  return patchOf(oldName, newName, a.toString('latin1'), b.toString('latin1'), options);
}

async function contentOf(history: HistoryReader, node: NodeId | null, attr: NodeAttr | null, seq: Seq): Promise<Buffer> {
  if (node === null || attr === null) return Buffer.alloc(0);
  if (isLink(attr)) return history.readlink(node, seq);
  return isFile(attr) ? history.read(node, 0, attr.size, seq) : Buffer.alloc(0);
}

/** As git decides it: a zero byte near the beginning. */
export const isBinary = (content: Buffer): boolean => content.subarray(0, BINARY_BYTES).includes(0);

function patchOf(oldName: string, newName: string, a: string, b: string, options: TextDiffOptions): ContentDiff {
  const found = structuredPatch(oldName, newName, a, b, undefined, undefined, { context: options.context ?? 3, maxEditLength: MAX_EDITS });
  const lines: string[] = [];
  if (found) {
    for (const hunk of found.hunks) {
      lines.push(`@@ -${rangeOf(hunk.oldStart, hunk.oldLines)} +${rangeOf(hunk.newStart, hunk.newLines)} @@`, ...hunk.lines);
    }
  } else {
    lines.push(...replacement(a, b));
  }
  const count = (sign: string): number => lines.filter((line) => line.startsWith(sign)).length;
  const shown = options.terminal === true ? lines.map(forTerminal) : lines;
  const header = Buffer.from(`--- ${safeForTerminal(oldName)}\n+++ ${safeForTerminal(newName)}\n`, 'utf8');
  const body = Buffer.from(`${shown.join('\n')}\n`, options.terminal === true ? 'utf8' : 'latin1');
  return { kind: 'text', patch: Buffer.concat([header, body]), added: count('+'), removed: count('-') };
}

/** As diff(1) writes it: a count of 1 is left out, and an empty range stands after the line before it. */
const rangeOf = (start: number, lines: number): string => (lines === 1 ? `${start}` : `${lines === 0 ? start - 1 : start},${lines}`);

function replacement(a: string, b: string): string[] {
  const side = (text: string, sign: string): string[] => {
    if (text === '') return [];
    const lines = text.split('\n');
    const whole = lines.at(-1) === '';
    if (whole) lines.pop();
    return [...lines.map((line) => sign + line), ...(whole ? [] : ['\\ No newline at end of file'])];
  };
  const olds = side(a, '-');
  const news = side(b, '+');
  const counted = (lines: string[]): number => lines.filter((line) => !line.startsWith('\\')).length;
  const [oldLines, newLines] = [counted(olds), counted(news)];
  return [`@@ -${rangeOf(1, oldLines)} +${rangeOf(1, newLines)} @@`, ...olds, ...news];
}

const forTerminal = (line: string): string => {
  const text = Buffer.from(line, 'latin1').toString('utf8');
  return text.split('\t').map(safeForTerminal).join('\t');
};

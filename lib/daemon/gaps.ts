/** What was not captured (invariant I10): the method `gaps`, and what other answers say of it. */
import type { HistoryReader } from '../history/reader.js';
import type { Gap, Name, Seq } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import { isUnder } from '../recovery/places.js';
import { formatTimeUtc } from '../time/format.js';
import { stretchOf, validPath } from './ask.js';
import type { GapRow, GapsSaid, Methods } from './protocol.js';
import type { Session } from './session.js';

/** Gaps that an answer about something else names. */
const MOST_NAMED = 10;

/** In words, without the place. */
function gapText(gap: Gap): string {
  const { reason, detail } = gap;
  const text = (key: string): string => safeForTerminal(String(detail[key] ?? 'unknown'));
  switch (reason) {
    case 'policy': return `the policy captures ${text('pattern')} as ${text('capture')} (${text('by')})`;
    case 'unmounted': return 'changes were made while the tree was not mounted';
    case 'baseline-incomplete': return 'the first look at the tree was cut short before';
    case 'capture': return `content could not be captured (${text('error')})`;
    case 'baseline': return detail['what'] === 'content' ? `content could not be read (${text('error')})` : `could not be looked at: ${text('what')} (${text('error')})`;
    case 'crash': return `changes up to #${text('last')} were on the disk only in part when the machine stopped; kept in ${text('kept')}`;
    case 'unrecorded': return `changes were not recorded from ${formatTimeUtc(BigInt(text('since_ns')))} to ${formatTimeUtc(gap.timeNs)}: the store's disk failed (${text('error')}), and the policy said on_full = "work"; \`rewind diff --from '#${gap.seq - 1}' --to '#${gap.seq}'\` names the files`;
    case 'lost-content': return `the machine stopped before the content of ${filesOf(detail)} was on the disk; what was written is in history at #${text('last')}`;
    case 'past-the-mount': return `files were open for writing before the mount, by ${programsOf(detail)}`;
    case 'repair': return `${gap.node === undefined ? 'changes' : 'content'} could not be repaired: ${text('why')}`;
    default: return safeForTerminal(reason);
  }
}

function programsOf({ programs }: Gap['detail']): string {
  const known = Array.isArray(programs) ? programs as { pid: number; command: string }[] : [];
  return known.map(({ pid, command }) => safeForTerminal(`${command} (${pid})`)).join(', ') || 'unknown';
}

function filesOf({ files, count }: Gap['detail']): string {
  const named = Array.isArray(files) ? files.map((file) => safeForTerminal(String(file))) : [];
  const more = Number(count) - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Where it lies, by a name that its object has at the gap or now; null when it concerns no place. */
async function pathOf(history: HistoryReader, { seq, node, parent, name }: Gap): Promise<Name[] | null> {
  for (const at of [seq, history.watermark()]) {
    const path = node === undefined ? null : await history.pathOf(node, at);
    if (path) return path;
    const above = parent === undefined || name === undefined ? null : await history.pathOf(parent, at);
    if (above) return [...above, name!];
  }
  return null;
}

/** A gap as it is told. */
export async function gapRow(history: HistoryReader, gap: Gap): Promise<GapRow> {
  const path = await pathOf(history, gap);
  return { seq: gap.seq, time: formatTimeUtc(gap.timeNs), reason: gap.reason, detail: gap.detail, path: path && safeForTerminal(showPath(path)), text: gapText(gap) };
}

async function* rowsIn(history: HistoryReader, paths: readonly Name[][], wanted: (gap: Gap) => boolean): AsyncGenerator<GapRow> {
  for (const gap of await history.gaps()) {
    if (!wanted(gap)) continue;
    const path = await pathOf(history, gap);
    // One that concerns no place may concern every place.
    if (path === null || paths.length === 0 || paths.some((scope) => isUnder(path, scope) || isUnder(scope, path))) yield await gapRow(history, gap);
  }
}

/** The method `gaps`: oldest first. */
export async function* gaps(session: Session, args: Methods['gaps']['args']): AsyncGenerator<GapRow> {
  const { since, until } = await stretchOf(session, args);
  const path = validPath(args.path ?? '');
  yield* rowsIn(session.history, path.length === 0 ? [] : [path], ({ seq }) => (since === undefined || seq > since) && seq <= until);
}

/** Gaps of a scope that a question about `paths` meets; null when there is none. */
export async function gapsMet(history: HistoryReader, paths: readonly Name[][], wanted: (gap: Gap) => boolean): Promise<GapsSaid | null> {
  const rows: GapRow[] = [];
  for await (const row of rowsIn(history, paths.some((path) => path.length === 0) ? [] : paths, wanted)) rows.push(row);
  return rows.length === 0 ? null : { count: rows.length, newest: rows.slice(-MOST_NAMED) };
}

/** Gaps between two instants. */
export const gapsBetween = (history: HistoryReader, paths: readonly Name[][], a: Seq, b: Seq): Promise<GapsSaid | null> =>
  gapsMet(history, paths, ({ seq }) => seq > Math.min(a, b) && seq <= Math.max(a, b));

/** Gaps that a state of a path may lack something for: of before, where they have a place, and a first look that had not ended. */
export const gapsOfState = (history: HistoryReader, path: Name[], at: Seq): Promise<GapsSaid | null> =>
  gapsMet(history, [path], ({ seq, node, parent, reason }) => (seq <= at ? node !== undefined || parent !== undefined : reason === 'baseline-incomplete'));

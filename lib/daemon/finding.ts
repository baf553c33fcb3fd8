/** The methods that look for something in all of the past. */
import { RewindError } from '../errors.js';
import { findNames, type Found } from '../recovery/find.js';
import { isDir } from '../recovery/compare.js';
import { Removals } from '../recovery/removals.js';
import { grep as searchContents, type GrepOptions } from '../recovery/grep/grep.js';
import { safeForTerminal, showPath } from '../paths.js';
import { formatTimeUtc } from '../time/format.js';
import { textFields } from './blame.js';
import { stretchOf, validPath } from './ask.js';
import type { FindRow, GrepRow, Methods } from './protocol.js';
import { findRow } from './rows.js';
import type { Session } from './session.js';

/** Hits whose times are looked up together. */
const GROUP = 1024;

export async function* find(session: Session, args: Methods['find']['args'], signal: AbortSignal): AsyncGenerator<FindRow> {
  const path = validPath(args.path);
  const { since, until } = await stretchOf(session, args);
  const removals = new Removals(session.history);
  let group: Found[] = [];
  for await (const found of findNames(session.history, patternOf(args.pattern), { path, since, until, deleted: args.deleted, type: args.type }, signal)) {
    group.push(found);
    if (group.length < GROUP) continue;
    yield* await rowsOf(session, group, removals);
    group = [];
  }
  yield* await rowsOf(session, group, removals);
}

async function rowsOf({ history }: Session, group: Found[], removals: Removals): Promise<FindRow[]> {
  const times = await history.timesOf(group.flatMap(({ from, until }) => [from, until ?? from]));
  const rows: FindRow[] = [];
  for (const [i, found] of group.entries()) {
    const whole = isDir(found.attr) && found.until !== null && found.last === found.until - 1;
    const last = whole ? Math.max(found.from, await removals.before(found.until!)) : found.last;
    rows.push(findRow({ ...found, last }, [times[2 * i] ?? 0n, times[2 * i + 1] ?? 0n]));
  }
  return rows;
}

export async function* grep(session: Session, args: Methods['grep']['args'], signal: AbortSignal): AsyncGenerator<GrepRow> {
  const { history } = session;
  const options: GrepOptions = {
    pattern: patternOf(args.pattern), path: validPath(args.path), ignoreCase: args.ignore_case, fixed: args.fixed,
    namesOnly: args.names_only, allVersions: args.all_versions,
  };
  const { since, until } = await stretchOf(session, args);
  let last = { seq: -1, time: '' };
  for await (const found of searchContents(history, { ...options, since, until }, signal)) {
    if ('searched' in found) {
      yield { type: 'searched', ...found.searched };
      return;
    }
    if (found.seq !== last.seq) last = { seq: found.seq, time: formatTimeUtc((await history.timeOf(found.seq)) ?? 0n) };
    const where = { path: safeForTerminal(showPath(found.path)), ...last };
    yield found.line === 0 ? { type: 'file', ...where } : { type: 'line', ...where, line: found.line, ...textFields(found.text.toString('latin1')) };
  }
}

function patternOf(pattern: unknown): string {
  if (typeof pattern !== 'string') throw new RewindError('ERR_USAGE', 'A pattern must be text', 'Like "*.ts".');
  return pattern;
}

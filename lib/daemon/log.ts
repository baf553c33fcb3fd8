/** The method `log`. */
import { RewindError } from '../errors.js';
import type { Marker } from '../history/types.js';
import { compileProgramGlob } from '../program.js';
import { saveDifference } from '../recovery/savediff.js';
import type { ListOptions } from '../recovery/types.js';
import { listSaves, listWrites } from '../recovery/versions.js';
import { stretchOf, validPath } from './ask.js';
import { patchOf } from './diff.js';
import { isMember, membersOf } from './groups.js';
import type { LogFilter, LogRow, Methods } from './protocol.js';
import { saveRow, writeRow } from './rows.js';
import type { Session } from './session.js';

export async function* log(session: Session, args: Methods['log']['args'], signal: AbortSignal): AsyncGenerator<LogRow> {
  const { history } = session;
  const path = validPath(args.path);
  if (args.patch && args.all_writes) throw new RewindError('ERR_USAGE', 'A single record has no textual difference', 'Leave out --all-writes, or --patch.');
  const filter = filterOf(args);
  const members = membersOf(session, args.group);
  const wanted = members ? async (entry: Entry) => (filter?.(entry) ?? true) && await isMember(history, members, entry) : filter;
  const options = { ...await stretchOf(session, args), limit: args.limit, raw: args.raw, wanted };
  if (args.all_writes) {
    for await (const entry of listWrites(history, path, options)) yield writeRow(entry);
    return;
  }
  for await (const save of listSaves(history, path, options)) {
    if (signal.aborted) return;
    const difference = args.patch ? await saveDifference(history, save) : null;
    yield { ...saveRow(save), ...difference && await patchOf(session.history, difference.entry, difference.fromSeq, difference.toSeq, args.terminal ?? false) };
  }
}

type Entry = Parameters<NonNullable<ListOptions['wanted']>>[0];

const MARKERS: readonly string[] = ['create', 'modify', 'delete', 'rename'] satisfies Marker[];

/** @throws ERR_USAGE */
function filterOf({ pid, uid, exe, marker }: LogFilter): ((entry: Pick<Entry, 'marker' | 'writer'>) => boolean) | undefined {
  for (const [option, value] of [['--writer', pid], ['--uid', uid]] as const) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 0)) throw new RewindError('ERR_USAGE', `${option} takes a number, not ${String(value)}`, 'As `rewind log` shows it in brackets: bash[1234].');
  }
  if (marker !== undefined && !MARKERS.includes(marker)) throw new RewindError('ERR_USAGE', `${String(marker)} is no marker`, `Use one of ${MARKERS.join(', ')}.`);
  if (pid === undefined && uid === undefined && exe === undefined && marker === undefined) return undefined;
  const program = exe === undefined ? null : compileProgramGlob(exe);
  return (entry) => {
    const { writer } = entry;
    if (marker !== undefined && entry.marker !== marker) return false;
    if (pid === undefined && uid === undefined && program === null) return true;
    return writer !== null && (pid === undefined || writer.pid === pid) && (uid === undefined || writer.uid === uid) && (program === null || program(writer));
  };
}

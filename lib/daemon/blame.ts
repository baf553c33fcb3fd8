/** The method `blame`. */
import { RewindError } from '../errors.js';
import { safeForTerminal } from '../paths.js';
import type { Stage } from '../recovery/ancestry.js';
import { blameLines, MAX_TEXT_BYTES, type Origin } from '../recovery/blame.js';
import { blameBytes } from '../recovery/byteblame.js';
import { hasNoContent, isFile } from '../recovery/compare.js';
import { isBinary } from '../recovery/textdiff.js';
import { WriterCache } from '../recovery/writers.js';
import { formatTimeUtc } from '../time/format.js';
import { noContent, nodeThen, stateAt } from './ask.js';
import type { BlameRow, InstantRow, Methods } from './protocol.js';
import { instantRow, writerRow } from './rows.js';
import type { Session } from './session.js';

export async function* blame(session: Session, args: Methods['blame']['args'], signal: AbortSignal): AsyncGenerator<{ at: InstantRow } | BlameRow> {
  const { history } = session;
  const at = await stateAt(session, args.at, args, [args.path]);
  const { node, attr, names } = await nodeThen(history, args.path, at);
  const shown = safeForTerminal(args.path);
  const name = names.at(-1);
  if (!isFile(attr) || name === undefined) throw new RewindError('ERR_USAGE', `${shown || '.'} was not a regular file at #${at.seq}`, 'See `rewind ls` for what it was.');
  if (hasNoContent(attr)) throw await noContent(history, args.path, at, attr);
  yield { at: instantRow(at) };
  const parent = (await history.resolve(names.slice(0, -1), at.seq))!;
  const stage: Stage = { node, seq: at.seq, slot: { parent, name } };
  const writers = new WriterCache(history);
  if (args.bytes) {
    for (const { offset, length, origin } of await blameBytes(history, stage)) yield { offset, length, ...await originRow(origin, writers) };
    return;
  }
  if (attr.size > MAX_TEXT_BYTES) throw new RewindError('ERR_USAGE', `${shown} has ${attr.size} bytes: too many to follow line by line`, `Follow it byte by byte: rewind blame --bytes ${shown}`);
  if (isBinary(await history.read(node, 0, 8000, at.seq))) throw new RewindError('ERR_USAGE', `${shown} is binary: it has no lines`, `Follow it byte by byte: rewind blame --bytes ${shown}`);
  const { lines, origins } = await blameLines(history, stage, signal);
  for (const [i, line] of lines.entries()) {
    if (signal.aborted) return;
    yield { line: i + 1, ...textFields(line.replace(/\n$/, '')), ...await originRow(origins[i]!, writers) };
  }
}

async function originRow({ seq, timeNs, writer, uncertain, unmounted }: Origin, writers: WriterCache): Promise<Pick<BlameRow, 'seq' | 'time' | 'writer' | 'uncertain' | 'unmounted'>> {
  const found = await writers.get(writer);
  return { seq, time: formatTimeUtc(timeNs), writer: found && writerRow(found), uncertain, unmounted };
}

/** One char a byte as text, or when it is not UTF-8 in base64. */
export function textFields(line: string): { text: string } | { text_base64: string } {
  const bytes = Buffer.from(line, 'latin1');
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? { text } : { text_base64: bytes.toString('base64') };
}

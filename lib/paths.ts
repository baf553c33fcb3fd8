/**
 * Names are bytes (latin1 strings); this is the only place that turns them into text and back. Guarantees:
 * parsePath(showPath(names)) equals names for every path, whatever its bytes; nothing that safeForTerminal answers can
 * move a cursor, ring, recolour or reorder what a terminal shows, and parsePath still reads it as the same path.
 */
import { RewindError } from './errors.js';
import type { Name } from './history/types.js';

/** Well-formed UTF-8 sequences over one char a byte (Unicode 15, table 3-7). */
const UTF8_RUN = new RegExp(
  '(?:[\\x00-\\x7f]|[\\xc2-\\xdf][\\x80-\\xbf]|\\xe0[\\xa0-\\xbf][\\x80-\\xbf]|[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}' +
  '|\\xed[\\x80-\\x9f][\\x80-\\xbf]|\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}|[\\xf1-\\xf3][\\x80-\\xbf]{3}|\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2})+|[^]',
  'g',
);
const PLAIN = /^[\x00-\x5b\x5d-\x7f]*$/;
const ESCAPE = /\\x([0-9a-fA-F]{2})/g;
/** C0, DEL, C1, line and paragraph separators, bidirectional controls, zero-width and byte-order marks. */
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const hex = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;
const escapeBytes = (bytes: Buffer): string => Array.from(bytes, hex).join('');

/**
 * A name as text: valid UTF-8 as it is, every other byte as `\xHH`, and a backslash that would read as such an escape
 * as `\x5c`.
 */
export function showName(name: Name): string {
  if (PLAIN.test(name)) return name;
  return name.replace(UTF8_RUN, (run) => {
    if (run.length === 1 && run > '\x7f') return hex(run.charCodeAt(0));
    return Buffer.from(run, 'latin1').toString('utf8').replace(ESCAPE, (escape) => `\\x5c${escape.slice(1)}`);
  });
}

/** A path from the tree's root as text, without a leading slash; the root itself is `.`. */
export function showPath(names: readonly Name[]): string {
  return names.length === 0 ? '.' : names.map(showName).join('/');
}

/** The bytes of one shown name: the inverse of showName. */
export function parseName(text: string): Name {
  if (PLAIN.test(text)) return text;
  let bytes = '';
  let end = 0;
  for (const match of text.matchAll(ESCAPE)) {
    bytes += Buffer.from(text.slice(end, match.index), 'utf8').toString('latin1');
    bytes += String.fromCharCode(parseInt(match[1] as string, 16));
    end = match.index + match[0].length;
  }
  return bytes + Buffer.from(text.slice(end), 'utf8').toString('latin1');
}

/**
 * The names of a path relative to the tree's root. Empty parts and `.` are dropped, so `/`, `.` and the empty string
 * are the root.
 * @throws ERR_USAGE for `..` and for a name that holds a slash or a zero byte.
 */
export function parsePath(text: string): Name[] {
  const names = text.split('/').filter((part) => part !== '' && part !== '.').map(parseName);
  for (const name of names) {
    if (name === '..') throw new RewindError('ERR_USAGE', `the path ${safeForTerminal(text)} contains ".."`, 'name a path below the root of the tree');
    if (name.includes('/') || name.includes('\0')) {
      throw new RewindError('ERR_USAGE', `the path ${safeForTerminal(text)} contains a slash or a zero byte inside a name`, 'no file can have such a name');
    }
  }
  return names;
}

/** Bytes of a path relative to the root, as system calls take them; the root is `.`. */
export function pathBytes(names: readonly Name[]): Buffer {
  return names.length === 0 ? Buffer.from('.') : Buffer.from(names.join('/'), 'latin1');
}

/** Text with every control character as `\xHH` (its UTF-8 bytes), fit for one line of a terminal. */
export function safeForTerminal(text: string): string {
  return text.replace(UNSAFE, (char) => escapeBytes(Buffer.from(char, 'utf8')));
}

/**
 * What a user typed, where Node would lose bytes: words of the command line and the working directory as text. Guarantee:
 * what is valid UTF-8 stays as it is; anything else becomes text that `parsePath` reads as the same bytes.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import { showName } from '../paths.js';

/** What Node puts in the place of bytes that are not UTF-8. */
const LOST = '\ufffd';

/** Arguments of this process, behind the script. Source: proc_pid_cmdline(5), words ended by a zero byte. */
export function typedWords(): string[] {
  const words = process.argv.slice(2);
  if (!words.some((word) => word.includes(LOST))) return words;
  const raw = readFileSync('/proc/self/cmdline', 'latin1').split('\0').slice(0, -1).slice(-words.length);
  return words.map((word, i) => (word.includes(LOST) ? showName(raw[i] as string) : word));
}

/** A typed path made absolute. */
export function absolutePath(path: string): string {
  const directory = process.cwd();
  return directory.includes(LOST) ? resolve(showName(readlinkSync('/proc/self/cwd', 'latin1')), path) : resolve(path);
}

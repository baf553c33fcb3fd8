/**
 * Which program a writer is, and the one way to name programs by a pattern: `--exe` of every command and `exe` of the
 * policy file mean the same. Pure.
 */
import { compileGlob } from './glob.js';
import type { Writer } from './history/types.js';

type Command = Pick<Writer, 'exe' | 'argv'>;

/** Is this writer such a program? */
export type ProgramGlob = (writer: Command) => boolean;

/** Programs that run other programs: their first argument that is no option says which. */
const INTERPRETERS = /^(node|nodejs|bun|deno|python[\d.]*|pypy[\d.]*|ruby[\d.]*|perl[\d.]*|sh|bash|dash|zsh)$/;

const withoutMark = (exe: string): string => exe.replace(/ \(deleted\)$/, '');
const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const stem = (name: string): string => name.replace(/\.(js|cjs|mjs|py|rb|pl|exe|phar)$/, '');

/** The program's name, and its arguments: where an interpreter runs a script, those of the script. */
export function programOf(writer: Command): { name: string; args: readonly string[] } {
  const name = baseName(withoutMark(writer.exe));
  const args = writer.argv.slice(1).filter((arg, i, all) => arg !== '' || all.slice(i).some(Boolean));
  if (!INTERPRETERS.test(name)) return { name, args };
  // npm and others write a title of one piece over their command line.
  const title = writer.argv[0]?.split(' ') ?? [];
  if (args.length === 0 && title.length > 1) return { name: stem(baseName(title[0]!)), args: title.slice(1) };
  const module = args.indexOf('-m');
  const at = module >= 0 ? module + 1 : args.findIndex((arg) => !arg.startsWith('-'));
  const script = args[at];
  return script === undefined ? { name, args } : { name: stem(baseName(script)), args: args.slice(at + 1) };
}

/**
 * A pattern for programs (lib/glob.ts): with a slash on the whole path of the executable; without one on its last name, or
 * on the name of the script that it runs as an interpreter.
 * @throws ERR_USAGE
 */
export function compileProgramGlob(pattern: string): ProgramGlob {
  const glob = compileGlob(pattern);
  const fits = (path: string): boolean => glob.matches(Buffer.from(path, 'utf8').toString('latin1').split('/').filter((name) => name !== ''));
  return (writer) => fits(withoutMark(writer.exe) || (writer.argv[0] ?? '')) || (!pattern.includes('/') && fits(programOf(writer).name));
}

/** Is this writer one of these programs? */
export function anyOf(programs: readonly ProgramGlob[]): ProgramGlob {
  return (writer) => programs.some((program) => program(writer));
}

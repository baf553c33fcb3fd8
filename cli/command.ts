/** What every file in commands/ exports. */
import { RewindError } from '../lib/errors.js';
import type { Output } from './output.js';

/** Arguments as yargs gives them; the option table says which are there. */
export type Arguments = Record<string, string | boolean | number | string[] | undefined>;

export interface Command {
  /** Resolves to the exit code, 0 when it says nothing; throws what ends the program. */
  run(args: Arguments, out: Output): Promise<number | void>;
}

export function text(args: Arguments, name: string): string | undefined {
  const value = args[name];
  return value === undefined ? undefined : String(value);
}

/** @throws ERR_USAGE for what is no number at all (yargs makes NaN of it) */
export function number(args: Arguments, name: string): number | undefined {
  const value = args[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || Number.isNaN(value)) throw new RewindError('ERR_USAGE', `--${name} takes a number`, 'See rewind COMMAND --help.');
  return value;
}

/** All values of an option that may be given more than once. */
export function texts(args: Arguments, name: string): string[] {
  const value = args[name];
  return value === undefined ? [] : Array.isArray(value) ? value.map(String) : [String(value)];
}

export function flag(args: Arguments, name: string): boolean {
  return args[name] === true;
}

/** What every file in commands/ exports. */
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

export function flag(args: Arguments, name: string): boolean {
  return args[name] === true;
}

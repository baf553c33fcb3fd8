/**
 * Whether a writer installs or removes something, by the installers that the policy file knows.
 * Guarantee: pure; what is not recognised is nothing, never a guess.
 */
import type { PointKind, Writer } from '../history/types.js';
import { TAKES_VALUE, type Installer } from '../policy/installers.js';
import { programOf } from '../program.js';

/** What a writer's command says about the state of the system. */
export interface Operation {
  kind: Extract<PointKind, 'install' | 'uninstall'>;
  /** The command, as it is told to people: program and arguments. */
  command: string;
}

/** The first argument that is neither an option nor the value of one; "" when there is none. */
function subCommand(args: readonly string[]): string {
  return args.find((arg, i) => !arg.startsWith('-') && !TAKES_VALUE.has(args[i - 1] ?? '')) ?? '';
}

/** Does this writer's command install or remove something? Of installers that know it the first decides. */
export function operationOf(writer: Pick<Writer, 'exe' | 'argv'>, installers: readonly Installer[]): Operation | null {
  const installer = installers.find(({ is }) => is(writer));
  if (!installer) return null;
  const { name, args } = programOf(writer);
  const words = installer.anywhere ? args : [subCommand(args)];
  const says = (list: readonly string[]): boolean => words.some((word) => list.includes(word));
  const command = [installer.name ?? name, ...args].join(' ');
  if (says(installer.uninstall)) return { kind: 'uninstall', command };
  return says(installer.install) ? { kind: 'install', command } : null;
}

/**
 * The part of the policy file that says which programs install and remove things: `[[installer]]`, before the built-in
 * ones. docs/points.md says what each key means.
 */
import { anyOf, compileProgramGlob, type ProgramGlob } from '../program.js';
import type { Fail, Lines } from './lines.js';
import { programsOf } from './programs.js';

/** A program with the words that make it install or remove. */
export interface Installer {
  /** What people are told in place of the program's own name; null: that. */
  name: string | null;
  is: ProgramGlob;
  install: readonly string[];
  uninstall: readonly string[];
  /** The word may stand anywhere among the arguments; else it is the first that is no option. */
  anywhere: boolean;
}

/** Options that take the next argument as their value. */
export const TAKES_VALUE: ReadonlySet<string> = new Set(['-C', '-f', '-w', '--prefix', '--dir', '--cwd', '--directory', '--project', '--workspace', '--manifest-path', '-o', '-n', '-p']);

type BuiltIn = Pick<Installer, 'install' | 'uninstall'> & { exe: readonly [name: string, ...others: string[]]; anywhere?: true };

/** As the file would list them; "" is the program without any sub-command. */
export const BUILT_IN: readonly BuiltIn[] = [
  { exe: ['npm', 'npm-cli', 'npx'], install: ['install', 'i', 'add', 'ci', 'clean-install', 'update', 'up', 'upgrade', 'link'], uninstall: ['uninstall', 'un', 'remove', 'rm', 'r', 'unlink', 'prune'] },
  { exe: ['pnpm'], install: ['install', 'i', 'add', 'update', 'up', 'upgrade'], uninstall: ['remove', 'rm', 'uninstall', 'un', 'prune'] },
  { exe: ['yarn', 'yarnpkg'], install: ['', 'install', 'add', 'upgrade', 'up'], uninstall: ['remove'] },
  { exe: ['bun'], install: ['install', 'i', 'add', 'update'], uninstall: ['remove', 'rm'] },
  { exe: ['pip', 'pip[0-9]*'], install: ['install'], uninstall: ['uninstall'] },
  { exe: ['uv'], install: ['sync', 'add'], uninstall: ['remove'] },
  { exe: ['poetry'], install: ['install', 'add', 'update'], uninstall: ['remove'] },
  { exe: ['conda', 'mamba'], install: ['install', 'create', 'update', 'upgrade'], uninstall: ['remove', 'uninstall'] },
  { exe: ['cargo'], install: ['install', 'add', 'update'], uninstall: ['uninstall', 'remove'] },
  { exe: ['go'], install: ['install', 'get'], uninstall: [] },
  { exe: ['gem'], install: ['install', 'update'], uninstall: ['uninstall'] },
  { exe: ['bundle', 'bundler'], install: ['', 'install', 'update', 'add'], uninstall: ['remove', 'clean'] },
  { exe: ['composer'], install: ['install', 'require', 'update'], uninstall: ['remove'] },
  { exe: ['apt'], install: ['install', 'reinstall', 'upgrade', 'full-upgrade', 'dist-upgrade'], uninstall: ['remove', 'purge', 'autoremove'] },
  { exe: ['apt-get', 'apt-get.real'], install: ['install', 'reinstall', 'upgrade', 'dist-upgrade'], uninstall: ['remove', 'purge', 'autoremove'] },
  { exe: ['dpkg'], install: ['-i', '--install', '--unpack', '--configure'], uninstall: ['-r', '--remove', '-P', '--purge'], anywhere: true },
  { exe: ['rpm'], install: ['-i', '--install', '-U', '--upgrade', '-F', '--freshen', '-ivh', '-Uvh'], uninstall: ['-e', '--erase'], anywhere: true },
  { exe: ['dnf', 'yum'], install: ['install', 'add', 'update', 'upgrade'], uninstall: ['remove', 'uninstall'] },
  { exe: ['make', 'gmake'], install: ['install'], uninstall: ['uninstall'], anywhere: true },
  { exe: ['ninja'], install: ['install'], uninstall: ['uninstall'], anywhere: true },
  { exe: ['meson'], install: ['install'], uninstall: [], anywhere: true },
  { exe: ['cmake'], install: ['--install'], uninstall: [], anywhere: true },
];

export const DEFAULT_INSTALLERS: readonly Installer[] = BUILT_IN.map(({ exe, install, uninstall, anywhere = false }) => (
  { name: exe[0], is: anyOf(exe.map(compileProgramGlob)), install, uninstall, anywhere }
));

export const INSTALLER_KEYS = ['exe', 'install', 'uninstall', 'anywhere', 'paused', 'note'] as const;

/** Those of the file, which outweigh the built-in ones; these follow unless `builtIn` is false. @throws what `fail` throws */
export function parseInstallers(installer: unknown, builtIn: boolean, where: Lines, fail: Fail): readonly Installer[] {
  if (installer !== undefined && !Array.isArray(installer)) return fail(where.ofKey('installer'), 'installers are written [[installer]], with two brackets');
  const tables = (installer ?? []) as unknown[];
  const own = tables.map((one, i) => installerOf(one as Record<string, unknown>, (key) => where.ofTable('installer', i, key), fail));
  return [...own.flatMap((one) => one ?? []), ...builtIn ? DEFAULT_INSTALLERS : []];
}

/** null: it is paused. */
function installerOf(one: Record<string, unknown>, line: (key: string) => number, fail: Fail): Installer | null {
  if (typeof one !== 'object' || one === null) return fail(line(''), 'an installer is a table: [[installer]], then exe and install or uninstall');
  for (const key of Object.keys(one)) if (!INSTALLER_KEYS.some((known) => known === key)) fail(line(key), `"${key}" is not known in an installer: ${INSTALLER_KEYS.slice(0, -1).join(', ')} or note was expected`);
  const { exe, install, uninstall, anywhere = false, paused = false, note = '' } = one;
  if (exe === undefined) fail(line(''), 'the installer has no exe');
  const is = anyOf(programsOf(exe, 'exe', (reason) => fail(line('exe'), reason)));
  if (install === undefined && uninstall === undefined) fail(line(''), 'the installer has neither install nor uninstall; install = [] says that it is none');
  if (typeof anywhere !== 'boolean') return fail(line('anywhere'), 'anywhere must be true or false');
  if (typeof paused !== 'boolean') return fail(line('paused'), 'paused must be true or false');
  if (typeof note !== 'string') return fail(line('note'), 'note is a text in quotes');
  const words = (key: string, value: unknown = []): string[] => {
    const list = Array.isArray(value) ? value as unknown[] : [value];
    return list.map((word) => (typeof word === 'string' ? word : fail(line(key), `${key} is an argument in quotes, like "install" or "-i", or a list of them`)));
  };
  const parsed = { name: null, is, install: words('install', install), uninstall: words('uninstall', uninstall), anywhere };
  return paused ? null : parsed;
}

/**
 * Whether a writer installs or removes something: data, so that a program more is a line more.
 * Guarantee: pure; what is not recognised is nothing, never a guess.
 */
import type { PointKind, Writer } from '../history/types.js';
import { programOf } from '../program.js';

/** What a writer's command says about the state of the system. */
export interface Operation {
  kind: Extract<PointKind, 'install' | 'uninstall'>;
  /** The command, as it is told to people: program and arguments. */
  command: string;
}

/** Options that take the next argument as their value. */
const TAKES_VALUE = new Set(['-C', '-f', '-w', '--prefix', '--dir', '--cwd', '--directory', '--project', '--workspace', '--manifest-path', '-o', '-n', '-p']);

/** Of these the word may stand anywhere among the arguments. */
const ANYWHERE = new Set(['make', 'ninja', 'meson', 'cmake', 'dpkg', 'rpm']);

const any = ['install', 'add', 'update', 'upgrade', 'remove', 'uninstall'];

/** Sub-commands that install and that remove, by the program's name without its ending. */
const MANAGERS: Record<string, { install: readonly string[]; uninstall: readonly string[] }> = {
  npm: { install: ['install', 'i', 'add', 'ci', 'clean-install', 'update', 'up', 'upgrade', 'link'], uninstall: ['uninstall', 'un', 'remove', 'rm', 'r', 'unlink', 'prune'] },
  pnpm: { install: ['install', 'i', 'add', 'update', 'up', 'upgrade'], uninstall: ['remove', 'rm', 'uninstall', 'un', 'prune'] },
  yarn: { install: ['', 'install', 'add', 'upgrade', 'up'], uninstall: ['remove'] },
  bun: { install: ['install', 'i', 'add', 'update'], uninstall: ['remove', 'rm'] },
  pip: { install: ['install'], uninstall: ['uninstall'] },
  uv: { install: ['sync', 'add'], uninstall: ['remove'] },
  poetry: { install: ['install', 'add', 'update'], uninstall: ['remove'] },
  conda: { install: ['install', 'create', 'update', 'upgrade'], uninstall: ['remove', 'uninstall'] },
  cargo: { install: ['install', 'add', 'update'], uninstall: ['uninstall', 'remove'] },
  go: { install: ['install', 'get'], uninstall: [] },
  gem: { install: ['install', 'update'], uninstall: ['uninstall'] },
  bundle: { install: ['', 'install', 'update', 'add'], uninstall: ['remove', 'clean'] },
  composer: { install: ['install', 'require', 'update'], uninstall: ['remove'] },
  apt: { install: ['install', 'reinstall', 'upgrade', 'full-upgrade', 'dist-upgrade'], uninstall: ['remove', 'purge', 'autoremove'] },
  'apt-get': { install: ['install', 'reinstall', 'upgrade', 'dist-upgrade'], uninstall: ['remove', 'purge', 'autoremove'] },
  dpkg: { install: ['-i', '--install', '--unpack', '--configure'], uninstall: ['-r', '--remove', '-P', '--purge'] },
  rpm: { install: ['-i', '--install', '-U', '--upgrade', '-F', '--freshen', '-ivh', '-Uvh'], uninstall: ['-e', '--erase'] },
  dnf: { install: any.slice(0, 4), uninstall: any.slice(4) },
  yum: { install: any.slice(0, 4), uninstall: any.slice(4) },
  make: { install: ['install'], uninstall: ['uninstall'] },
  ninja: { install: ['install'], uninstall: ['uninstall'] },
  meson: { install: ['install'], uninstall: [] },
  cmake: { install: ['--install'], uninstall: [] },
};

const ALIASES: Record<string, string> = { 'npm-cli': 'npm', npx: 'npm', pip3: 'pip', 'apt-get.real': 'apt-get', gmake: 'make', yarnpkg: 'yarn', mamba: 'conda', bundler: 'bundle' };

/** The first argument that is neither an option nor the value of one; "" when there is none. */
function subCommand(args: readonly string[]): string {
  return args.find((arg, i) => !arg.startsWith('-') && !TAKES_VALUE.has(args[i - 1] ?? '')) ?? '';
}

/** Does this writer's command install or remove something? */
export function operationOf(writer: Pick<Writer, 'exe' | 'argv'>): Operation | null {
  const { name, args } = programOf(writer);
  const known = ALIASES[name] ?? name.replace(/^(pip)[\d.]+$/, '$1');
  const manager = Object.hasOwn(MANAGERS, known) ? MANAGERS[known]! : null;
  if (!manager) return null;
  const words = ANYWHERE.has(known) ? args : [subCommand(args)];
  const says = (list: readonly string[]): boolean => words.some((word) => list.includes(word));
  const command = [known, ...args].join(' ');
  if (says(manager.uninstall)) return { kind: 'uninstall', command };
  return says(manager.install) ? { kind: 'install', command } : null;
}

/**
 * Makes a clean clone ready, so that `npm test`, `npm run demo` and `npm pack` each do everything by themselves:
 * checks Node, installs missing Debian packages (as root, through apt-get; else says which), and the npm packages
 * when node_modules is missing or older than the lock file. Plain JavaScript, no dependencies. Does nothing, fast,
 * when all is there.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** program -> Debian package; what only the tests use comes second. */
const BUILD = { 'g++': 'g++', make: 'make', python3: 'python3', fusermount3: 'fuse3' };
const TEST = {
  git: 'git', setfattr: 'attr', setfacl: 'acl', sqlite3: 'sqlite3', rsync: 'rsync', tar: 'tar', vim: 'vim', fio: 'fio',
  curl: 'curl', setpriv: 'util-linux', losetup: 'mount', 'mkfs.ext4': 'e2fsprogs', 'mkfs.xfs': 'xfsprogs', 'mkfs.btrfs': 'btrfs-progs', filefrag: 'e2fsprogs',
  openssl: 'openssl', faketime: 'faketime', less: 'less', pkill: 'procps',
};
/** Peers of the benches. */
const BENCH = { bindfs: 'bindfs', restic: 'restic', borg: 'borgbackup', sqlite3: 'sqlite3', git: 'git' };

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const forTests = process.argv.includes('--test');

function fail(message) {
  process.stderr.write(`setup: ${message}\n`);
  process.exit(1);
}

function has(program) {
  const places = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return places.some((place) => {
    try { accessSync(join(place, program), constants.X_OK); return true; } catch { return false; }
  });
}

function run(command, args, env = {}) {
  process.stderr.write(`setup: ${command} ${args.join(' ')}\n`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], env: { ...process.env, ...env } });
  if (error || status !== 0) fail(`${command} ${args[0]} failed${error ? `: ${error.message}` : ` with exit code ${status}`}`);
}

if (Number(process.versions.node.split('.')[0]) < 20) fail(`Node ${process.versions.node} is too old: 20 or newer is needed`);
if (process.platform !== 'linux') fail(`rewindfs is a file system for Linux, not for ${process.platform}`);

const wanted = { ...BUILD, ...forTests && TEST, ...process.argv.includes('--bench') && BENCH };
const missing = [...new Set(Object.keys(wanted).filter((program) => !has(program)).map((program) => wanted[program]))];
if (missing.length > 0) {
  if (process.getuid() !== 0 || !has('apt-get')) {
    fail(`these packages are missing: ${missing.join(' ')}\n  Install them, e.g.: sudo apt-get install ${missing.join(' ')}`);
  }
  const quiet = { DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['update', '-q'], quiet);
  run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], quiet);
}

const installed = join(root, 'node_modules', '.package-lock.json');
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(join(root, 'package-lock.json')).mtimeMs) {
  run('npm', ['ci', '--no-audit', '--no-fund']);
}

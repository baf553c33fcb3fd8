/**
 * Runs ava and closes with the one line `N passed, N failed`. Guarantees that a run is green only when tests ran, all
 * passed, none was skipped, and no mount of ours was left behind. Arguments go to ava. REWIND_SEED names the seed of
 * whatever is random, as a number, or `fresh` for one that nobody has tried.
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Without a word about it: the same commit gives the same answer, and a failure is a fault of the change that it stops. */
const SEED_OF_THE_SUITE = 20261130;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function ourMounts() {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => / - fuse\.rewindfs/.test(line)).map((line) => line.split(' ')[4]);
}

// Everything that tests make lies here: on disk, in memory, and the registry of the stores that they mount.
const disk = mkdtempSync(join(tmpdir(), 'rewindfs-run-'));
const memory = existsSync('/dev/shm') ? mkdtempSync('/dev/shm/rewindfs-run-') : disk;
for (const place of [disk, memory]) chmodSync(place, 0o755);

const named = process.env.REWIND_SEED || String(SEED_OF_THE_SUITE);
const seed = named === 'fresh' ? String(randomInt(2 ** 32)) : named;
process.stdout.write(`REWIND_SEED=${seed}\n`);

// Node reads such a file at every start, which takes longer than most commands; only npm asks whom it is about.
const { NODE_EXTRA_CA_CERTS: certificates, ...environment } = process.env;
if (certificates) environment.npm_config_cafile = certificates;

const ava = spawn(process.execPath, [join(root, 'node_modules', 'ava', 'entrypoints', 'cli.mjs'), ...process.argv.slice(2)], {
  cwd: root, stdio: ['ignore', 'pipe', 'inherit'], env: { ...environment, REWIND_SEED: seed, XDG_STATE_HOME: join(disk, 'state'), TMPDIR: disk, REWIND_TEST_MEMORY: memory, FORCE_COLOR: '0' },
});

let passed = 0;
let failed = 0;
// ava marks what passed with a tick; what failed, crashed or timed out with a cross; what was skipped or is to come
// with a dash. (Its TAP output would be easier to read, but dies of errors without a stack.)
for await (const line of createInterface({ input: ava.stdout })) {
  if (/^ {2}✔ /.test(line)) passed++;
  else if (/^ {2}(✘ |✖ |◌ |- \[)/.test(line)) failed++;
  process.stdout.write(`${line}\n`);
}
const code = await new Promise((resolve) => { ava.exitCode === null ? ava.once('exit', (status) => resolve(status ?? 1)) : resolve(ava.exitCode); });

const leaked = ourMounts().filter((point) => point.startsWith(disk) || point.startsWith(memory));
for (const point of leaked) process.stdout.write(`FAILED a test left a mount behind: ${point}\n`);
failed += leaked.length;
if (leaked.length === 0) for (const place of [disk, memory]) rmSync(place, { recursive: true, force: true });
if (passed + failed === 0) process.stdout.write('No test ran.\n');
if (code !== 0 && failed === 0) { process.stdout.write(`ava ended with exit code ${code}\n`); failed = 1; }
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = code === 0 && failed === 0 && passed > 0 ? 0 : 1;

/**
 * Runs ava and closes with the one line `N passed, N failed`. Guarantees that a run is green only when tests ran, all
 * passed, none was skipped, and no mount of ours was left behind. Arguments go to ava.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function ourMounts() {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => / - fuse\.rewindfs/.test(line)).map((line) => line.split(' ')[4]);
}

const before = new Set(ourMounts());
// Trees that tests mount are registered here, not where the user's are.
const state = mkdtempSync(join(tmpdir(), 'rewindfs-state-'));
const ava = spawn(process.execPath, [join(root, 'node_modules', 'ava', 'entrypoints', 'cli.mjs'), ...process.argv.slice(2)], {
  cwd: root, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, XDG_STATE_HOME: state, FORCE_COLOR: '0' },
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

rmSync(state, { recursive: true, force: true });
const leaked = ourMounts().filter((point) => !before.has(point));
for (const point of leaked) process.stdout.write(`FAILED a test left a mount behind: ${point}\n`);
failed += leaked.length;
if (passed + failed === 0) process.stdout.write('No test ran.\n');
if (code !== 0 && failed === 0) { process.stdout.write(`ava ended with exit code ${code}\n`); failed = 1; }
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = code === 0 && failed === 0 && passed > 0 ? 0 : 1;

/**
 * `npm run demo`: the whole story on a sample project in a temporary directory, narrated; every claim is checked, and a
 * claim that does not hold ends the demo with exit code 1. Leaves nothing behind. REWIND_DEMO_PAUSE_MS slows it down.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const cli = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist', 'cli', 'main.js');
const place = mkdtempSync(join(tmpdir(), 'rewindfs-demo-'));
const project = join(place, 'project');
const pause = Number(process.env.REWIND_DEMO_PAUSE_MS ?? 600);
const colour = process.stdout.isTTY && !process.env.NO_COLOR;
const bold = (text) => (colour ? `\x1b[1m${text}\x1b[0m` : text);
const env = { ...process.env, XDG_STATE_HOME: join(place, 'state') };

async function say(text) {
  await sleep(pause);
  process.stdout.write(`\n${bold(`# ${text}`)}\n`);
}

/** Runs a command line in the project and shows it, as a person would type it. */
function type(line, { quiet = false } = {}) {
  if (!quiet) process.stdout.write(`$ ${line}\n`);
  const { status, stdout, error } = spawnSync('bash', ['-e', '-o', 'pipefail', '-c', `exec 2>&1; rewind() { "${process.execPath}" "${cli}" "$@"; }\n${line}`], {
    cwd: existsSync(project) ? project : place, env, encoding: 'utf8', timeout: 60_000,
  });
  if (!quiet) process.stdout.write(stdout);
  if (error || status !== 0) throw new Error(`"${line}" ended with ${error?.message ?? `exit code ${status}`}${quiet ? `\n${stdout}` : ''}`);
  return stdout.trim();
}

function claim(holds, what) {
  if (!holds) throw new Error(`NOT TRUE: ${what}`);
  process.stdout.write(`  [checked] ${what}\n`);
}

/** Everything about the project that a person would miss: names, types, modes, owners, times, targets, content. */
const picture = () => type(`find . -path ./.snapshots -prune -o -printf '%P %y %m %u %g %T@ %l\\n' | sort; find . -path ./.snapshots -prune -o -type f -print0 | sort -z | xargs -0 sha256sum`, { quiet: true });

function sampleProject() {
  mkdirSync(join(project, 'src'), { recursive: true });
  mkdirSync(join(project, 'assets'));
  writeFileSync(join(project, 'README.md'), '# Weather station\n\nMeasures, stores, draws.\n');
  writeFileSync(join(project, 'src', 'main.py'), 'from sensor import read\n\nfor value in read():\n    print(value)\n');
  writeFileSync(join(project, 'src', 'sensor.py'), 'def read():\n    yield 21.5\n');
  writeFileSync(join(project, 'assets', 'map.bin'), Buffer.alloc(300_000, 7));
  writeFileSync(join(project, 'run.sh'), '#!/bin/sh\npython3 src/main.py\n');
  chmodSync(join(project, 'run.sh'), 0o750);
  symlinkSync('src/main.py', join(project, 'latest'));
}

async function demo() {
  sampleProject();
  await say('A sample project, as it lies on disk:');
  type('ls -la . src');
  await say('From now on, nothing in it gets lost:');
  type('rewind mount .');
  const before = picture();
  type('rewind mark good --note "all tests pass"');

  await say('We work: an edit, a new file, an editor that saves by rename ...');
  type(`sed -i 's/21.5/22.0/' src/sensor.py && echo 'print("drawn")' > src/draw.py && printf 'draft\\n' >> README.md`);
  await say('... and then an accident: the wrong directory, the wrong file.');
  type('rm -rf src assets && echo oops > run.sh && chmod 777 run.sh && ls');

  await say('What happened, when, and who did it?');
  type('rewind log');
  await say('What differs from the good state?');
  type('rewind diff --from good');
  await say('And line by line, in one file:');
  type('rewind diff run.sh --from good -p');

  await say('The past is a directory. It is always there, and never in the way:');
  type('ls .snapshots/@good/src && cat .snapshots/@good/run.sh');
  claim(type('cat .snapshots/@good/src/sensor.py', { quiet: true }).includes('21.5'), 'the view shows the content of then');
  type('rewind cat src/sensor.py --at good');

  await say('Back to the good state. First, what would be done:');
  type('rewind rollback --to good --dry-run');
  type('rewind rollback --to good --yes');
  claim(picture() === before, 'every name, mode, owner, time, link and byte is as it was');

  await say('The rollback is a change like any other: it can be undone.');
  type('rewind points');
  const undo = type(`rewind points --json`, { quiet: true }).split('\n').map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'rollback')[0];
  type(`rewind rollback --to "#${undo.seq}" --yes`);
  claim(readFileSync(join(project, 'run.sh'), 'utf8') === 'oops\n', 'the accident is back');
  type('rewind rollback --to good --yes');
  claim(picture() === before, 'and gone again');

  await say('Done. The directory is an ordinary one again; its history stays.');
  type('rewind status');
  type('cd / && rewind unmount "$OLDPWD"');
  claim(picture() === before, 'on disk lies the good state');
  type('rewind log src/sensor.py');
}

try {
  await demo();
  process.stdout.write(`\n${bold('That is all of it.')} Try it on a directory of yours: rewind mount DIR\n`);
} catch (error) {
  process.stderr.write(`\ndemo: ${error.message}\n`);
  process.exitCode = 1;
} finally {
  spawnSync(process.execPath, [cli, 'unmount', project, '--lazy'], { env, timeout: 30_000 });
  rmSync(place, { recursive: true, force: true });
}

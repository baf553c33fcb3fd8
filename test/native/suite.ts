/**
 * Runs each test of build/native-tests (test/native/units) as a test of its own, in a process of its own; and what reads bytes of
 * others, given what fuzzers found worth keeping (fixtures/fuzz; `make fuzz` builds the fuzzers themselves).
 */
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { projectRoot } from '../helpers/run.js';

execFileSync('make', ['-s', '-j2', 'native-tests', 'fuzz-replay'], { stdio: ['ignore', 'ignore', 'inherit'], timeout: 300_000 });
const titles = execFileSync('build/native-tests', ['--list'], { encoding: 'utf8' }).trim().split('\n');

for (const title of titles) {
  test.serial(title, async (t) => {
    const { stdout } = await promisify(execFile)('build/native-tests', [title], { timeout: 240_000 });
    for (const seed of stdout.match(/^REWIND_SEED=.*/gm) ?? []) t.log(seed);
    t.true(stdout.includes(`ok ${title}\n`));
  });
}

for (const target of ['frames', 'journal']) {
  test.serial(`no kept input of the fuzzer of ${target} crashes or hangs`, async (t) => {
    const directory = path.join(projectRoot, 'fixtures/fuzz', target);
    const inputs = fs.readdirSync(directory).map((name) => path.join(directory, name));
    const { stdout } = await promisify(execFile)(path.join(projectRoot, `build/fuzz-${target}`), inputs, { timeout: 120_000 });
    t.deepEqual(stdout.trim().split('\n'), inputs);
    t.true(inputs.length >= 10);
  });
}

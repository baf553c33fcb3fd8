/** Runs each test of build/native-tests (test/native/units) as a test of its own, in a process of its own. */
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';

execFileSync('make', ['-s', '-j2', 'native-tests'], { stdio: ['ignore', 'ignore', 'inherit'], timeout: 300_000 });
const titles = execFileSync('build/native-tests', ['--list'], { encoding: 'utf8' }).trim().split('\n');

for (const title of titles) {
  test.serial(title, async (t) => {
    const { stdout } = await promisify(execFile)('build/native-tests', [title], { timeout: 240_000 });
    for (const seed of stdout.match(/^SEED=.*/gm) ?? []) t.log(seed);
    t.true(stdout.includes(`ok ${title}\n`));
  });
}

/** A writer that destroys work in bulk is stopped when the rules say so, it alone, until it is released. */
import test from 'ava';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { AlarmRow, StatusRow } from '../../lib/index.js';
import { cli, mountSettled, rewind, type MountedTree } from '../helpers/mount.js';
import { run, until } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';

const FILES = 2000;
/** Of those that nobody stops, as many as show that all are hit: each costs two processes. */
const UNSTOPPED = 300;

function documents(directory: string, files: number): void {
  fs.mkdirSync(directory, { recursive: true });
  for (let i = 0; i < files; i++) fs.writeFileSync(path.join(directory, `letter-${i}.txt`), `Dear reader number ${i},\n${'words and words and more words\n'.repeat(40)}`);
}

const contents = (directory: string): string[] => fs.readdirSync(directory).sort().map((name) => `${name} ${fs.readFileSync(path.join(directory, name), 'latin1')}`);

/** `early`: the files were there before anybody protected them, and nobody knows who made them. */
async function blocking(scope: Scope, rules: string, early: boolean, files = FILES): Promise<{ tree: MountedTree; directory: string; aside: string }> {
  const top = scope.temporary('memory');
  const directory = path.join(top, 'letters');
  if (early) documents(directory, files);
  const tree = await mountSettled(scope, { tree: top, where: 'memory' });
  fs.writeFileSync(path.join(tree.store, 'policy.toml'), rules);
  const good = path.join(tree.store, 'policy.good.toml');
  await until('the policy is in force', () => fs.existsSync(good) && fs.readFileSync(good, 'utf8') === rules);
  if (!early) documents(directory, files);
  await tree.settled();
  return { tree, directory, aside: scope.temporary('memory') };
}

const blockedOf = async (tree: MountedTree): Promise<StatusRow['blocked']> => (await tree.status() as unknown as StatusRow).blocked;

/** Encrypts one file after another; `then` is done with those that it may not change. */
const loop = (then: string): string => `for f in "$1"/*.txt; do { openssl enc -aes-256-ctr -pbkdf2 -iter 1 -pass pass:x -in "$f" -out "$f.locked" && rm "$f"; } 2>>"$2/said" || ${then}; done`;

for (const [what, rules, early, files] of [['is stopped when the rules say so', '[trip]\nblock = ["encryption"]\n', true, FILES], ['is noticed', '', false, UNSTOPPED]] as const) {
  test.serial(`a loop that encrypts ${files} files ${what}; its point lies before the first of them`, async (t) => {
    await scoped(async (scope) => {
      const { tree, directory, aside } = await blocking(scope, rules, early, files);
      const before = contents(directory);
      const began = Date.now();
      await run('bash', ['-c', loop('break'), 'loop', directory, aside], { timeoutMs: 300_000 });
      const seconds = (Date.now() - began) / 1000;
      const hit = fs.readdirSync(directory).filter((name) => name.endsWith('.locked')).length;
      let note = '';
      await until('it has tripped', async () => {
        note = (JSON.parse((await tree.rewind('points', '--json', '--state', 'alarm')).split('\n')[0] || '{}') as { note?: string }).note ?? '';
        return note !== '';
      });
      t.log(`${hit} of ${files} files hit in ${seconds.toFixed(1)} s (${(hit / seconds).toFixed(0)} a second): ${note}`);
      t.is(hit === files, rules === '');
      await tree.rewind('rollback', '--to', 'before:alarm', '--yes');
      t.deepEqual(contents(directory), before);
    });
  });
}

test.serial('who is blocked is named, the others go on, also under a new daemon; then it is released and goes on, too', async (t) => {
  await scoped(async (scope) => {
    const { tree, directory, aside } = await blocking(scope, '[trip]\nblock = true\n', false);
    const told: string[] = [];
    const watcher = spawn(process.execPath, [cli, 'watch', '--tree', tree.tree], { stdio: ['ignore', 'pipe', 'ignore'] });
    watcher.stdout.setEncoding('utf8').on('data', (chunk: string) => told.push(chunk));
    scope.defer(() => void watcher.kill());
    await until('it watches', () => { fs.writeFileSync(path.join(tree.tree, 'other'), String(told.length)); return told.length > 0; });

    // Waits where it may not go on, and tries once whenever it is asked to.
    const wait = `{ echo stopped >"$2/stopped"; while [ ! -e "$2/end" ]; do if [ -e "$2/try" ]; then rm "$2/try"; (touch "$1/mine") 2>>"$2/said" && echo done >"$2/tried" || echo refused >"$2/tried"; fi; sleep 0.05; done; exit; }`;
    const looping = spawn('bash', ['-c', loop(wait), 'loop', directory, aside], { cwd: '/', stdio: 'ignore' });
    scope.defer(() => void looping.kill('SIGKILL'));
    const tries = async (): Promise<string> => {
      fs.rmSync(path.join(aside, 'tried'), { force: true });
      fs.writeFileSync(path.join(aside, 'try'), '');
      await until('it has tried', () => fs.existsSync(path.join(aside, 'tried')) && fs.readFileSync(path.join(aside, 'tried'), 'utf8') !== '');
      return fs.readFileSync(path.join(aside, 'tried'), 'utf8').trim();
    };
    await until('it is stopped', () => fs.existsSync(path.join(aside, 'stopped')), 120_000);
    t.regex(fs.readFileSync(path.join(aside, 'said'), 'utf8'), /Read-only file system/);
    t.like((await blockedOf(tree))[0], { pid: looping.pid, alarm: 'encryption', running: true });
    t.regex(await tree.rewind('status'), new RegExp(`BLOCKED .*\\[${looping.pid}\\] and what it started`));
    await until('the watcher is told', () => told.join('').includes('"type":"alarm"'));
    const alarm = JSON.parse(told.join('').split('\n').find((line) => line.includes('"type":"alarm"'))!) as AlarmRow;
    t.like(alarm, { alarm: 'encryption', blocked: true });
    t.is(await tries(), 'refused');
    fs.writeFileSync(path.join(tree.tree, 'other'), 'still written');

    await tree.kill();
    await tree.mount();
    t.is((await blockedOf(tree))[0]?.pid, looping.pid);
    t.is(await tries(), 'refused');
    fs.writeFileSync(path.join(tree.tree, 'other'), 'written again');
    t.like(await rewind(['release', '1', '--tree', tree.tree]), { code: 1 });
    t.like(await rewind(['release', 'it', '--tree', tree.tree]), { code: 2 });
    t.regex(await tree.rewind('release'), new RegExp(`\\[${looping.pid}\\] may change the tree again`));
    t.is(await tries(), 'done');
    t.deepEqual(await blockedOf(tree), []);
    t.false(fs.existsSync(path.join(tree.store, 'blocked.json')));
    fs.writeFileSync(path.join(aside, 'end'), '');
  });
});

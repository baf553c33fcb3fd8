/** A tree whose names, link targets, programs and objects were made to do harm to whoever lists it, or rolls it back. */
import test from 'ava';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { cli, mountSettled, rewindMust, type MountedTree } from '../helpers/mount.js';
import { shell } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { onTerminal } from '../helpers/terminal.js';

/** Clears the screen, sets the title, ends the line, reorders what follows, speaks to old terminals. */
const EVIL = 'e\x1b[2J\x1b]0;title\x07\r\n\u202e\u009bv';
/** What none of it may come through as. A line feed ends a line of ours: a name that brings one would stand alone in the next. */
const RAW = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]|^\u202e|^v/m;

/** Names with escapes at every place where a name can be, by a program with such a name. */
async function hostileTree(scope: Scope): Promise<MountedTree> {
  const mounted = await mountSettled(scope, { where: 'memory' });
  const { tree } = mounted;
  const program = path.join(scope.temporary('memory'), EVIL);
  fs.copyFileSync('/bin/bash', program);
  fs.chmodSync(program, 0o755);
  const as = (script: string): void => {
    const { status, stderr } = spawnSync(program, ['-c', script, EVIL, EVIL], { cwd: tree, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  };
  as('mkdir "$1"; echo then > "$1/$1"; ln -s "$1" "$1/link$1"; echo gone > "gone$1"; echo same > same');
  await mounted.control('mark', { name: 'then' });
  as('rm "gone$1"; echo now > "$1/$1"; mv "$1/link$1" "moved$1"; echo "$1" >> same; mkdir "new$1"; setfattr -n "user.x" -v "$1" same');
  await mounted.settled();
  return mounted;
}

test.serial('no name, target or program of a hostile tree reaches a terminal as more than text, whatever lists it', (t) => scoped(async (scope) => {
  t.timeout(300_000);
  const mounted = await hostileTree(scope);
  const evil = `./${EVIL}`;
  const pid = String(((await mounted.items('log', { path: '', time_zone: 'UTC' }))[0] as { writer: { pid: number } }).writer.pid);
  const elsewhere = scope.temporary('memory');
  const listings: string[][] = [
    ['log', '--all-writes'], ['log', '-p'], ['log', evil], ['ls', '--at', 'then'], ['ls', evil, '--at', 'then'], ['diff', '--from', 'then', '-p'],
    ['status', '--since', 'then'], ['du'], ['du', '--history'], ['find', '*'], ['blame', 'same'], ['grep', '.'], ['policy', 'check', evil],
    ['rollback', '--to', 'then', '--dry-run'], ['undo', '--writer', pid, '--dry-run'], ['replay', '--from', 'then', '--except', pid, '--dry-run'],
    ['cat', `${evil}/nothing`, '--at', 'then'], ['cat', evil, '--at', 'then'], ['restore', `${evil}/x`, '--at', 'then', '--into', '/nowhere'],
    ['mark', EVIL], ['ls', '--at', EVIL], ['find', `[${EVIL}`], [EVIL], ['log', `--${EVIL}`], ['watch', evil, EVIL], ['policy', 'set', `*${EVIL}`, 'capture=none'],
    ['fork', 'then', '--name', 'old', '--', 'sh', '-c', 'rm -r "$0"; touch "other$0"', EVIL], ['fork', 'diff', 'old'], ['fork', 'keep', 'old', '--dry-run'],
    ['export', 'now', `${elsewhere}/${EVIL}`], ['import', `${elsewhere}/${EVIL}`, '--into', `${elsewhere}/in${EVIL}`],
    ['rollback', '--to', 'then', '--yes'], ['op', 'log'], ['undo', '--yes'],
  ];
  const raw: string[] = [];
  for (const args of listings) {
    const { stdout } = await onTerminal([process.execPath, cli, ...args], {}, { cwd: mounted.tree, env: { NO_COLOR: '1', PAGER: 'cat' }, timeoutMs: 60_000 });
    const shown = stdout.replaceAll('\r\n', '\n').replaceAll('\r\x1b[K', '');
    const found = RAW.exec(shown);
    if (found !== null) raw.push(`${args.join(' ')}: ${JSON.stringify(shown.slice(Math.max(0, found.index - 60), found.index + 60))}`);
  }
  t.deepEqual(raw, []);
}));

test.serial('what a listing offers to be typed does what it says, and nothing that a name says', (t) => scoped(async (scope) => {
  const { tree } = await mountSettled(scope, { where: 'memory' });
  const name = "q'$(touch injected)`touch injected`;touch injected #\n!x";
  fs.writeFileSync(path.join(tree, name), 'content');
  fs.rmSync(path.join(tree, name));
  const offered = /rewind (cat .*)$/m.exec(await rewindMust(['find', 'q*'], { cwd: tree }))?.[1];
  t.truthy(offered);
  t.is(await shell(`'${process.execPath}' '${cli}' ${offered}`, { cwd: tree }), 'content');
  t.deepEqual(fs.readdirSync(tree), []);
}));

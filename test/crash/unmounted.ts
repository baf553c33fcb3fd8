/** What happened to the tree while it was not mounted is found at the next mount, and recorded as such (invariant I10). */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { baselineDone, mountSettled } from '../helpers/mount.js';
import { hasEnded, shell, until } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';
import { copyTree, rsyncDifferences } from '../helpers/trees.js';
import { liveAgainstNewest } from './support/newest.js';
import { DEAD_SERVER } from '../../lib/store/checks.js';

interface Row {
  path: string | null;
  unmounted: boolean;
}

const script = `
  echo changed > changed
  echo more >> grown
  truncate -s 10 shrunk
  rm gone; rm -r olddir
  mkdir newdir; echo new > newdir/new
  mv moved renamed; mv movedir movedir2
  chmod 600 moded; chown 5:6 owned
  rm replaced; mkdir replaced
  ln changed hardlink; ln -s changed softlink; mkfifo fifo
  setfattr -n user.a -v b attributed
  touch -d 2001-01-01 touched
`;

test.serial('changes made while unmounted are in history after the next mount, and can be rolled back', async (t) => {
  t.timeout(300_000);
  await scoped(async (scope) => {
    const mounted = await mountSettled(scope);
    await shell('for f in changed grown shrunk gone moved moded owned replaced attributed touched still; do echo "$f as it was, long enough to be cut" > $f; done; mkdir -p olddir/deep movedir; echo x > olddir/deep/x; echo y > movedir/y', { cwd: mounted.tree });
    const before = scope.temporary('disk');
    await copyTree(mounted.tree, before);
    const { seq } = await mounted.settled();
    await mounted.unmount();
    await shell(script, { cwd: mounted.tree });
    const after = scope.temporary('disk');
    await copyTree(mounted.tree, after);
    await mounted.mount();
    await baselineDone(mounted);
    t.deepEqual(await liveAgainstNewest(mounted), []);
    t.is(await rsyncDifferences(after, mounted.tree), '', 'the mount itself changes nothing');
    const rows = (await mounted.rewind('log', '--all-writes', '--json', '--since', `#${seq}`)).split('\n').filter(Boolean).map((line) => JSON.parse(line) as Row);
    const found = new Set(rows.filter((row) => row.unmounted).map((row) => row.path));
    for (const name of ['changed', 'grown', 'shrunk', 'gone', 'newdir', 'newdir/new', 'moded', 'owned', 'attributed', 'touched', 'fifo', 'softlink', 'hardlink']) {
      t.true(found.has(name), `${name} is recorded as changed while unmounted`);
    }
    t.false(found.has('still'), 'what did not change is not recorded');
    await mounted.rewind('rollback', '--to', `#${seq}`, '--yes');
    t.is(await rsyncDifferences(before, mounted.tree), '');
  });
});

test.serial('a daemon that is exchanged for another: who works in the tree meanwhile goes on, and what nobody recorded is named and found', async (t) => {
  t.timeout(120_000);
  await scoped(async (scope) => {
    const mounted = await mountSettled(scope);
    const log = path.join(mounted.tree, 'log');
    fs.writeFileSync(log, 'by the first\n');
    const held = fs.openSync(log, 'a');
    await t.throwsAsync(mounted.control('unmount', { lazy: false }), { message: /ERR_BUSY/ }, 'nobody is cut off unasked');
    fs.writeSync(held, 'still by the first\n');
    fs.closeSync(held);
    await mounted.unmount();
    fs.appendFileSync(log, 'by nobody\n');
    const pid = path.join(scope.temporary(), 'pid');
    await mounted.mount({
      preload: new URL('support/late-writer.js', import.meta.url),
      env: { ...process.env, LATE_WRITER: `exec 3>> ${log}; bash -c 'while sleep 0.2; do echo past >&3; done' & echo $! > ${pid}` },
    });
    const writer = Number(fs.readFileSync(pid, 'utf8'));
    const end = (): void => {
      if (!hasEnded(writer)) process.kill(writer, 'SIGKILL');
    };
    scope.defer(end);
    await baselineDone(mounted);
    t.like((await mounted.status())['last_gap'], { reason: 'past-the-mount', detail: { programs: [{ pid: writer, command: 'bash' }] } });
    t.regex(await mounted.rewind('cat', log), /^by the first\nstill by the first\nby nobody\n/);
    await mounted.unmount();
    process.kill(writer, 'SIGSTOP');
    await mounted.mount().then(() => t.fail('mounted over a writer'), (error: Error) => t.regex(error.message, /ERR_BUSY/));
    end();
    await until('the writer is gone', () => hasEnded(writer));
    await mounted.mount();
    await baselineDone(mounted);
    t.is(await mounted.rewind('cat', log), fs.readFileSync(log, 'utf8'));
    t.deepEqual(await liveAgainstNewest(mounted), []);
  });
});

test.serial('a dead daemon: the tree says so, mount cleans up and goes on', async (t) => {
  t.timeout(120_000);
  await scoped(async (scope) => {
    const mounted = await mountSettled(scope);
    fs.writeFileSync(path.join(mounted.tree, 'file'), 'content');
    await mounted.kill();
    const error = t.throws(() => fs.readdirSync(mounted.tree), { instanceOf: Error }) as NodeJS.ErrnoException;
    t.true(DEAD_SERVER.includes(error.code ?? ''), error.code);
    await mounted.mount();
    await baselineDone(mounted);
    t.is(fs.readFileSync(path.join(mounted.tree, 'file'), 'utf8'), 'content');
    t.deepEqual(await liveAgainstNewest(mounted), []);
  });
});

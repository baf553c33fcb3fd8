import { spawn } from 'node:child_process';
import fs from 'node:fs';
import test from 'ava';
import { FIRST_NS, MemoryHistory } from '../../helpers/memory-history.js';
import { mountedView } from '../../helpers/mounted-view.js';
import { run, sleep, until } from '../../helpers/run.js';
import { scoped } from '../../helpers/scope.js';

test.serial('everything about an object is as it was', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory(0o750);
    history.mkdir('d', 0o2775, { uid: 1000, gid: 1001 });
    history.file('d/suid', 'x'.repeat(10_000), 0o4755, { mtime: -1n, atime: 0n, ctime: 1n, btime: FIRST_NS });
    history.link('d/suid', 'second');
    history.add('link', 0o120777, '../some/\xff where');
    history.add('fifo', 0o010640);
    history.add('dev', 0o020600, '', { rdev: (259n << 32n) | 70_001n });
    history.setxattr('d/suid', 'user.note', Buffer.from('kept'));
    const { sh } = await mountedView(scope, history);
    const at = '@#8';
    t.is((await sh(`stat -c '%F %a %u:%g %h %s %.9X %.9Y %.9Z %.9W' ${at}/d/suid`)).out,
      `regular file 4755 0:0 2 10000 0.000000000 -0.000000001 0.000000001 ${String(FIRST_NS).slice(0, 10)}.123456789\n`);
    t.is((await sh(`stat -c '%a %u:%g' ${at}/d ${at}`)).out, '2775 1000:1001\n750 0:0\n');
    t.is((await sh(`readlink ${at}/link`)).out, '../some/ÿ where\n');
    t.is((await sh(`stat -c '%F %t,%T' ${at}/fifo ${at}/dev`)).out, `fifo 0,0\ncharacter special file 103,${(70_001).toString(16)}\n`);
    t.is((await sh(`getfattr -d --absolute-names ${at}/second`)).out.split('\n')[1], 'user.note="kept"');
    t.is((await sh(`find ${at} -samefile ${at}/second | sort`)).out, `${at}/d/suid\n${at}/second\n`);
  });
});

test.serial('nothing can be changed, not even by root, and nothing is run from a view', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory();
    history.file('f', '#!/bin/sh\n', 0o777);
    history.mkdir('d');
    const { sh, point } = await mountedView(scope, history);
    for (const change of [
      'echo x > f', 'echo x >> f', 'truncate -s 0 f', 'rm f', 'mv f g', 'ln f g', 'ln -s f g', 'mkdir e', 'rmdir d', 'mkfifo p', 'chmod 600 f',
      'chown 1 f', 'touch f', 'touch new', 'setfattr -n user.a -v b f', 'fallocate -l 10 f', 'touch ..', 'rmdir ../~', 'mkdir ../@new',
    ]) {
      const { code, err } = await sh(`cd @now; ${change}`);
      t.not(code, 0, change);
      t.regex(err, /Read-only file system/, change);
    }
    t.regex((await sh('@now/f')).err, /Permission denied/);
    const line = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n').find((text) => text.includes(` ${point} `)) as string;
    for (const word of ['ro', 'nosuid', 'nodev', 'noexec']) t.true(line.split(' ')[5]?.split(',').includes(word), word);
    t.regex(line, / - fuse\.rewindfs-view test /);
  });
});

test.serial('names are bytes: not UTF-8, 255 of them, with a newline', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory();
    const names = ['\xff\xfe', 'new\nline', 'n'.repeat(255), '-dash', ' '];
    for (const name of names) history.file(name, `content of ${name.length}`);
    const { sh } = await mountedView(scope, history);
    const { out } = await sh("cd @now; printf '%s\\0' * | od -An -v -tx1 | tr -d ' \\n'");
    const sorted = [...names].sort((a, b) => (a < b ? -1 : 1));
    t.is(Buffer.from(out, 'hex').toString('latin1'), sorted.map((name) => `${name}\0`).join(''));
    t.is((await sh("cat @now/$'\\xff\\xfe'")).out, 'content of 2');
    t.regex((await sh(`cat @now/${'n'.repeat(256)}`)).err, /File name too long/);
  });
});

test.serial('two instants of one tree are two trees to programs that compare', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory();
    history.mkdir('a');
    history.mkdir('a/b');
    history.file('a/b/deep', 'before');
    history.mark('first');
    history.write('a/b/deep', 'after!');
    const { sh } = await mountedView(scope, history);
    const { out, code } = await sh('diff -r @first @now');
    t.is(code, 1);
    t.regex(out, /< before/);
    t.is((await sh('diff -r @#5 @first')).code, 0);
    t.is((await sh('mkdir /dev/shm/rewindfs-tar-$$ && tar cf - @first @now | tar xf - -C /dev/shm/rewindfs-tar-$$ && cat /dev/shm/rewindfs-tar-$$/*/a/b/deep; rm -r /dev/shm/rewindfs-tar-$$')).out, 'beforeafter!');
  });
});

test.serial('a slow answer keeps nobody else waiting, and who waits for it can be killed', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory();
    history.file('f', 'content');
    const waiting: (() => void)[] = [];
    let slow = false;
    const { sh, point } = await mountedView(scope, history, { settle: () => (slow ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve()) });
    await sh('ls @#2');
    slow = true;
    const stuck = spawn('cat', [`${point}/@now/f`]);
    await until('the slow lookup has come', () => waiting.length > 0);
    t.is((await sh('cat @#2/f')).out, 'content');
    const ended = new Promise((resolve) => stuck.on('exit', (_, signal) => resolve(signal)));
    stuck.kill('SIGTERM');
    t.is(await Promise.race([ended, sleep(30_000).then(() => 'still waiting')]), 'SIGTERM');
    for (const resolve of waiting) resolve();
  });
});

test.serial('a view in use is unmounted only lazily; who is left in it gets errors, not a hang', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory();
    history.file('f', 'content');
    history.file('never-read', 'x');
    const { view, point, sh } = await mountedView(scope, history);
    const sitter = spawn('bash', ['-c', 'cd "$0/@now" && echo in && read line; cat never-read; echo "exit $?"', point]);
    scope.defer(() => void sitter.kill('SIGKILL'));
    let said = '';
    sitter.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    sitter.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until('somebody is in the view', () => said.includes('in'));
    await t.throwsAsync(view.unmount(), { code: 'ERR_BUSY' });
    t.is((await sh('cat @now/f')).out, 'content');
    await view.unmount(true);
    sitter.stdin.write('\n');
    await until('he has tried', () => said.includes('exit'));
    t.regex(said, /not connected|No such file|connection abort/);
  });
});

test.serial('when somebody else unmounts it, the owner is told', async (t) => {
  await scoped(async (scope) => {
    let gone = false;
    const { point, view } = await mountedView(scope, new MemoryHistory(), { onGone: () => (gone = true) });
    await run('umount', [point], { timeoutMs: 30_000 });
    await until('the view is gone', () => gone);
    await t.notThrowsAsync(view.unmount());
  });
});

test.serial('a mountpoint that is no directory, or is not there, is refused by name', async (t) => {
  await scoped(async (scope) => {
    const directory = scope.temporary();
    const refused = (mountpoint: string) => mountedView(scope, new MemoryHistory(), { mountpoint });
    await t.throwsAsync(refused(`${directory}/none`), { code: 'ERR_NOT_FOUND', message: /none/ });
    fs.writeFileSync(`${directory}/file`, '');
    await t.throwsAsync(refused(`${directory}/file`), { code: 'ERR_NOT_FOUND' });
  });
});

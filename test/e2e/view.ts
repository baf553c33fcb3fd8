/** What a view is to programs: read-only, of its own device, out of the way of walks, closed to who could not read then (I8). */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { O, RENAME, S } from '../helpers/constants.js';
import { mountSettled, rewind, type MountedTree } from '../helpers/mount.js';
import { must, shell, sleep } from '../helpers/run.js';
import { Scope, mountsUnder } from '../helpers/scope.js';

const scope = new Scope();
let mounted: MountedTree;
let seq: number;
const at = (name: string): string => path.join(mounted.tree, name);
const then = (name = '.'): string => path.join(mounted.tree, '.snapshots', `@#${seq}`, name);

test.before(async () => {
  mounted = await mountSettled(scope);
  await shell('echo public > public; echo secret > secret; chmod 600 secret; mkdir -p closed/in; chmod 700 closed; echo x > closed/in/x; echo s > setuid; chmod 4755 setuid; cp /bin/true program; mknod null c 1 3; ln public linked; head -c 300000 /dev/urandom > random; mkdir many; for i in $(seq 500); do echo $i > many/$i; done', { cwd: mounted.tree });
  await shell('sha256sum random > sum', { cwd: mounted.tree });
  seq = (await mounted.status()).seq;
  await shell('echo changed > public; chmod 644 secret; chmod 755 closed; rm random program; rm -r many', { cwd: mounted.tree });
});
test.after.always(() => scope.close());

test.serial('.snapshots is found by name and not listed', (t) => {
  t.false(fs.readdirSync(mounted.tree).includes('.snapshots'));
  t.true(fs.statSync(at('.snapshots')).isDirectory());
});

test.serial('a view is another device: walks that stay on one stop at it', async (t) => {
  t.not(fs.statSync(then()).dev, fs.statSync(mounted.tree).dev);
  t.false((await must('find', [mounted.tree, '-xdev'])).includes('.snapshots/'));
});

test.serial('content of then is whole, also in pieces and from its middle', async (t) => {
  t.is(fs.readFileSync(then('public'), 'utf8'), 'public\n');
  await shell('sha256sum -c sum', { cwd: then() });
  await shell('cmp <(dd if=random bs=777 skip=100 count=50 status=none) <(tail -c +77701 random | head -c 38850)', { cwd: then() });
  t.is(fs.readdirSync(then('many')).length, 500);
});

test.serial('every change is refused with EROFS', async (t) => {
  const driver = await mounted.driver(path.relative(mounted.tree, then()));
  const calls: [string, ...(string | number)[]][] = [
    ['open', 1, 'public', O.RDWR, 0], ['open', 1, 'new', O.WRONLY | O.CREAT, 0o644], ['mkdir', 'd', 0o755], ['unlink', 'public'], ['rmdir', 'many'],
    ['rename', 'public', 'x', RENAME.NONE], ['link', 'public', 'x'], ['symlink', 'a', 'x'], ['mknod', 'x', S.FIFO | 0o644, 0, 0], ['chmod', 'public', 0o600],
    ['chown', 'public', 1, 1], ['truncate', 'public', 0], ['utimens', 'public', 'now', 'now'], ['setxattr', 'public', 'user.a', 'b', 0], ['removexattr', 'public', 'user.a'],
  ];
  for (const [op, ...args] of calls) t.is((await driver.call(op, ...args)).error, 'EROFS', op);
  await driver.close();
});

test.serial('who could not read then cannot read now, whatever the mode is today', async (t) => {
  const driver = await mounted.driver(path.relative(mounted.tree, then()));
  await driver.ok('as', 1000, 1000);
  t.is((await driver.call('open', 1, 'public', O.RDONLY, 0)).error, '');
  t.is((await driver.call('open', 1, 'secret', O.RDONLY, 0)).error, 'EACCES');
  t.is((await driver.call('stat', 'closed/in')).error, 'EACCES');
  t.is((await driver.call('list', 'closed')).error, 'EACCES');
  await driver.close();
});

test.serial('nothing in a view gains rights: nosuid, nodev', (t) => {
  const points = mountsUnder(mounted.tree).filter((point) => point.includes('.snapshots'));
  t.true(points.length > 0);
  for (const line of fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((one) => points.includes(one.split(' ')[4]!))) {
    const options = line.split(' ')[5]!.split(',');
    for (const one of ['ro', 'nosuid', 'nodev']) t.true(options.includes(one), `${one}: ${line}`);
  }
});

test.serial('@now waits until what was acknowledged is in it', (t) => {
  for (let i = 0; i < 20; i++) {
    fs.writeFileSync(at('now'), `version ${i}`);
    t.is(fs.readFileSync(path.join(mounted.tree, '.snapshots/@now/now'), 'utf8'), `version ${i}`);
  }
});

test.serial('a view is found by age, by clock and by a point\'s name', async (t) => {
  fs.writeFileSync(at('aged'), 'old');
  await mounted.rewind('mark', 'before-change');
  await sleep(1100);
  const clock = new Date().toISOString();
  await sleep(30);
  fs.writeFileSync(at('aged'), 'new');
  for (const expression of ['@before-change', `@${clock}`]) {
    t.is(fs.readFileSync(path.join(mounted.tree, '.snapshots', expression, 'aged'), 'utf8'), 'old', expression);
  }
  t.true(fs.readdirSync(path.join(mounted.tree, '.snapshots')).includes('@before-change'));
  for (const wrong of ['@nonsense-that-is-no-time', '@#999999999', 'plain']) t.throws(() => fs.statSync(path.join(mounted.tree, '.snapshots', wrong)), { code: 'ENOENT' }, wrong);
});

test.serial('the versions of one path are listed, also of a deleted one', (t) => {
  const versions = path.join(mounted.tree, '.snapshots/~/random');
  const names = fs.readdirSync(versions);
  t.true(names.some((name) => fs.statSync(path.join(versions, name)).size === 300_000), names.join(' '));
});

test.serial('rewind view shows a store without an engine, at any place', async (t) => {
  await mounted.settled();
  const copy = path.join(scope.temporary('disk'), 'store');
  const tree = path.join(scope.temporary('disk'), 'tree');
  fs.mkdirSync(tree);
  const other = await mountSettled(scope, { tree, store: copy });
  fs.writeFileSync(path.join(tree, 'file'), 'in the store');
  const { seq: last } = await other.settled();
  await other.unmount();
  const point = scope.temporary('disk');
  const result = await rewind(['view', copy, point]);
  t.is(result.code, 0, result.stderr);
  scope.defer(async () => void (await rewind(['unmount', point])));
  t.is(fs.readFileSync(path.join(point, `@#${last}`, 'file'), 'utf8'), 'in the store');
  const ended = await rewind(['unmount', point]);
  t.is(ended.code, 0, ended.stderr);
});

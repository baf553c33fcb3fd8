/** An archive shows what the view of its instant shows, made while programs write; it is imported exactly, alone and in a chain. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { Driver } from '../helpers/driver.js';
import { cli, mountSettled, rewind, rewindMust, type MountedTree } from '../helpers/mount.js';
import { shell, until } from '../helpers/run.js';
import { mountsUnder, Scope } from '../helpers/scope.js';
import { contentFields, differences, snapshot, type Field } from '../helpers/snapshot.js';
import { rsyncDifferences } from '../helpers/trees.js';

const scope = new Scope();
const directory = scope.temporary();
const fields: readonly Field[] = [...contentFields, 'atime', 'mtime', 'ctime'];
let mounted: MountedTree;
let driver: Driver;

const at = (name: string): string => path.join(directory, name);
const then = (seq: number): string => path.join(mounted.tree, '.snapshots', `@#${seq}`);
const seqOf = async (): Promise<number> => (await mounted.settled()).seq;

/** `rewind export ... --json`: what it says. */
async function exported(...args: string[]): Promise<{ seq: number; size: number; content_bytes: number }> {
  return JSON.parse(await mounted.rewind('export', ...args, '--json')) as { seq: number; size: number; content_bytes: number };
}

test.before(async () => {
  mounted = await mountSettled(scope);
  driver = new Driver();
  scope.defer(() => driver.close());
  await shell(`mkdir -p a/b c locked; echo hello > a/x; ln a/x a/b/hard; ln -s ../x a/b/link; mkfifo c/fifo; mknod c/null c 1 3; mknod c/disk b 8 1
    head -c 3000000 /dev/urandom > big; truncate -s 5M sparse; printf tail | dd of=sparse bs=1 seek=3000000 conv=notrunc status=none; truncate -s 5000 hole
    setfattr -n user.k -v val a/x; setfacl -m u:1000:rx a; setfacl -d -m g:1001:rwx c; chmod 4755 c; chmod 000 locked; chown 1000:1001 big
    printf x > "$(printf 'bad\\377\\nname')"; for i in $(seq 500); do echo "file $i" > c/f$i; done; touch -d '1969-05-05 05:05:05.123456789' old`, { cwd: mounted.tree });
});
test.after.always(() => scope.close());

/** Compares what a mounted archive shows with the view of the same instants. */
async function expectSame(archives: string[], seqs: number[]): Promise<string[]> {
  const point = at('mount');
  fs.mkdirSync(point, { recursive: true });
  const [first, ...more] = archives;
  await rewindMust(['view', first!, point, ...more.flatMap((one) => ['--increment', one])], { timeoutMs: 60_000 });
  scope.defer(async () => {
    if (mountsUnder(point).length > 0) await shell(`umount -l ${point}`);
  });
  const found: string[] = [];
  for (const seq of seqs) {
    const shown = path.join(point, `@#${seq}`);
    found.push(...differences(await snapshot(driver, then(seq)), await snapshot(driver, shown), fields), await rsyncDifferences(`${then(seq)}`, shown));
  }
  await rewindMust(['unmount', point]);
  return found.filter((line) => line !== '');
}

test.serial('a full archive that is made while programs write shows what the view of its instant shows', async (t) => {
  const writer = spawn('bash', ['-c', 'while :; do echo $RANDOM >> a/x; mkdir -p w/$RANDOM; echo new > w/f$((RANDOM % 50)); rm -rf w/$((RANDOM % 9))*; mv c/f1 c/f1.new; mv c/f1.new c/f1; done'], { cwd: mounted.tree, stdio: 'ignore', detached: true });
  try {
    const { seq: before } = await mounted.position();
    await until('it has begun', async () => (await mounted.position()).seq > before + 20);
    const { seq } = await exported('now', at('full.rwa'));
    t.true((await mounted.status()).seq > seq, 'the tree changed meanwhile');
    t.deepEqual(await expectSame([at('full.rwa')], [seq]), []);
    t.is(fs.statSync(at('full.rwa')).mode & 0o777, 0o600);
  } finally {
    const ended = once(writer, 'exit');
    process.kill(-writer.pid!, 'SIGKILL');
    await ended;
  }
});

test.serial('archives of what changed since show each instant, and are imported as the last one', async (t) => {
  const first = await exported('now', at('first.rwa'));
  await shell('dd if=/dev/urandom of=big bs=4096 count=1 seek=100 conv=notrunc status=none; mv c moved; rm moved/f5; echo n > moved/new; chmod 700 a; setfattr -x user.k a/x; truncate -s 1000 sparse', { cwd: mounted.tree });
  await mounted.rewind('mark', 'halfway');
  const second = await exported('halfway', at('second.rwa'), '--since', at('first.rwa'));
  t.true(second.content_bytes < 200_000, `${second.content_bytes} bytes: of the large file what changed`);
  await shell('rm -r a; mv moved/f2 renamed; echo again > moved/f3; ln moved/f3 linked', { cwd: mounted.tree });
  const third = await exported('halfway..now', at('third.rwa'));
  const chain = ['first.rwa', 'second.rwa', 'third.rwa'].map(at);
  t.deepEqual(await expectSame(chain, [first.seq, second.seq, third.seq]), []);
  await rewindMust(['import', ...chain, '--into', at('imported')], { timeoutMs: 60_000 });
  t.deepEqual(differences(await snapshot(driver, then(third.seq)), await snapshot(driver, at('imported')), [...contentFields, 'mtime']), []);
  t.true(fs.statSync(at('imported/big')).blocks * 512 >= 3_000_000);
  const { code, stderr } = await rewind(['import', chain[0]!, chain[2]!, '--into', at('wrong')]);
  t.is(code, 1);
  t.regex(stderr, /ERR_ARCHIVE_BASE/);
  t.false(fs.existsSync(at('wrong')));
});

test.serial('a stream is imported as it is; into a directory that is not empty nothing goes', async (t) => {
  const seq = await seqOf();
  const command = (...words: string[]): string => [process.execPath, cli, ...words].map((word) => `'${word}'`).join(' ');
  await shell(`${command('export', `#${seq}`, '-', '--tree', mounted.tree)} | ${command('import', '-', '--into', at('streamed'))}`, { timeoutMs: 60_000 });
  t.deepEqual(differences(await snapshot(driver, then(seq)), await snapshot(driver, at('streamed')), [...contentFields, 'mtime']), []);
  t.regex((await rewind(['import', at('first.rwa'), '--into', at('streamed')])).stderr, /ERR_EXISTS/);
  t.regex((await rewind(['export', 'now', at('first.rwa'), '--tree', mounted.tree])).stderr, /ERR_EXISTS/);
  await shell(`head -c 1000000 first.rwa > cut.rwa; printf '\\1' | dd of=first.rwa bs=1 seek=500000 conv=notrunc status=none`, { cwd: directory });
  for (const [file, code] of [['cut.rwa', 'ERR_ARCHIVE_CUT'], ['first.rwa', 'ERR_ARCHIVE_CORRUPT']] as const) {
    const refused = await rewind(['import', at(file), '--into', at('refused')]);
    t.is(refused.code, 14, refused.stderr);
    t.regex(refused.stderr, new RegExp(code));
  }
  t.deepEqual(fs.readdirSync(directory).filter((name) => /refused|partial/.test(name)), []);
});

test.serial('of a group its members are exported', async (t) => {
  const [policy, good] = ['policy.toml', 'policy.good.toml'].map((name) => path.join(mounted.store, name)) as [string, string];
  fs.writeFileSync(policy, '[[group]]\nname = "moved"\ninclude = ["moved/f4*"]\n');
  await until('the policy is in force', () => fs.existsSync(good) && fs.readFileSync(good).equals(fs.readFileSync(policy)));
  await mounted.rewind('export', 'now', at('group.rwa'), '--group', 'moved');
  await rewindMust(['import', at('group.rwa'), '--into', at('group')]);
  t.deepEqual(fs.readdirSync(at('group')), ['moved']);
  t.true(fs.readdirSync(at('group/moved')).every((name) => name.startsWith('f4')));
  t.true(fs.readdirSync(at('group/moved')).length > 100);
});

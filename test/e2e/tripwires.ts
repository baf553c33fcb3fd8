/** What destroys work in bulk has a point before it; what only works a lot has none. */
import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import type { PointRow } from '../../lib/index.js';
import { mountSettled, type MountedTree } from '../helpers/mount.js';
import { must, shell, sleep, until } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';

const FILES = 300;
const MANY = 1200;

const alarms = (tree: MountedTree): Promise<PointRow[]> => tree.points({ kinds: ['alarm'] });

/** Written by a person, as far as anybody can tell. */
function documents(directory: string): void {
  fs.mkdirSync(directory, { recursive: true });
  for (let i = 0; i < FILES; i++) fs.writeFileSync(path.join(directory, `letter-${i}.txt`), `Dear reader number ${i},\n${'words and words and more words\n'.repeat(40)}`);
}

const contents = (directory: string): string[] => fs.readdirSync(directory).sort().map((name) => `${name} ${fs.readFileSync(path.join(directory, name), 'latin1')}`);

const encrypt = (step: string) => `for f in *.txt; do ${step}; done`;

test.serial('files that are encrypted one by one trip a wire, and are had back as they were before the first of them', async (t) => {
  await scoped(async (scope) => {
    const tree = await mountSettled(scope, { where: 'memory' });
    const told = path.join(scope.temporary('memory'), 'told');
    fs.writeFileSync(path.join(tree.store, 'policy.toml'), `[trip]\nhook = "env | grep ^REWIND_ | sort > ${told}"\n`);
    const directory = path.join(tree.tree, 'letters');
    documents(directory);
    const before = contents(directory);
    await sleep(3000);
    t.deepEqual(await alarms(tree), []);
    await shell(encrypt('openssl enc -aes-256-ctr -pbkdf2 -iter 1 -pass pass:x -in "$f" -out "$f.locked" && rm "$f"'), { cwd: directory, timeoutMs: 300_000 });
    await until('the wire is tripped', async () => (await alarms(tree)).length > 0, 60_000);
    const [alarm] = await alarms(tree);
    t.like(alarm, { kind: 'alarm', phase: 'before', pinned: true });
    t.regex(alarm!.note, /^encryption of \d+ files by (openssl enc|rm)/);
    await until('the hook has run', () => fs.existsSync(told) && fs.statSync(told).size > 0);
    t.regex(fs.readFileSync(told, 'utf8'), /REWIND_ALARM=encryption\n[^]*REWIND_COUNT=\d+\n[^]*REWIND_SEQ=\d+\n/);
    await tree.rewind('rollback', '--to', 'before:alarm', '--yes');
    t.deepEqual(contents(directory), before);
  });
});

test.serial('content overwritten in place, and files deleted in bulk', async (t) => {
  await scoped(async (scope) => {
    const tree = await mountSettled(scope, { where: 'memory' });
    fs.writeFileSync(path.join(tree.store, 'policy.toml'), '[trip]\ndeletion = 100\n');
    const [first, second] = [path.join(tree.tree, 'first'), path.join(tree.tree, 'second')];
    documents(first);
    documents(second);
    await sleep(2500);
    const before = [contents(first), contents(second)];
    await must('python3', ['-c', `
import os, glob
for f in sorted(glob.glob('*.txt')):
    size = os.path.getsize(f)
    with open(f, 'r+b') as out: out.write(os.urandom(size))
`], { cwd: first });
    await until('overwriting trips', async () => (await alarms(tree)).length > 0, 60_000);
    t.regex((await alarms(tree))[0]!.note, /^encryption of \d+ files by .*python3/);
    await shell('rm -r second', { cwd: tree.tree });
    await until('deletion trips', async () => (await alarms(tree)).length > 1, 60_000);
    t.regex((await alarms(tree))[1]!.note, /^deletion of 100 files by rm -r second/);
    t.is((await alarms(tree)).length, 2, 'each once');
    await tree.rewind('rollback', 'second', '--to', 'before:alarm', '--yes');
    await tree.rewind('rollback', 'first', '--to', `#${(await alarms(tree))[0]!.seq}`, '--yes');
    t.deepEqual([contents(first), contents(second)], before);
  });
});

const GIT = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@b' };

test.serial('git, a build and an installation, however busy, trip nothing', async (t) => {
  await scoped(async (scope) => {
    const tree = await mountSettled(scope, { where: 'memory' });
    documents(path.join(tree.tree, 'letters'));
    await shell(`
set -e
git init -q -b main . && printf '.snapshots\\n' > .git/info/exclude
git add -A && git commit -qm one
for f in letters/*; do echo "another line" >> $f; mv $f letters/note-$(basename $f); done
git add -A && git commit -qm two
git checkout -q HEAD~1 && git checkout -q main && git gc -q --prune=now
mkdir -p lib/dep && echo '{"name":"dep","version":"1.0.0"}' > lib/dep/package.json
for i in $(seq 200); do head -c 3000 /dev/urandom | gzip > lib/dep/asset$i.gz; echo "module.exports = $i;" > lib/dep/m$i.js; done
echo '{"name":"app","version":"1.0.0"}' > package.json
npm install --offline --no-audit --no-fund --install-links ./lib/dep >/dev/null
rm -rf node_modules && npm install --offline --no-audit --no-fund --install-links >/dev/null
for i in $(seq 40); do echo "int f$i(void) { return $i; }" > f$i.c; done
printf 'all: $(patsubst %%.c,%%.o,$(wildcard *.c))\\nclean:\\n\\trm -f *.o\\n' > Makefile
make -s && make -s clean && make -s
`, { cwd: tree.tree, env: GIT, timeoutMs: 300_000 });
    await tree.settled();
    await sleep(2500);
    t.deepEqual((await alarms(tree)).map(({ note }) => note), []);
  });
});

/** A project as it lies there before anybody protects it: nobody knows who made its files. */
const PROJECT = `
set -e
mkdir -p lib/dep src
echo '{"name":"dep","version":"1.0.0"}' > lib/dep/package.json
for i in $(seq ${MANY}); do echo "module.exports = 'asset number $i of them all';" > lib/dep/m$i.js; done
echo '{"name":"app","version":"1.0.0"}' > package.json
printf 'node_modules\n*.o\n.snapshots\n' > .gitignore
for i in $(seq ${MANY}); do printf 'int f%s(void) {\n  return %s; /* one of many that are all alike */\n}\n' $i $i > src/f$i.c; done
printf 'all: $(patsubst %%.c,%%.o,$(wildcard src/*.c))\n%%.o: %%.c\n\tcp $< $@\nclean:\n\trm -f src/*.o\n' > Makefile
git init -q -b main && git add package.json .gitignore && git commit -qm one && git branch small
git add -A && git commit -qm two
npm install --offline --no-audit --no-fund --install-links ./lib/dep >/dev/null
git add package.json package-lock.json && git commit -qm three
make -s
`;

async function protectedProject(scope: Scope): Promise<MountedTree> {
  const project = scope.temporary('memory');
  await shell(PROJECT, { cwd: project, env: GIT, timeoutMs: 300_000 });
  const tree = await mountSettled(scope, { tree: project, where: 'memory' });
  return tree;
}

test.serial('over a thousand files that were there before: an installation, a checkout, a build and a formatter trip nothing; vandals do', async (t) => {
  await scoped(async (scope) => {
    const tree = await protectedProject(scope);
    const innocent = async (what: string, command: string): Promise<void> => {
      const began = Date.now();
      await shell(`set -e; ${command}`, { cwd: tree.tree, env: GIT, timeoutMs: 300_000 });
      t.log(`${what}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
    };
    await innocent('npm ci', `npm ci --offline --no-audit --no-fund --install-links >/dev/null && test $(ls node_modules/dep | wc -l) -gt ${MANY}`);
    await innocent('a build', `make -s clean && make -s && test $(ls src/*.o | wc -l) -eq ${MANY}`);
    await innocent('a formatter', "sed -i 's/^  /\\t/; s/\\/\\*.*\\*\\//\\/\\/ one of many/' src/*.c");
    await innocent('git checkout', 'git checkout -q -f small && test ! -e src/f1.c && git checkout -q main && test -e src/f1.c');
    await tree.settled();
    await sleep(2500);
    t.deepEqual((await alarms(tree)).map(({ note }) => note), []);
    await tree.unmount();
    await tree.mount();
    const before = contents(path.join(tree.tree, 'src'));
    await shell('for f in src/*.c; do : > $f; done', { cwd: tree.tree });
    await until('what is emptied trips', async () => (await alarms(tree)).length === 1, 60_000);
    t.regex((await alarms(tree))[0]!.note, /^overwriting of \d+ files/);
    await shell('rm -r src lib', { cwd: tree.tree });
    await until('what is removed trips', async () => (await alarms(tree)).length === 2, 60_000);
    t.regex((await alarms(tree))[1]!.note, /^deletion of \d+ files by rm -r src lib/);
    t.true((await alarms(tree)).every(({ pinned }) => pinned));
    await tree.rewind('rollback', 'src', '--to', `#${(await alarms(tree))[0]!.seq}`, '--yes');
    t.deepEqual(contents(path.join(tree.tree, 'src')), before);
    await tree.settled();
    t.is((await alarms(tree)).length, 2, 'what is taken back is no vandalism');
  });
});

test.serial('files that get another ending in bulk', async (t) => {
  await scoped(async (scope) => {
    const directory = scope.temporary('memory');
    documents(directory);
    const before = contents(directory);
    const tree = await mountSettled(scope, { tree: directory, where: 'memory' });
    await shell('for f in *.txt; do mv $f $f.locked; done', { cwd: directory });
    await until('renaming trips', async () => (await alarms(tree)).length === 1, 60_000);
    t.regex((await alarms(tree))[0]!.note, /^renaming of 2\d\d files by mv letter-/);
    await tree.rewind('rollback', '--to', 'before:alarm', '--yes');
    t.deepEqual(contents(directory), before);
  });
});

/** Groups of the policy file: listings, points and views of a set of files. */
import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import type { PointRow } from '../../lib/index.js';
import { cli, mountSettled, rewind, type MountedTree } from '../helpers/mount.js';
import { must, run, sleep, until } from '../helpers/run.js';
import { mountsUnder, scoped, type Scope } from '../helpers/scope.js';

const RULES = `[[group]]
name = "sql"
include = ["*.sql", "/db/"]
exclude = "*.tmp"
every = "1s"

[[group]]
name = "notes"
include = "*.md"
view = "names"
`;

async function setPolicy(tree: MountedTree, text: string): Promise<void> {
  fs.writeFileSync(path.join(tree.store, 'policy.toml'), text);
  const good = path.join(tree.store, 'policy.good.toml');
  await until('the policy is in force', () => fs.existsSync(good) && fs.readFileSync(good, 'utf8') === text);
}

async function grouped(scope: Scope): Promise<{ tree: MountedTree; write: (name: string, text: string) => void }> {
  const tree = await mountSettled(scope, { where: 'memory' });
  await setPolicy(tree, RULES);
  const write = (name: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(tree.tree, name)), { recursive: true });
    fs.writeFileSync(path.join(tree.tree, name), text);
  };
  for (const name of ['deep/er/a.sql', 'deep/other/x', 'db/rows', 'db/rows.tmp', 'read.md', 'main.c']) write(name, `${name} one`);
  return { tree, write };
}

/** Paths of an output of JSON lines. */
const paths = (output: string): string[] => [...new Set(output.split('\n').filter(Boolean).map((line) => JSON.parse(line) as { path?: string }).flatMap(({ path: one }) => (one === undefined ? [] : [one])))].sort();

test.serial('log, diff and restore of a group are about its members only, wherever they were', async (t) => {
  await scoped(async (scope) => {
    const { tree, write } = await grouped(scope);
    await tree.rewind('mark', 'then');
    for (const name of ['deep/er/a.sql', 'db/rows', 'db/rows.tmp', 'main.c']) write(name, 'two');
    fs.renameSync(path.join(tree.tree, 'deep'), path.join(tree.tree, 'shallow'));
    fs.renameSync(path.join(tree.tree, 'main.c'), path.join(tree.tree, 'main.sql'));
    t.deepEqual(paths(await tree.rewind('log', '--json', '--group', 'sql', '--since', 'then', '--marker', 'modify')), ['db/rows', 'deep/er/a.sql']);
    t.deepEqual(paths(await tree.rewind('log', '--json', '--group', 'notes')), ['read.md']);
    t.is((await tree.rewind('log', '--json', '--group', 'sql', '-n', '2')).trim().split('\n').length, 2);
    t.deepEqual(paths(await tree.rewind('diff', '--json', '--group', 'sql', '--from', 'then')), ['db/rows', 'main.sql', 'shallow/er/a.sql']);
    const into = path.join(scope.temporary('memory'), 'copy');
    await tree.rewind('restore', tree.tree, '--group', 'sql', '--at', 'then', '--into', into);
    t.deepEqual((await must('find', ['.', '-mindepth', '1', '-printf', '%P\n'], { cwd: into })).trim().split('\n').sort(), ['db', 'db/rows', 'deep', 'deep/er', 'deep/er/a.sql']);
    t.is((await rewind(['restore', tree.tree, '--group', 'notes', '--at', 'then', '--into', into, '--tree', tree.tree])).code, 1);
    const unknown = await rewind(['log', '--group', 'sqk', '--tree', tree.tree]);
    t.is(unknown.code, 1);
    t.regex(unknown.stderr, /No group is named "sqk" \(ERR_GROUP_UNKNOWN\)\n +Did you mean sql\?/);
    t.regex(await tree.rewind('policy', 'show'), /group sql: {2}\*\.sql {2}\/db\/ {2}without \*\.tmp {2}a point every 1 s/);
    t.regex(await tree.rewind('policy', 'check', path.join(tree.tree, 'db/x.sql')), /in group sql/);
  });
});

test.serial('a rollback of a group puts its members back, wherever they were, and nothing else; it is undone like any other', async (t) => {
  await scoped(async (scope) => {
    const { tree, write } = await grouped(scope);
    const at = (name: string): string => path.join(tree.tree, name);
    const read = (name: string): string | null => (fs.existsSync(at(name)) ? fs.readFileSync(at(name), 'utf8') : null);
    await tree.rewind('mark', 'then');
    for (const name of ['deep/er/a.sql', 'db/rows', 'db/rows.tmp', 'read.md', 'main.c', 'new.sql']) write(name, 'two');
    fs.renameSync(at('deep'), at('shallow'));
    const names = ['deep/er/a.sql', 'shallow/er/a.sql', 'shallow/other/x', 'db/rows', 'db/rows.tmp', 'read.md', 'main.c', 'new.sql'];
    const [bad, good] = [names.map(read), ['deep/er/a.sql one', null, 'deep/other/x one', 'db/rows one', 'two', 'two', 'two', null]];
    const shown = await tree.rewind('rollback', '--group', 'sql', '--to', 'then', '--dry-run', '--json');
    t.deepEqual(paths(shown).filter((one) => one !== '.' && one !== 'deep' && one !== 'deep/er'), ['db/rows', 'deep/er/a.sql', 'new.sql']);
    await tree.rewind('rollback', '--group', 'sql', '--to', 'then', '--yes');
    t.deepEqual(names.map(read), good);
    await tree.rewind('undo', '--yes');
    t.deepEqual(names.map(read), bad);
    await tree.rewind('rollback', at('db'), '--group', 'sql', '--to', 'then', '--yes');
    t.deepEqual([read('db/rows'), read('db/rows.tmp'), read('new.sql')], ['db/rows one', 'two', 'two'], 'those in a directory');
    for (const [args, code, words] of [[['--group', 'sqk', '--to', 'then'], 1, /ERR_GROUP_UNKNOWN/], [['--group', 'sql', `${at('db')}@then`, '--to', '#5'], 2, /goes back to one time/], [['--group', 'sql'], 2, /No time was named/]] as const) {
      const result = await rewind(['rollback', ...args, '--yes', '--tree', tree.tree]);
      t.is(result.code, code, result.stderr);
      t.regex(result.stderr, words);
    }
  });
});

test.serial('a group has points of its own, when a member changed', async (t) => {
  await scoped(async (scope) => {
    const { tree, write } = await grouped(scope);
    const points = (): Promise<PointRow[]> => tree.points({ group: 'sql' });
    await until('its point is made', async () => (await points()).length === 1);
    t.like((await points())[0], { kind: 'interval', name: 'sql' });
    for (let i = 0; i < 6; i++) {
      write('main.c', String(i));
      await sleep(500);
    }
    t.is((await points()).length, 1, 'of what is no member there is none');
    t.is(await tree.rewind('cat', path.join(tree.tree, 'db/rows'), '--at', 'sql'), 'db/rows one');
    write('db/rows', 'two');
    await until('the next one is made', async () => (await points()).length === 2);
    t.is((await rewind(['points', '--group', 'none', '--tree', tree.tree])).code, 1);
  });
});

test.serial('a view of a group shows its members, or all names and no content of others; a new definition counts at once', async (t) => {
  await scoped(async (scope) => {
    const { tree, write } = await grouped(scope);
    const { seq } = await tree.settled();
    write('db/rows', 'two');
    const list = async (place: string): Promise<string[]> => (await must('find', ['.', '-mindepth', '1', '-printf', '%P\n'], { cwd: path.join(tree.tree, '.snapshots', place) })).trim().split('\n').sort();
    const cat = (place: string): Promise<{ code: number | null; stdout: string; stderr: string }> => run('cat', [path.join(tree.tree, '.snapshots', place)]);
    t.deepEqual(await list(`%sql@#${seq}`), ['db', 'db/rows', 'deep', 'deep/er', 'deep/er/a.sql']);
    t.is((await cat(`%sql@#${seq}/db/rows`)).stdout, 'db/rows one');
    t.is((await cat('%sql@now/db/rows')).stdout, 'two');
    t.regex((await cat(`%sql@#${seq}/main.c`)).stderr, /No such file/);
    t.deepEqual(await list(`%notes@#${seq}`), await list(`@#${seq}`));
    t.is((await cat(`%notes@#${seq}/read.md`)).stdout, 'read.md one');
    t.regex((await cat(`%notes@#${seq}/main.c`)).stderr, /Permission denied/);
    t.is(fs.statSync(path.join(tree.tree, '.snapshots', `%notes@#${seq}`, 'main.c')).size, 'main.c one'.length);
    t.is((await cat(`@#${seq}/main.c`)).stdout, 'main.c one', 'beside it all is as ever');
    t.regex((await cat(`%nobody@#${seq}/main.c`)).stderr, /No such file/);
    await setPolicy(tree, '[[group]]\nname = "sql"\ninclude = "*.c"\n');
    await until('the view follows', async () => (await list(`%sql@#${seq}`)).join() === 'main.c');
    await setPolicy(tree, RULES);
    await tree.unmount();
    const place = path.join(scope.temporary('memory'), 'view');
    fs.mkdirSync(place);
    await must(process.execPath, [cli, 'view', tree.store, place]);
    scope.defer(async () => { if (mountsUnder(place).length > 0) await rewind(['unmount', place]); });
    t.deepEqual(fs.readdirSync(path.join(place, `%sql@#${seq}`)), ['db', 'deep']);
    await must(process.execPath, [cli, 'unmount', place]);
  });
});

import test, { type ExecutionContext } from 'ava';
import { diffTrees, statusColumns } from '../../../lib/recovery/diff.js';
import type { DiffOptions } from '../../../lib/recovery/types.js';
import { showPath } from '../../../lib/paths.js';
import type { TreeOp } from '../../../lib/native.js';
import { acl } from '../../helpers/acl.js';
import { dump } from '../../helpers/dump.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { randomChange } from '../../helpers/random-changes.js';
import { freshSeed, Random } from '../../helpers/random.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const mkdir = (path: string): TreeOp => ({ op: 'mkdir', path: bytes(path), mode: 0o755 });
const create = (path: string): TreeOp => ({ op: 'create', path: bytes(path), mode: 0o644 });
const write = (path: string, text: string): TreeOp => ({ op: 'write', path: bytes(path), offset: 0, data: bytes(text) });
const move = (from: string, path: string): TreeOp => ({ op: 'rename', from: bytes(from), path: bytes(path) });
const unlink = (path: string): TreeOp => ({ op: 'unlink', path: bytes(path) });

const START = [mkdir('d'), mkdir('d/e'), create('d/a'), write('d/a', 'aaa'), create('d/e/x'), create('b'), write('b', 'bbb')];

async function lines(tree: ModelTree, from: number, to: number, options?: DiffOptions): Promise<string[]> {
  const out: string[] = [];
  for await (const entry of diffTrees(tree.history, from, to, options)) {
    out.push(`${statusColumns(entry)} ${entry.from ? `${showPath(entry.from)} -> ` : ''}${showPath(entry.path)}`);
  }
  return out;
}

async function differs(t: ExecutionContext, ops: TreeOp[], forth: string[], back: string[] | null, options?: DiffOptions): Promise<void> {
  const tree = new ModelTree();
  for (const op of START) t.is(tree.do(op), 0);
  const then = tree.seq;
  for (const op of ops) t.is(tree.do(op), 0, op.op);
  t.deepEqual(await lines(tree, then, tree.seq, options), forth);
  if (back) t.deepEqual(await lines(tree, tree.seq, then, options), back);
}

test.serial('equal instants do not differ, nor do states with nothing but history between them', async (t) => {
  await differs(t, [], [], []);
  await differs(t, [create('t'), unlink('t'), write('b', 'BBB'), write('b', 'bbb')], [], []);
});

test.serial('created, deleted and modified objects are told, in both directions', async (t) => {
  await differs(t, [create('new'), unlink('b'), write('d/a', 'AAA')], ['-..... b', 'c..... d/a', '+..... new'], ['+..... b', 'c..... d/a', '-..... new']);
});

test.serial('each attribute has its column', async (t) => {
  await differs(t, [
    { op: 'chmod', path: bytes('b'), mode: 0o600 }, { op: 'chown', path: bytes('d/a'), uid: 5, gid: 0 }, { op: 'chown', path: bytes('d'), uid: 0, gid: 9 },
    { op: 'setxattr', path: bytes('d/e'), name: bytes('user.k'), value: bytes('v') },
    { op: 'setxattr', path: bytes('d/e/x'), name: bytes('system.posix_acl_access'), value: acl(6, 4, 4, 4, 6) },
  ], ['.p.... b', '...g.. d', '..u... d/a', '....x. d/e', '.....a d/e/x'], null);
});

test.serial('a modification time alone is shown only when asked for', async (t) => {
  const touch: TreeOp[] = [{ op: 'times', path: bytes('b'), atimeNs: 1n, mtimeNs: 2n }];
  await differs(t, touch, [], []);
  await differs(t, touch, ['...... b'], ['...... b'], { times: true });
});

test.serial('a directory renamed with its content is one entry, what changed in it are others', async (t) => {
  await differs(t, [move('d', 'lib')], ['R..... d -> lib'], ['R..... lib -> d']);
  await differs(t, [move('d', 'lib'), write('lib/a', 'x'), unlink('lib/e/x')], ['-..... d/e/x', 'R..... d -> lib', 'c..... lib/a'], null);
});

test.serial('exchanged names are two renames', async (t) => {
  await differs(t, [{ op: 'rename', from: bytes('b'), path: bytes('d/a'), exchange: true }], ['R..... d/a -> b', 'R..... b -> d/a'], ['R..... d/a -> b', 'R..... b -> d/a']);
});

test.serial('a save by rename is a modified file, a name deleted and made again too', async (t) => {
  await differs(t, [create('tmp'), write('tmp', 'new!'), move('tmp', 'b')], ['c..... b'], ['c..... b']);
  await differs(t, [unlink('b'), create('b'), write('b', 'bbb')], [], []);
  await differs(t, [unlink('b'), mkdir('b')], ['tp.... b'], ['tp.... b']);
});

test.serial('a directory removed and built again differs in what it holds', async (t) => {
  await differs(t, [
    unlink('d/a'), unlink('d/e/x'), { op: 'rmdir', path: bytes('d/e') }, { op: 'rmdir', path: bytes('d') },
    mkdir('d'), mkdir('d/e'), create('d/a'), write('d/a', 'xyz'), create('d/e/x'),
  ], ['c..... d/a'], ['c..... d/a']);
});

test.serial('a name more or less of a file is created or deleted, and content shows at every name', async (t) => {
  await differs(t, [{ op: 'link', path: bytes('hard'), from: bytes('b') }], ['+..... hard'], ['-..... hard']);
  await differs(t, [{ op: 'link', path: bytes('hard'), from: bytes('b') }, write('b', 'BBB')], ['c..... b', '+..... hard'], null);
});

test.serial('only what lies under the paths is told; what crossed their border came or went', async (t) => {
  await differs(t, [write('d/a', 'A'), write('b', 'B')], ['c..... d/a'], ['c..... d/a'], { paths: [['d']] });
  await differs(t, [move('b', 'd/b')], ['+..... d/b'], ['-..... d/b'], { paths: [['d']] });
  await differs(t, [move('d', 'lib')], ['R..... d/a -> lib/a'], null, { paths: [['lib', 'a']] });
  await differs(t, [move('d', 'lib')], ['-..... d/a'], null, { paths: [['d', 'a']] });
});

test.serial('what is told is exactly what differs between the two states, on random histories', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  for (let run = 0; run < 150; run++) {
    const random = new Random(base + run);
    const tree = new ModelTree();
    for (let i = random.between(30, 300); i > 0; i--) tree.do(randomChange(random));
    const [from, to] = [random.between(1, tree.seq), random.between(1, tree.seq)];
    const paths = async (seq: number): Promise<Map<string, string>> => {
      const state = new Map<string, string>();
      for (const line of await dump(tree.history, seq)) {
        const [path, mode, uid, gid, size, rdev, , , content, xattrs] = line.split(' | ');
        state.set(path as string, [mode, uid, gid, /s(\d+)/.exec(size as string)?.[1] ?? '', rdev, content, xattrs].join(' '));
      }
      return state;
    };
    const [before, after] = [await paths(from), await paths(to)];
    const told = new Map<string, string>();
    const moved: string[] = [];
    for await (const entry of diffTrees(tree.history, from, to)) {
      told.set(`${entry.status === 'deleted' ? '-' : ''}${showPath(entry.path)}`, entry.status);
      if (entry.from) moved.push(showPath(entry.from), showPath(entry.path));
    }
    const carried = (path: string): boolean => moved.some((top) => path === top || path.startsWith(`${top}/`));
    for (const [path, state] of after) {
      if (before.get(path) === state || carried(path)) continue;
      t.true(told.has(path), `seed ${base + run}: #${from} to #${to}: ${path} differs and is not told`);
    }
    for (const path of before.keys()) {
      if (!after.has(path) && !carried(path)) t.true(told.has(`-${path}`), `seed ${base + run}: #${from} to #${to}: ${path} is gone and not told`);
    }
    for (const [path, status] of told) {
      if (status === 'deleted' || status === 'renamed' || carried(path)) continue;
      t.not(before.get(path), after.get(path), `seed ${base + run}: #${from} to #${to}: ${path} is told and does not differ`);
    }
  }
});

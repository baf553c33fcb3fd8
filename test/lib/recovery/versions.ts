import test, { type ExecutionContext } from 'ava';
import type { RewindError } from '../../../lib/errors.js';
import { listSaves, listWrites } from '../../../lib/recovery/versions.js';
import type { ListOptions, Save } from '../../../lib/recovery/types.js';
import { showPath } from '../../../lib/paths.js';
import { ModelTree } from '../../helpers/model-tree.js';

const MINUTE = 60_000_000_000n;
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** A tree, with programs in it: each has a number, opens, writes, closes. */
class Scene {
  readonly tree = new ModelTree();
  private programs = 0;

  /** Another program starts, a while later. */
  program(): void {
    this.tree.sleep(MINUTE);
    this.tree.save = 0;
    this.tree.writer = ++this.programs + 1000;
    this.tree.history.writers.set(this.tree.writer, {
      id: this.tree.writer, pid: this.programs, start: 1, ppid: 1, exe: `/bin/p${this.programs}`, argv: [], uid: 0, gid: 0, cgroup: '', certain: true,
    });
  }
  do(op: Parameters<ModelTree['do']>[0]): number {
    const errno = this.tree.do(op);
    if (errno !== 0) throw new Error(`${op.op}: errno ${errno}`);
    return this.tree.seq;
  }
  /** open, write some, close: the seq of the last write. */
  write(path: string, text: string, pieces = 2): number {
    this.tree.save = this.tree.record();
    let last = 0;
    for (let i = 0; i < pieces; i++) last = this.do({ op: 'write', path: bytes(path), offset: 0, data: bytes(text) });
    this.tree.save = 0;
    return last;
  }
  create(path: string, text: string): number {
    this.do({ op: 'create', path: bytes(path), mode: 0o644 });
    this.tree.save = this.tree.seq;
    const last = this.do({ op: 'write', path: bytes(path), offset: 0, data: bytes(text) });
    this.tree.save = 0;
    return last;
  }
  move(from: string, path: string): number {
    return this.do({ op: 'rename', from: bytes(from), path: bytes(path) });
  }
  async saves(path: string, options?: ListOptions): Promise<Save[]> {
    const saves: Save[] = [];
    for await (const save of listSaves(this.tree.history, path === '' ? [] : path.split('/'), options)) saves.push(save);
    return saves;
  }
}

const brief = (saves: Save[]): string[] => saves.map((save) =>
  `${save.marker} ${save.from ? `${showPath(save.from)} -> ` : ''}${save.path ? showPath(save.path) : '?'} v${save.ver ?? '-'} ${save.size ?? '-'} p${save.writer?.pid ?? '?'}`);

async function shows(t: ExecutionContext, scene: Scene, path: string, expected: string[], options?: ListOptions): Promise<Save[]> {
  const saves = await scene.saves(path, options);
  t.deepEqual(brief(saves), expected);
  return saves;
}

test.serial('ver counts within one life of a path and restarts when it is made again; time tells the two apart', async (t) => {
  const scene = new Scene();
  scene.program();
  const t3 = scene.create('foo', 'one');
  scene.program();
  const t5 = scene.write('foo', 'three');
  scene.program();
  const t9 = scene.do({ op: 'unlink', path: bytes('foo') });
  scene.program();
  const t14 = scene.create('foo', 'new');
  const saves = await shows(t, scene, 'foo', ['create foo v1 3 p4', 'delete foo v- - p3', 'modify foo v2 5 p2', 'create foo v1 3 p1']);
  t.deepEqual(saves.map((save) => save.seq), [t14, t9, t5, t3]);
  const read = async (seq: number): Promise<string | null> => {
    const node = await scene.tree.history.resolve(['foo'], seq);
    return node === null ? null : (await scene.tree.history.read(node, 0, 99, seq)).toString();
  };
  t.is(await read(t5 - 2), 'one', 't4 -> the content of t3');
  t.is(await read(t9 - 1), 'three', 't8 -> the content of t5');
  t.is(await read(t9), null, 't10..t13 -> it does not exist');
  t.is(await read(t14), 'new', 't15 -> the content of t14');
});

test.serial('same name in another directory is another file', async (t) => {
  const scene = new Scene();
  scene.program();
  scene.do({ op: 'mkdir', path: bytes('d'), mode: 0o755 });
  scene.create('d/foo', 'x');
  scene.create('foo', 'xyz');
  await shows(t, scene, 'foo', ['create foo v1 3 p1']);
  await shows(t, scene, 'd/foo', ['create d/foo v1 1 p1']);
});

test.serial('the writes of one open are one save, those of two opens are two', async (t) => {
  const scene = new Scene();
  scene.program();
  scene.create('f', 'a');
  scene.program();
  const first = scene.write('f', 'bb', 100);
  const second = scene.write('f', 'ccc', 3);
  const saves = await shows(t, scene, 'f', ['modify f v3 3 p2', 'modify f v2 2 p2', 'create f v1 1 p1']);
  t.deepEqual(saves.map((save) => save.records), [3, 100, 2]);
  t.deepEqual(saves.slice(0, 2).map((save) => save.seq), [second, first]);
});

/** A file of many saves; what is read at first ends within one that went on for days. */
function longWritten(scene: Scene): void {
  scene.program();
  scene.create('f', 'a');
  scene.program();
  scene.write('f', 'b', 3);
  scene.program();
  scene.tree.save = scene.tree.record();
  for (let i = 0; i < 5000; i++) {
    scene.tree.sleep(20n * MINUTE);
    scene.do({ op: 'write', path: bytes('f'), offset: 0, data: bytes('log') });
  }
  for (let i = 0; i < 1000; i++) {
    if (i % 100 === 0) scene.program();
    scene.write('f', 'c', 3);
  }
}

test.serial('the newest saves of a file are those of all that there are, however many are asked for', async (t) => {
  const scene = new Scene();
  longWritten(scene);
  const all = await scene.saves('f');
  t.is(all.length, 1003);
  t.is(all[1000]!.records, 5000);
  for (const limit of [20, 900, 1001, 1003]) {
    const newest = await scene.saves('f', { limit });
    t.deepEqual(newest.map(({ ver: _, ...save }) => save), all.slice(0, limit).map(({ ver: _, ...save }) => save), `${limit}`);
    for (const [i, { ver }] of newest.entries()) t.true(ver === null || ver === all[i]!.ver, `${limit}: ${i}`);
  }
});

test.serial('the newest saves of a file cost what they are made of, not all that was ever written', async (t) => {
  const scene = new Scene();
  longWritten(scene);
  const { history } = scene.tree;
  let read = 0;
  const counting = Object.assign(Object.create(history) as typeof history, {
    async *nodeChanges(...args: Parameters<typeof history.nodeChanges>) {
      for await (const change of history.nodeChanges(...args)) {
        read++;
        yield change;
      }
    },
  });
  let listed = 0;
  for await (const _ of listSaves(counting, ['f'], { limit: 20 })) listed++;
  t.is(listed, 20);
  t.true(read < 5000, `${read} of ${scene.tree.seq} changes were read`);
});

test.serial('changes without a handle by one writer at one time are one save', async (t) => {
  const scene = new Scene();
  scene.program();
  scene.create('f', 'abc');
  scene.do({ op: 'chmod', path: bytes('f'), mode: 0o600 });
  scene.do({ op: 'times', path: bytes('f'), atimeNs: 1n, mtimeNs: 2n });
  scene.program();
  scene.do({ op: 'chmod', path: bytes('f'), mode: 0o644 });
  scene.do({ op: 'chown', path: bytes('f'), uid: 7, gid: 7 });
  scene.tree.sleep(MINUTE);
  scene.do({ op: 'chmod', path: bytes('f'), mode: 0o640 });
  await shows(t, scene, 'f', ['modify f v3 3 p2', 'modify f v2 3 p2', 'create f v1 3 p1']);
});

test.serial('a save by rename is a modify of the path, with all that wrote the other file', async (t) => {
  const scene = new Scene();
  scene.program();
  scene.create('f', 'old');
  scene.program();
  scene.create('.f.swp', 'newer');
  scene.do({ op: 'chmod', path: bytes('.f.swp'), mode: 0o600 });
  const saved = scene.move('.f.swp', 'f');
  const saves = await shows(t, scene, 'f', ['modify f v2 5 p2', 'create f v1 3 p1']);
  t.is(saves[0]?.seq, saved);
  t.is(saves[0]?.records, 4);
  await shows(t, scene, '', ['modify f v- 5 p2', 'create f v- 3 p1']);
  await shows(t, scene, 'f', ['rename .f.swp -> f v2 5 p2', 'create .f.swp v1 5 p2', 'create f v1 3 p1'], { raw: true });
});

test.serial('a save that keeps a backup is a modify of the path', async (t) => {
  const scene = new Scene();
  scene.program();
  scene.create('f', 'old');
  scene.program();
  scene.move('f', 'f~');
  scene.create('f', 'newer');
  scene.do({ op: 'unlink', path: bytes('f~') });
  await shows(t, scene, 'f', ['modify f v2 5 p2', 'create f v1 3 p1']);
  await shows(t, scene, '', ['modify f v- 5 p2', 'create f v- 3 p1']);
});

test.serial('a listing follows its object back through renames, and a path tells where its object went', async (t) => {
  const scene = new Scene();
  scene.program();
  scene.do({ op: 'mkdir', path: bytes('d'), mode: 0o755 });
  scene.create('d/a', 'x');
  scene.program();
  scene.write('d/a', 'xy');
  scene.program();
  scene.move('d/a', 'b');
  scene.program();
  scene.write('b', 'xyz');
  await shows(t, scene, 'b', ['modify b v4 3 p4', 'rename d/a -> b v3 2 p3', 'modify d/a v2 2 p2', 'create d/a v1 1 p1']);
  await shows(t, scene, 'd/a', ['rename d/a -> b v- 2 p3', 'modify d/a v2 2 p2', 'create d/a v1 1 p1']);
});

test.serial('an old file that is moved over another is a modify of that path', async (t) => {
  const scene = new Scene();
  scene.program();
  scene.create('a', 'aa');
  scene.create('b', 'b');
  scene.program();
  scene.move('a', 'b');
  await shows(t, scene, 'b', ['modify b v2 2 p2', 'create b v1 1 p1']);
  await shows(t, scene, 'a', ['rename a -> b v- 2 p2', 'create a v1 2 p1']);
});

test.serial('another hard link of a file is none of the path\'s saves', async (t) => {
  const scene = new Scene();
  scene.program();
  scene.create('a', 'x');
  scene.program();
  scene.do({ op: 'link', path: bytes('b'), from: bytes('a') });
  scene.program();
  scene.do({ op: 'unlink', path: bytes('b') });
  await shows(t, scene, 'a', ['create a v1 1 p1']);
  await shows(t, scene, 'b', ['delete b v- - p3', 'create b v1 1 p2', 'create a v1 1 p1']);
});

test.serial('a directory lists what changed under it, newest first, limited, also under its earlier names', async (t) => {
  const scene = new Scene();
  scene.program();
  scene.do({ op: 'mkdir', path: bytes('src'), mode: 0o755 });
  scene.create('src/a', 'a');
  scene.create('other', 'o');
  scene.program();
  scene.move('src', 'lib');
  scene.program();
  scene.write('lib/a', 'aa');
  const outside = scene.write('other', 'oo');
  scene.program();
  scene.do({ op: 'unlink', path: bytes('lib/a') });
  await shows(t, scene, 'lib', ['delete lib/a v- - p4', 'modify lib/a v- 2 p3', 'rename src -> lib v- - p2', 'create src/a v- 1 p1', 'create src v- - p1']);
  await shows(t, scene, '', ['delete lib/a v- - p4', 'modify other v- 2 p3'], { limit: 2 });
  await shows(t, scene, '', ['modify other v- 2 p3'], { since: outside - 1, until: outside });
});

test.serial('a deleted directory still tells what was under it', async (t) => {
  const scene = new Scene();
  scene.program();
  scene.do({ op: 'mkdir', path: bytes('d'), mode: 0o755 });
  scene.create('d/a', 'a');
  scene.program();
  scene.do({ op: 'unlink', path: bytes('d/a') });
  scene.do({ op: 'rmdir', path: bytes('d') });
  await shows(t, scene, 'd', ['delete d v- - p2', 'delete d/a v- - p2', 'create d/a v- 1 p1', 'create d v- - p1']);
});

test.serial('every record is listed where every record is asked for', async (t) => {
  const scene = new Scene();
  scene.program();
  scene.create('f', 'abc');
  scene.program();
  scene.write('f', 'abcd', 3);
  const kinds: string[] = [];
  for await (const entry of listWrites(scene.tree.history, ['f'])) kinds.push(`${entry.kind} ${entry.length} p${entry.writer?.pid}`);
  t.deepEqual(kinds, ['24 4 p2', '24 4 p2', '24 4 p2', '24 3 p1', '8 0 p1']);
  let under = 0;
  for await (const entry of listWrites(scene.tree.history, [], { limit: 4 })) under += entry.path?.[0] === 'f' ? 1 : 100;
  t.is(under, 4);
});

test.serial('every record of a file tells the path of its time, also when a directory above it moved since', async (t) => {
  const scene = new Scene();
  scene.do({ op: 'mkdir', path: bytes('a'), mode: 0o755 });
  scene.create('a/f', 'first');
  scene.write('a/f', 'second', 1);
  scene.move('a', 'b');
  scene.write('b/f', 'third', 1);
  const paths: string[] = [];
  for await (const entry of listWrites(scene.tree.history, ['b', 'f'])) paths.push(showPath(entry.path!));
  t.deepEqual(paths, ['b/f', 'a/f', 'a/f', 'a/f']);
});

test.serial('a path that never existed is refused, naming the nearest that did', async (t) => {
  const scene = new Scene();
  scene.program();
  scene.do({ op: 'mkdir', path: bytes('source'), mode: 0o755 });
  scene.create('source/index.ts', 'a');
  scene.do({ op: 'unlink', path: bytes('source/index.ts') });
  const error = await t.throwsAsync<RewindError>(scene.saves('source/idnex.ts'));
  t.is(error?.code, 'ERR_NEVER_EXISTED');
  t.is(error?.hint, 'did you mean source/index.ts?');
  t.is((await t.throwsAsync<RewindError>(scene.saves('sorce/index.ts')))?.hint, 'did you mean source/index.ts?');
});

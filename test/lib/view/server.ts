import { constants } from 'node:os';
import test from 'ava';
import { formatTimeUtc } from '../../../lib/time/format.js';
import { FOREVER, Opcode, SEEK_DATA, SEEK_HOLE } from '../../../lib/view/wire.js';
import { FIRST_NS, MemoryHistory, SECOND } from '../../helpers/memory-history.js';
import { entryOf, frame, nameBody, readBody, ROOT_ID, seekBody, ViewKernel, xattrBody } from '../../helpers/view-kernel.js';

const { EINTR, EINVAL, EIO, ENODATA, ENOENT, ENOSYS, ENXIO, ERANGE, EROFS, ESTALE } = constants.errno;
const forever = BigInt(FOREVER);
/** An instant may be forgotten: its name is asked for again. */
const held = 60n;

/** foo as in the worked example: saved (2), saved (3), deleted (4), created again (5). */
function fooHistory(): MemoryHistory {
  const history = new MemoryHistory();
  history.file('foo', 'one');
  history.write('foo', 'two!');
  history.remove('foo');
  history.file('foo', 'new');
  history.mark('done');
  return history;
}

test.serial('each instant shows the content of then, and nothing where nothing was', async (t) => {
  const kernel = new ViewKernel(fooHistory());
  t.is(await kernel.walk('@#1/foo'), null);
  t.is(await kernel.content('@#2/foo'), 'one');
  t.is(await kernel.content('@#3/foo'), 'two!');
  t.is(await kernel.walk('@#4/foo'), null);
  t.is(await kernel.content('@#5/foo'), 'new');
  t.is(await kernel.content('@done/foo'), 'new');
  t.is(await kernel.content(`@${formatTimeUtc(FIRST_NS + SECOND)}/foo`), 'one');
});

test.serial('a name that can mean nothing else is kept for ever, a sliding one is not', async (t) => {
  const kernel = new ViewKernel(fooHistory());
  t.is((await kernel.must('@#2')).nameSeconds, held);
  t.is((await kernel.must(`@${formatTimeUtc(FIRST_NS + SECOND)}`)).nameSeconds, held);
  t.is((await kernel.must('@now')).nameSeconds, 0n);
  t.is((await kernel.must('@0s')).nameSeconds, 0n);
  t.is((await kernel.must('@done')).nameSeconds, 1n);
  t.is((await kernel.must('@2h')).nameSeconds, 1n);
  t.is((await kernel.must('@#2/foo')).nameSeconds, forever);
  t.is((await kernel.must('@now/foo')).attrSeconds, forever);
});

test.serial('an expression that cannot be read or lies outside of history is ENOENT', async (t) => {
  const kernel = new ViewKernel(fooHistory());
  for (const name of ['foo', '@', '@nonsense here', '@#99', '@1970-01-01T00:00:00Z', '@2286-01-01T00:00:00Z', '@\xff\xfe']) {
    t.is((await kernel.ask(Opcode.LOOKUP, ROOT_ID, nameBody(Buffer.from(name, 'latin1')))).errno, ENOENT, name);
  }
});

test.serial('@now waits until history holds what was acknowledged', async (t) => {
  const history = fooHistory();
  let settled = (): void => undefined;
  const kernel = new ViewKernel(history, () => new Promise((resolve) => (settled = resolve)));
  const { reply } = kernel.begin(Opcode.LOOKUP, ROOT_ID, nameBody('@now'));
  history.write('foo', 'acknowledged');
  settled();
  const { nodeid } = entryOf((await reply).body);
  const foo = await kernel.walk('foo', nodeid);
  t.is(foo?.size, 12n);
});

test.serial('while a state may still grow, every look from the root sees what history holds by now', async (t) => {
  const history = fooHistory();
  let growing = true;
  const kernel = new ViewKernel(history, undefined, (seq) => growing && seq >= 3);
  const early = await kernel.must('@#4');
  t.is(early.nameSeconds, 0n);
  t.is((await kernel.must('@#2')).nameSeconds, held);
  t.deepEqual((await kernel.must('@#4')).nodeid, early.nodeid);
  history.mark('more');
  const later = await kernel.must('@#4');
  t.notDeepEqual(later.nodeid, early.nodeid);
  t.is(later.ino, early.ino);
  growing = false;
  t.is((await kernel.must('@#4')).nameSeconds, held);
});

test.serial('the root lists the points, each of which can be looked up', async (t) => {
  const history = fooHistory();
  history.mark('');
  const kernel = new ViewKernel(history);
  const names = (await kernel.list(ROOT_ID)).map(({ name }) => name);
  t.deepEqual(names, ['.', '..', '@done', `@${formatTimeUtc(FIRST_NS + 6n * SECOND)}`, '~']);
  for (const name of names.slice(2)) t.truthy(await kernel.walk(name), name);
});

test.serial('attributes are those of then, to the nanosecond, before 1970 too', async (t) => {
  const history = new MemoryHistory();
  history.file('f', 'x'.repeat(5000), 0o4751, { mtime: -1n, uid: 7, gid: 8, nlink: 3 });
  history.setattr('f', { mode: 0o100600 });
  const kernel = new ViewKernel(history);
  const before = await kernel.must('@#2/f');
  t.is(before.mode, 0o104751);
  t.is(before.mtime, -1n);
  t.is(before.nlink, 3);
  t.is((await kernel.must('@#3/f')).mode, 0o100600);
  const { body } = await kernel.ask(Opcode.GETATTR, before.nodeid, Buffer.alloc(16));
  t.is(body.readUInt32LE(16 + 60), 0o104751);
  t.is(body.readBigUInt64LE(16 + 16), 10n);
});

test.serial('hard links of one instant share an inode number; two instants never do', async (t) => {
  const history = new MemoryHistory();
  history.file('a', 'x');
  history.link('a', 'b');
  history.write('a', 'y');
  const kernel = new ViewKernel(history);
  t.is((await kernel.must('@#3/a')).ino, (await kernel.must('@#3/b')).ino);
  t.not((await kernel.must('@#3/a')).ino, (await kernel.must('@#4/a')).ino);
  t.not((await kernel.must('@#3')).ino, (await kernel.must('@#4')).ino);
});

test.serial('a long directory is read page by page, each name once, by every page size', async (t) => {
  const history = new MemoryHistory();
  for (let i = 0; i < 500; i++) history.file(`${'n'.repeat(i % 200)}${i}`, '');
  const kernel = new ViewKernel(history);
  const { nodeid } = await kernel.must('@now');
  const expected = (await history.list(1, history.watermark())).map(({ name }) => name);
  for (const pageBytes of [512, 1000, 4096, 131_072]) {
    for (const plus of [true, false]) {
      const listed = await kernel.list(nodeid, { plus, pageBytes });
      t.deepEqual(listed.slice(2).map(({ name }) => name), expected);
      t.true(listed.slice(2).every(({ type, entry }) => type === 8 && (entry !== null) === plus));
    }
  }
});

test.serial('small files that are read one after the other are read ahead, each once; others are not', async (t) => {
  const history = new MemoryHistory();
  for (let i = 0; i < 100; i++) history.file(`f${100 + i}`, `content ${i}`);
  history.file('large', 'x'.repeat(70_000));
  const reads: number[] = [];
  const read = history.read.bind(history);
  history.read = (node, ...rest) => {
    reads.push(node);
    return read(node, ...rest);
  };
  const kernel = new ViewKernel(history);
  const { nodeid } = await kernel.must('@now');
  await kernel.list(nodeid, { pageBytes: 131_072 });
  t.is(await kernel.content('@now/f150'), 'content 50');
  t.is(reads.length, 1);
  reads.length = 0;
  for (let i = 0; i < 100; i++) t.is(await kernel.content(`@now/f${100 + i}`), `content ${i}`);
  t.is((await kernel.content('@now/large')).length, 70_000);
  t.is(await kernel.content('@now/f120'), 'content 20');
  t.deepEqual([reads.length, new Set(reads).size], [102, 101]);
  reads.length = 0;
  await kernel.list(nodeid, { pageBytes: 131_072 });
  await kernel.content('@now/f100');
  t.is(reads.length, 16);
});

test.serial('what the kernel forgets takes no memory, whatever was handed out', async (t) => {
  const history = fooHistory();
  history.mkdir('d');
  const kernel = new ViewKernel(history);
  const { nodes } = kernel.view;
  const top = await kernel.must('@#7');
  const foo = await kernel.walk('foo', top.nodeid);
  const entries = (await kernel.list(top.nodeid)).filter(({ entry }) => entry);
  const path = await kernel.must('~');
  t.is(entries.length, 2);
  t.is(nodes.size, 2);
  for (const { entry } of entries) kernel.forget(entry!.nodeid);
  kernel.forget(foo!.nodeid);
  t.is(nodes.size, 2);
  kernel.forget(top.nodeid);
  kernel.forget(path.nodeid);
  t.is(nodes.size, 0);
  t.is((await kernel.ask(Opcode.GETATTR, top.nodeid, Buffer.alloc(16))).errno, ESTALE);
});

test.serial('an entry that the kernel did not take is not held', async (t) => {
  const kernel = new ViewKernel(fooHistory());
  kernel.taken = ENOENT;
  await kernel.ask(Opcode.LOOKUP, ROOT_ID, nameBody('@#2'));
  t.is(kernel.view.nodes.size, 0);
});

test.serial('an interrupted request is answered at once and what it finds later is dropped', async (t) => {
  let settled = (): void => undefined;
  const kernel = new ViewKernel(fooHistory(), () => new Promise((resolve) => (settled = resolve)));
  const { unique, reply } = kernel.begin(Opcode.LOOKUP, ROOT_ID, nameBody('@now'));
  kernel.interrupt(unique);
  t.is((await reply).errno, EINTR);
  settled();
  await new Promise((resolve) => setImmediate(resolve));
  t.is(kernel.server.pending, 0);
  t.is(kernel.view.nodes.size, 0);
  kernel.interrupt(unique);
});

test.serial('extended attributes: value, length, too little room, absence, and the list', async (t) => {
  const history = new MemoryHistory();
  history.file('f', '');
  history.setxattr('f', 'user.a', Buffer.from('value'));
  history.setxattr('f', 'trusted.t', Buffer.from('secret'));
  const kernel = new ViewKernel(history);
  const { nodeid } = await kernel.must('@now/f');
  t.is((await kernel.ask(Opcode.GETXATTR, nodeid, xattrBody(100, 'user.a'))).body.toString(), 'value');
  t.is((await kernel.ask(Opcode.GETXATTR, nodeid, xattrBody(0, 'user.a'))).body.readUInt32LE(0), 5);
  t.is((await kernel.ask(Opcode.GETXATTR, nodeid, xattrBody(4, 'user.a'))).errno, ERANGE);
  t.is((await kernel.ask(Opcode.GETXATTR, nodeid, xattrBody(100, 'user.b'))).errno, ENODATA);
  t.is((await kernel.ask(Opcode.LISTXATTR, nodeid, xattrBody(100))).body.toString(), 'user.a\0trusted.t\0');
  t.is((await kernel.ask(Opcode.LISTXATTR, nodeid, xattrBody(100), 1000)).body.toString(), 'user.a\0');
  t.is((await kernel.ask(Opcode.GETXATTR, (await kernel.must('@#2/f')).nodeid, xattrBody(100, 'user.a'))).errno, ENODATA);
});

test.serial('data and holes of a sparse file are found', async (t) => {
  const history = new MemoryHistory();
  const content = Buffer.alloc(300_000);
  content[70_000] = 1;
  content[140_000] = 1;
  history.file('sparse', content);
  const kernel = new ViewKernel(history);
  const { nodeid } = await kernel.must('@now/sparse');
  const seek = async (offset: number, whence: number): Promise<number> => {
    const { errno, body } = await kernel.ask(Opcode.LSEEK, nodeid, seekBody(offset, whence));
    return errno === 0 ? Number(body.readBigUInt64LE(0)) : -errno;
  };
  t.is(await seek(0, SEEK_DATA), 65_536);
  t.is(await seek(100_000, SEEK_DATA), 100_000);
  t.is(await seek(0, SEEK_HOLE), 0);
  t.is(await seek(65_536, SEEK_HOLE), 196_608);
  t.is(await seek(196_608, SEEK_DATA), -ENXIO);
  t.is(await seek(300_000, SEEK_HOLE), -ENXIO);
});

test.serial('the kernel is told not to ask for opens, and that nothing can be changed', async (t) => {
  const kernel = new ViewKernel(fooHistory());
  const { nodeid } = await kernel.must('@#2/foo');
  for (const opcode of [Opcode.OPEN, Opcode.OPENDIR, Opcode.FLUSH, Opcode.IOCTL, 9999]) t.is((await kernel.ask(opcode, nodeid)).errno, ENOSYS);
  for (const opcode of [Opcode.WRITE, Opcode.SETATTR, Opcode.UNLINK, Opcode.CREATE, Opcode.RENAME2]) t.is((await kernel.ask(opcode, nodeid)).errno, EROFS);
});

test.serial('what history cannot answer is EIO and is reported', async (t) => {
  const history = fooHistory();
  const kernel = new ViewKernel(history);
  const { nodeid } = await kernel.must('@#2/foo');
  history.read = async () => {
    throw new Error('a corrupt block');
  };
  t.is((await kernel.ask(Opcode.READ, nodeid, readBody(0, 10))).errno, EIO);
  t.is((kernel.errors[0] as Error).message, 'a corrupt block');
});

test.serial('bodies that are too short, names without an end and bytes that are no frame are refused', async (t) => {
  const kernel = new ViewKernel(fooHistory());
  const { nodeid } = await kernel.must('@#2/foo');
  for (const opcode of [Opcode.READ, Opcode.GETXATTR, Opcode.LISTXATTR, Opcode.LSEEK, Opcode.READDIR, Opcode.READDIRPLUS]) {
    t.is((await kernel.ask(opcode, nodeid, Buffer.alloc(3))).errno, EINVAL);
  }
  t.is((await kernel.ask(Opcode.LOOKUP, ROOT_ID, Buffer.from('no end'))).errno, EINVAL);
  t.is((await kernel.ask(Opcode.LOOKUP, ROOT_ID, nameBody(''))).errno, EINVAL);
  const whole = frame(Opcode.GETATTR, 2, ROOT_ID, Buffer.alloc(16));
  for (let cut = 0; cut < whole.length; cut++) kernel.server.handle(whole.subarray(0, cut));
  const lying = Buffer.from(whole);
  lying.writeUInt32LE(5, 0);
  kernel.server.handle(lying);
  kernel.server.handle(frame(Opcode.BATCH_FORGET, 4, ROOT_ID, Buffer.from([255, 255, 255, 255, 0, 0, 0, 0])));
  t.deepEqual(kernel.errors, []);
});

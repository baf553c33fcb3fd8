/** Whatever bytes come as requests: one answer for each that is due one, no exception, no memory that stays. */
import test from 'ava';
import { Opcode, Size, type U64 } from '../../../lib/view/wire.js';
import { MemoryHistory } from '../../helpers/memory-history.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { frame, nameBody, ROOT_ID, ViewKernel } from '../../helpers/view-kernel.js';

const NAMES = ['@now', '@#2', '@#1', '~', 'd', 'f', '..', '.', '@', '\xff', 'x'.repeat(300), 'a/b'];
const SILENT = new Set<number>([Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT]);

function history(): MemoryHistory {
  const made = new MemoryHistory();
  made.mkdir('d');
  made.file('d/f', 'content');
  made.setxattr('d/f', 'user.a', Buffer.from('value'));
  return made;
}

function randomBody(random: Random): Buffer {
  if (random.chance(0.3)) return nameBody(Buffer.from(NAMES[random.below(NAMES.length)] as string, 'latin1'));
  const body = Buffer.alloc(random.below(64));
  // Mostly small numbers, so that some of them mean something; now and then the largest.
  for (let i = 0; i < body.length; i++) body[i] = random.chance(0.1) ? 255 : random.chance(0.3) ? random.below(4) : 0;
  return body;
}

test.serial('garbage in every place of a request is answered or dropped, never thrown', async (t) => {
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const random = new Random(seed);
  const answered = new Map<number, number>();
  const kernel = new ViewKernel(history(), undefined, undefined, (unique) => answered.set(unique, (answered.get(unique) ?? 0) + 1));
  const known: U64[] = [ROOT_ID];
  for (const path of ['@now', '@now/d', '@now/d/f', '~', '~/d', '~/d/f']) known.push((await kernel.must(path)).nodeid);
  answered.clear();
  const due = new Set<number>();
  for (let unique = 1_000_000; unique < 1_020_000; unique += 2) {
    const opcode = random.chance(0.9) ? random.below(56) : random.next();
    const nodeid = random.chance(0.8) ? (known[random.below(known.length)] as U64) : { hi: random.next(), lo: random.next() };
    // A kernel never forgets what it does not hold; here it does, so the table is asked to survive it.
    kernel.server.handle(frame(opcode, unique, nodeid, randomBody(random), random.below(3)));
    if (!SILENT.has(opcode)) due.add(unique);
  }
  await kernel.server.idle();
  t.deepEqual([...due].filter((unique) => answered.get(unique) !== 1), []);
  t.deepEqual([...answered.keys()].filter((unique) => !due.has(unique) && answered.get(unique) !== 1), []);
  t.deepEqual(kernel.errors, []);
  t.is(kernel.server.pending, 0);
});

test.serial('bytes that are no frames at all are dropped', (t) => {
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const random = new Random(seed);
  const kernel = new ViewKernel(history());
  for (let i = 0; i < 5000; i++) {
    const batch = Buffer.from(Array.from({ length: random.below(200) }, () => random.below(256)));
    if (random.chance(0.5) && batch.length >= Size.in_header) batch.writeUInt32LE(random.below(batch.length * 2), 0);
    t.notThrows(() => kernel.server.handle(batch));
  }
});

test.serial('a file, a directory and a link refuse what is asked of another kind', async (t) => {
  const kernel = new ViewKernel(history());
  const { nodeid } = await kernel.must('@now/d/f');
  t.deepEqual((await kernel.list(nodeid)).map(({ name }) => name), ['.', '..']);
  t.is(await kernel.walk('f/below', nodeid), null);
});

/** Archives of which one frame holds something else, with the checksum that fits it: no crash, no hang, nothing outside. */
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { Chain } from '../../../lib/archive/chain.js';
import { encodeFrame } from '../../../lib/archive/format.js';
import { importArchive } from '../../../lib/archive/import.js';
import { ArchiveReader } from '../../../lib/archive/reader.js';
import { encodeListing, type ArchiveNode, type Entry } from '../../../lib/archive/records.js';
import type { ArchiveWriter } from '../../../lib/archive/writer.js';
import { RewindError, type ErrorCode } from '../../../lib/errors.js';
import { archiveBy, fileOf, headAt, stateOf } from '../../helpers/archives.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped } from '../../helpers/scope.js';

const ROUNDS = 600;
/** A length may become anything: what asks for more room than the disk has, or cannot be made, is refused as such. */
const REFUSED = new Set<ErrorCode>(['ERR_ARCHIVE_CUT', 'ERR_ARCHIVE_CORRUPT', 'ERR_ARCHIVE_BASE', 'ERR_PARTLY_DONE', 'ERR_NOT_CAPTURED', 'ERR_PURGED', 'ERR_TIME_THINNED', 'ERR_DISK_FULL']);

const [DIR, FILE, LINK] = [0o040755, 0o100644, 0o120777];

/** A tree of every kind of record, as calls on a writer. */
function fill(writer: ArchiveWriter): void {
  const put = (node: number, mode: number, more: Partial<ArchiveNode> = {}, size = 0): void => writer.node({
    node, parent: 0, attr: { mode, uid: 0, gid: 0, nlink: 1, size, rdev: 0n, atime: 1n, mtime: 2n, ctime: 3n, btime: 4n }, missing: null, xattrs: new Map(), target: Buffer.alloc(0), listed: 0, extents: [], ...more,
  });
  const directory = (node: number, parent: number, entries: [string, number, number][]): void => {
    const listing = encodeListing(entries.map(([name, child, mode]): Entry => ({ name, node: child, type: mode & 0o170000 })));
    put(node, DIR, { parent, listed: listing.length, extents: writer.content(0, listing) });
  };
  directory(1, 0, [['a', 2, FILE], ['d', 3, DIR], ['link', 4, LINK]]);
  directory(3, 1, [['big', 5, FILE], ['hard', 2, FILE], ['none', 6, FILE]]);
  put(2, FILE, { xattrs: new Map([['user.k', Buffer.from('v')]]), extents: writer.content(0, Buffer.from('content')) }, 7);
  put(4, LINK, { target: Buffer.from('../a') }, 4);
  put(5, FILE, { extents: writer.content(4096, Buffer.alloc(300_000, 'x')) }, 400_000);
  put(6, FILE, { missing: 'uncaptured' }, 10);
}

/** Other bytes: some changed, some gone, some more. */
function mangled(bytes: Buffer, random: Random): Buffer {
  const out = Buffer.from(bytes);
  if (out.length === 0 || random.chance(0.1)) return Buffer.concat([out, Buffer.from([random.below(256)])]);
  if (random.chance(0.15)) return out.subarray(0, random.below(out.length));
  // Of a long run of the same its beginning: that is where structures lie.
  for (let i = random.between(1, 3); i > 0; i--) out[random.below(Math.min(out.length, 2000))] = random.pick([0, 1, 0x2e, 0x2f, 0x7f, 0x80, 0xff, random.below(256)]);
  return out;
}

test.serial('whatever a frame holds, an import ends: refused, or with files in its directory and nowhere else', async (t) => {
  const seed = freshSeed();
  const random = new Random(seed);
  let frames = 0;
  archiveBy(fill, headAt(5), (...args) => { frames++; return encodeFrame(...args); });
  let refused = 0;
  await scoped(async (scope) => {
    const directory = scope.temporary('memory');
    for (let round = 0; round < ROUNDS; round++) {
      let left = random.below(frames);
      const bytes = archiveBy(fill, headAt(5), (kind, number, content, plain) => encodeFrame(kind, number, left-- === 0 ? mangled(content, random) : content, plain));
      const archive = fileOf(directory, 'archive', bytes);
      const place = path.join(directory, `place${round}`);
      mkdirSync(place);
      try {
        const chain = await Chain.open([archive]);
        try {
          const reader = new ArchiveReader(chain);
          await stateOf(reader, reader.watermark()).catch((error: unknown) => expectKnown(error));
          await importArchive(chain, { into: path.join(place, 'new') });
        } finally {
          await chain.close();
        }
      } catch (error) {
        expectKnown(error, `seed ${seed}, round ${round}`);
        refused++;
      }
      t.deepEqual(readdirSync(place).filter((name) => name !== 'new'), [], `seed ${seed}, round ${round}`);
    }
    t.is(readdirSync(directory).length, ROUNDS + 1, `seed ${seed}`);
  });
  t.true(refused > ROUNDS / 4, `${refused} of ${ROUNDS} were refused`);
});

/** Anything else would be a bug of ours. */
function expectKnown(error: unknown, where = ''): void {
  if (error instanceof RewindError && REFUSED.has(error.code)) return;
  throw new Error(`${where}: ${String(error)}`, { cause: error });
}

/** Archives that somebody made to do harm: each with checksums that fit. They are refused, and nothing is left, or outside. */
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { Chain } from '../../../lib/archive/chain.js';
import { BLOCK_BYTES, encodeEnd, encodeFrame, FIRST_LINE, Kind, END_BYTES } from '../../../lib/archive/format.js';
import { encodeHead } from '../../../lib/archive/head.js';
import { importArchive } from '../../../lib/archive/import.js';
import { encodeListing, type ArchiveNode, type Entry } from '../../../lib/archive/records.js';
import { encodeTop } from '../../../lib/archive/tables.js';
import type { ArchiveWriter } from '../../../lib/archive/writer.js';
import type { RewindError } from '../../../lib/errors.js';
import { ArchiveReader } from '../../../lib/archive/reader.js';
import { archiveBy, fileOf, headAt, stateOf } from '../../helpers/archives.js';
import { scoped } from '../../helpers/scope.js';

const [DIR, FILE, LINK] = [0o040755, 0o100644, 0o120777];

function node(id: number, mode: number, more: Partial<ArchiveNode> = {}, size = 0): ArchiveNode {
  const attr = { mode, uid: 0, gid: 0, nlink: 1, size, rdev: 0n, atime: 0n, mtime: 0n, ctime: 0n, btime: 0n };
  return { node: id, parent: 0, attr, missing: null, xattrs: new Map(), target: Buffer.alloc(0), listed: 0, extents: [], ...more };
}

const entry = (name: string, id: number, mode = FILE): Entry => ({ name, node: id, type: mode & 0o170000 });

function directory(writer: ArchiveWriter, id: number, parent: number, entries: Entry[]): void {
  const listing = encodeListing(entries);
  writer.node(node(id, DIR, { parent, listed: listing.length, extents: writer.content(0, listing) }));
}

/** A root with these entries, and more objects. */
const tree = (entries: Entry[], more: (writer: ArchiveWriter) => void = () => undefined): Buffer => archiveBy((writer) => {
  directory(writer, 1, 0, entries);
  more(writer);
});

const file = (...[id, more, size]: [number, Partial<ArchiveNode>?, number?]) => (writer: ArchiveWriter): void => writer.node(node(id, FILE, more, size));
const block = (writer: ArchiveWriter): number => writer.content(0, Buffer.alloc(BLOCK_BYTES, 'x'))[0]!.block!;

/** Tables and an end around a top that lies. */
function toppedBy(top: Buffer): Buffer {
  const head = Buffer.concat([FIRST_LINE, encodeFrame(Kind.Head, 0, encodeHead(headAt(5)))]);
  const frame = encodeFrame(Kind.Top, 0, top);
  const length = head.length + frame.length + END_BYTES;
  return Buffer.concat([head, frame, encodeEnd({ top: head.length, length, objects: 1, bytes: 0, missing: 0 })]);
}

const HOSTILE: Record<string, Buffer> = {
  'a name that leads out of the directory': tree([entry('..', 2)], file(2)),
  'the directory itself as a name': tree([entry('.', 2)], file(2)),
  'a name with a slash': tree([entry('../outside', 2)], file(2)),
  'an absolute name': tree([entry('/outside', 2)], file(2)),
  'an empty name': tree([entry('', 2)], file(2)),
  'a name with a zero byte': tree([entry('a\0b', 2)], file(2)),
  'a name of 300 bytes': tree([entry('a'.repeat(300), 2)], file(2)),
  'a name twice': tree([entry('a', 2), entry('a', 3)], (writer) => { file(2)(writer); file(3)(writer); }),
  'names out of order': tree([entry('b', 2), entry('a', 3)], (writer) => { file(2)(writer); file(3)(writer); }),
  'a directory in itself': tree([entry('d', 2, DIR)], (writer) => directory(writer, 2, 1, [entry('d', 2, DIR)])),
  'the root in a directory': tree([entry('d', 2, DIR)], (writer) => directory(writer, 2, 1, [entry('r', 1, DIR)])),
  'a circle of two directories': tree([entry('d', 2, DIR)], (writer) => { directory(writer, 2, 1, [entry('e', 3, DIR)]); directory(writer, 3, 2, [entry('d', 2, DIR)]); }),
  'a directory in two places': tree([entry('d', 2, DIR), entry('e', 3, DIR)], (writer) => { directory(writer, 2, 1, [entry('x', 3, DIR)]); directory(writer, 3, 1, []); }),
  'a directory under two names': tree([entry('d', 2, DIR), entry('e', 2, DIR)], (writer) => directory(writer, 2, 1, [])),
  'a name that leads to nothing': tree([entry('a', 2)]),
  'a name of another type than its object': tree([entry('a', 2, DIR)], file(2)),
  'an object of no type': tree([entry('a', 2, 0)], (writer) => writer.node(node(2, 0o000644))),
  'no root': archiveBy(file(2)),
  'a root that is a file': archiveBy(file(1)),
  'an object twice': archiveBy((writer) => { directory(writer, 1, 0, []); directory(writer, 1, 0, []); }),
  'content beyond the end of a file': tree([entry('a', 2)], (writer) => file(2, { extents: [{ offset: 0, length: 10, block: block(writer), at: 0 }] }, 5)(writer)),
  'content that its block does not have': tree([entry('a', 2)], (writer) => file(2, { extents: [{ offset: 0, length: 2 * BLOCK_BYTES, block: block(writer), at: 0 }] }, 2 * BLOCK_BYTES)(writer)),
  'content in a block of objects': tree([entry('a', 2)], (writer) => file(2, { extents: [{ offset: 0, length: 10, block: 1, at: 0 }] }, 10)(writer)),
  'content in a block that is not there': tree([entry('a', 2)], file(2, { extents: [{ offset: 0, length: 10, block: 4e9, at: 0 }] }, 10)),
  'content of an archive before, and there is none': tree([entry('a', 2)], file(2, { extents: [{ offset: 0, length: 10, block: null, at: 0 }] }, 10)),
  'one block as the content of a terabyte': tree([entry('a', 2)], (writer) => {
    const one = block(writer);
    file(2, { extents: Array.from({ length: 2000 }, (_, i) => ({ offset: i * BLOCK_BYTES, length: BLOCK_BYTES, block: one, at: 0 })) }, 1e12)(writer);
  }),
  'a listing of a terabyte': archiveBy((writer) => writer.node(node(1, DIR, { listed: 200 << 20, extents: [{ offset: 0, length: 200 << 20, block: 0, at: 0 }] }))),
  'a symlink that leads nowhere': tree([entry('a', 2, LINK)], (writer) => writer.node(node(2, LINK))),
  'a top that counts more blocks than there can be': toppedBy(encodeTop({ blocks: 2 ** 50, places: [], nodes: 0, index: [] })),
  'a top that counts more objects than there can be': toppedBy(encodeTop({ blocks: 0, places: [], nodes: 2 ** 50, index: [] })),
  'a top that leads beyond the archive': toppedBy(encodeTop({ blocks: 1, places: [{ at: 1e9, length: 100 }], nodes: 0, index: [] })),
  'a top that is no table': toppedBy(Buffer.alloc(100, 0xff)),
  'a head that names no instant': Buffer.concat([FIRST_LINE, encodeFrame(Kind.Head, 0, Buffer.from('{}'))]),
};

for (const [what, bytes] of Object.entries(HOSTILE)) {
  test.serial(`${what}: refused, and nothing is left`, async (t) => {
    await scoped(async (scope) => {
      const archive = fileOf(scope.temporary(), 'a', bytes);
      const place = path.join(scope.temporary(), 'place');
      mkdirSync(place);
      const refused = await t.throwsAsync<RewindError>(async () => {
        const chain = await Chain.open([archive]);
        await importArchive(chain, { into: path.join(place, 'new') }).finally(() => chain.close());
      });
      t.true(['ERR_ARCHIVE_CORRUPT', 'ERR_ARCHIVE_CUT'].includes(refused!.code), `${refused!.code}: ${refused!.message}`);
      t.deepEqual(readdirSync(place), []);
      // Who walks it through a view comes to an end, too.
      const chain = await Chain.open([archive]).catch(() => null);
      if (chain) await stateOf(new ArchiveReader(chain), 5).catch((error: Error) => t.pass(error.message));
      await chain?.close();
      t.deepEqual(readdirSync(path.dirname(place)), ['place']);
    });
  });
}

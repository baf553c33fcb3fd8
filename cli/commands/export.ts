/** `rewind export`: an instant, or what changed between two, as one file or a stream. */
import { lstat, open, rename } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { echoInstant, time_zone, withTree, type Tree } from '../ask.js';
import { flag, text, type Arguments } from '../command.js';
import { showBytes, type Output } from '../output.js';
import { orRemoved } from '../partial.js';
import { Archive } from '../../lib/archive/archive.js';
import { expectToFit } from '../../lib/archive/chain.js';
import { decodeEnd, END_BYTES, type End } from '../../lib/archive/format.js';
import { RewindError } from '../../lib/errors.js';
import { native } from '../../lib/native.js';
import { safeForTerminal } from '../../lib/paths.js';

/** Bytes between two words on how far it is. */
const TOLD_BYTES = 16 << 20;

/** What is asked for, with instants that mean the same for ever. */
interface Call { at: string; since?: string; group?: string }

export async function run(args: Arguments, out: Output): Promise<void> {
  const dest = text(args, 'DEST')!;
  const before = text(args, 'since');
  if (dest === '-' && process.stdout.isTTY) throw new RewindError('ERR_USAGE', 'An archive is no text: it is not written to a terminal', 'Name a file, or another program: rewind export ... - | ...');
  if (dest !== '-') await expectNew(dest, flag(args, 'force'));
  const base = before === undefined ? null : await Archive.open(before);
  try {
    await withTree(args, undefined, out, async (tree) => {
      const call = await callOf(tree, args, base, dest === '-' ? out.onStderr() : out);
      if (dest === '-') await toStdout(tree, call, out);
      else await toFile(tree, call, { dest: resolve(dest), base, force: flag(args, 'force') }, out);
    });
  } finally {
    await base?.close();
  }
}

/** @throws ERR_EXISTS */
async function expectNew(dest: string, force: boolean): Promise<void> {
  const there = await lstat(dest).catch(() => null);
  if (!there || (force && there.isFile())) return;
  throw new RewindError('ERR_EXISTS', `${safeForTerminal(dest)} exists${there.isFile() ? '' : ', and is no regular file'}`, there.isFile() ? 'Name another file, or replace it with --force.' : 'Name a file that does not exist.');
}

async function callOf({ client, found }: Tree, args: Arguments, base: Archive | null, out: Output): Promise<Call> {
  const [from, to] = rangeOf(text(args, 'WHAT')!);
  if (from !== undefined && base) throw new RewindError('ERR_USAGE', 'TIME..TIME and --since both say where to begin', 'Leave one of them out.');
  const instant = async (time: string, what: string): Promise<string> => {
    let seq = 0;
    for await (const row of client.call('resolve', { time, time_zone })) {
      echoInstant(out, what, row);
      ({ seq } = row);
    }
    return `#${seq}`;
  };
  if (base && base.head.store !== found.store.description.id) {
    throw new RewindError('ERR_ARCHIVE_BASE', `${safeForTerminal(base.file)} is of another store than that of ${safeForTerminal(found.tree)}`, 'Archives that go on from each other are of one store: name one of this tree, or make a full one.');
  }
  const group = text(args, 'group') ?? base?.head.group?.name;
  const since = from !== undefined ? await instant(from, 'From ') : base ? `#${base.head.at.seq}` : undefined;
  return { at: await instant(to, since === undefined ? 'At ' : 'To   '), ...since !== undefined && { since }, ...group !== undefined && { group } };
}

/** `A..B`, where B may be left out for now; anything else is one instant. @throws ERR_USAGE */
function rangeOf(what: string): [from: string | undefined, to: string] {
  const dots = what.indexOf('..');
  if (dots < 0) return [undefined, what];
  if (dots === 0) throw new RewindError('ERR_USAGE', `${safeForTerminal(what)} does not say from when`, 'TIME..TIME is what changed between the two; one TIME alone is the whole tree.');
  return [what.slice(0, dots), what.slice(dots + 2) || 'now'];
}

async function toStdout({ client }: Tree, call: Call, out: Output): Promise<void> {
  let tail = Buffer.alloc(0);
  for await (const bytes of client.call('export', { ...call, time_zone })) {
    tail = Buffer.concat([tail, bytes.subarray(-END_BYTES)]).subarray(-END_BYTES);
    await out.bytes(bytes);
  }
  await tell('-', call, decodeEnd(tail)!, out.onStderr());
}

async function toFile({ client }: Tree, call: Call, { dest, base, force }: { dest: string; base: Archive | null; force: boolean }, out: Output): Promise<void> {
  const partial = `${dest}.${process.pid}.partial`;
  await orRemoved(partial, async () => {
    const file = await open(partial, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
      const code = cause.code === 'ENOENT' || cause.code === 'ENOTDIR' ? 'ERR_NOT_FOUND' : cause.code === 'EACCES' || cause.code === 'EROFS' ? 'ERR_NO_PERMISSION' : 'ERR_IO';
      throw new RewindError(code, `${safeForTerminal(dest)} cannot be made: ${cause.message}`, 'Name a file in a directory that exists, and that you may write to.', { cause });
    });
    try {
      let written = 0;
      for await (const bytes of client.call('export', { ...call, time_zone })) {
        await file.writeFile(bytes);
        if (Math.floor(written / TOLD_BYTES) < Math.floor((written += bytes.length) / TOLD_BYTES)) out.progress(`Written: ${showBytes(written)}`);
      }
      await file.sync();
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
      throw new RewindError('ERR_DISK_FULL', `the disk of ${safeForTerminal(dest)} is full`, 'Make room, or name a file on another disk.', { cause });
    } finally {
      out.endProgress();
      await file.close();
    }
    const end = await lookInto(partial, dest, base);
    await expectNew(dest, force);
    await rename(partial, dest);
    await native.syncPath(dirname(dest));
    await tell(dest, call, end, out);
  });
}

/** What was written can be read, and goes on from what it should. */
async function lookInto(partial: string, dest: string, base: Archive | null): Promise<End> {
  const archive = await Archive.open(partial, dest);
  try {
    if (base) expectToFit(archive, base);
    return archive.end;
  } finally {
    await archive.close();
  }
}

async function tell(dest: string, { at, since }: Call, { length, objects, bytes, missing }: End, out: Output): Promise<void> {
  const seq = (instant: string): number => Number(instant.slice(1));
  if (out.json) return await out.object({ archive: dest, seq: seq(at), since: since === undefined ? null : seq(since), size: length, objects, content_bytes: bytes, without_content: missing });
  const what = `${objects} ${objects === 1 ? 'object' : 'objects'}, ${showBytes(bytes)} of content`;
  const say = dest === '-' ? (line: string) => out.remark(line) : (line: string) => out.line(line);
  await say(`${dest === '-' ? '' : `${safeForTerminal(dest)}: `}${what}, in ${showBytes(length)}${since === undefined ? '' : `; it goes on from ${since}`}`);
  if (missing > 0) out.remark(`Without their content: ${missing} ${missing === 1 ? 'file' : 'files'}, which history does not have (rewind gaps)`);
}

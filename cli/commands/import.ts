/** `rewind import`: what an archive holds, as files. */
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { text, texts, type Arguments } from '../command.js';
import { showBytes, showTime, type Output } from '../output.js';
import { orRemoved } from '../partial.js';
import { Chain } from '../../lib/archive/chain.js';
import { importArchive, stagingOf } from '../../lib/archive/import.js';
import { RewindError } from '../../lib/errors.js';
import type { Name } from '../../lib/history/types.js';
import { safeForTerminal, showPath } from '../../lib/paths.js';
import { realPath } from '../../lib/store/checks.js';
import { formatTimeUtc } from '../../lib/time/format.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  const into = await realPath(text(args, 'into')!);
  const files = texts(args, 'ARCHIVE');
  if (files.filter((file) => file === '-').length > 1) throw new RewindError('ERR_USAGE', 'Standard input is named twice', 'It is one archive.');
  if (!files.includes('-')) return await make(files, files, into, out);
  const spooled = `${into}.${process.pid}.partial.rwa`;
  await orRemoved(spooled, async () => {
    await spool(spooled);
    await make(files.map((file) => (file === '-' ? spooled : file)), files, into, out).finally(() => rm(spooled));
  });
}

/** An archive is read from its end on: a stream is written down first, beside where its tree will be. */
async function spool(file: string): Promise<void> {
  try {
    await pipeline(process.stdin, createWriteStream(file, { flags: 'wx', mode: 0o600 }));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new RewindError(code === 'ENOSPC' ? 'ERR_DISK_FULL' : 'ERR_IO', `standard input could not be written to ${safeForTerminal(file)}: ${message}`, 'There must be room for the archive and for its tree.', { cause });
  }
}

async function make(files: readonly string[], names: readonly string[], into: string, out: Output): Promise<void> {
  const chain = await Chain.open(files, names);
  try {
    const skipped: Name[][] = [];
    const { head } = chain.archives.at(-1)!;
    out.remark(`${safeForTerminal(head.tree)} as at ${showTime(formatTimeUtc(head.at.timeNs))} (#${head.at.seq})`);
    const onProgress = ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }): void => out.progress(`Written: ${showBytes(doneBytes)} of ${showBytes(totalBytes)}`);
    const { seq, objects, bytes } = await orRemoved(stagingOf(into), () => importArchive(chain, { into, onSkip: (path) => skipped.push(path), onProgress }))
      .finally(() => out.endProgress());
    for (const path of skipped) await skip(path, out);
    if (out.json) return await out.object({ type: 'imported', into, seq, objects, bytes, skipped: skipped.length });
    await out.line(`${safeForTerminal(into)}: ${objects} ${objects === 1 ? 'object' : 'objects'}, ${showBytes(bytes)} of content${skipped.length === 0 ? '' : `; ${skipped.length} skipped`}`);
  } finally {
    await chain.close();
  }
}

async function skip(path: Name[], out: Output): Promise<void> {
  const shown = safeForTerminal(showPath(path));
  if (out.json) await out.object({ type: 'skip', path: shown, reason: 'its content is not in the archive' });
  else await out.line(`  ${out.paint('dim', 'skip')}    ${shown}  (its content is not in the archive)`);
}

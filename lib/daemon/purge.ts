/** Purging: a file goes out of all of history, with what the journal still holds of it. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expectCold, wipeDead } from '../cold/wipe.js';
import { RewindError } from '../errors.js';
import { safeForTerminal, showPath } from '../paths.js';
import { neverExisted } from '../recovery/nearest.js';
import { detachContents } from '../retention/detach.js';
import { Editor, UNTHROTTLED } from '../retention/editor.js';
import { purgeObjects, purgePlan } from '../retention/purge.js';
import { formatTimeUtc } from '../time/format.js';
import { validPath } from './ask.js';
import type { Methods } from './protocol.js';
import type { PurgeRow } from './prunerows.js';
import type { Caller, Session } from './session.js';

/** @throws ERR_ALREADY_MOUNTED, ERR_NEVER_EXISTED, ERR_USAGE, ERR_COLD_AWAY */
export async function* purge(session: Session, args: Methods['purge']['args'], signal: AbortSignal, caller: Caller): AsyncGenerator<PurgeRow> {
  const { keeper, store } = session;
  const { history } = keeper;
  const path = validPath(args.path);
  if (path.length === 0) throw new RewindError('ERR_USAGE', 'The whole tree cannot be purged', 'Remove the store instead; or name what shall go.');
  await session.settle();
  const objects = await purgePlan(history, path, args.everywhere ?? false);
  if (objects.length === 0) throw await neverExisted(history, path) ?? new RewindError('ERR_NEVER_EXISTED', `History holds nothing of ${safeForTerminal(showPath(path))}`);
  for (const { path: shown, live, holds } of objects) yield { type: 'object', path: shown && safeForTerminal(showPath(shown)), live, holds };
  if (args.dry_run) return;
  await expectCold(history);
  if (session.live) throw new RewindError('ERR_ALREADY_MOUNTED', 'What a mounted tree has just recorded lies in its journal, too', `Unmount it first, purge, and mount it again: rewind unmount ${safeForTerminal(session.live.mountpoint)}`);
  const timeNs = BigInt(Date.now()) * 1_000_000n;
  const editor = new Editor(history, history.retention(), UNTHROTTLED, signal);
  try {
    await history.upkeep.take(async () => {
      await purgeObjects(history, objects, editor, { by: `uid ${caller.uid}`, timeNs, note: showPath(path) });
      await detachContents(history, editor, signal);
    });
  } finally {
    editor.end();
  }
  const { bytesBefore, bytesAfter } = await keeper.tidy({ hurry: true });
  await history.upkeep.take(() => wipeDead(history));
  await forgetJournal(session);
  yield { type: 'purged', objects: objects.length, time: formatTimeUtc(timeNs), bytes_before: bytesBefore, bytes_after: bytesAfter };

  /** History holds all of it durably: it begins anew at the next mount. */
  async function forgetJournal({ settle }: Pick<Session, 'settle'>): Promise<void> {
    await settle();
    await history.rocks.flush();
    await history.rocks.sync();
    const { journal } = store.layout;
    for (const name of await readdir(journal)) await rm(join(journal, name), { force: true });
  }
}

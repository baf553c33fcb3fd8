/**
 * Where what is lost may be had from: a copy of the store, and the live tree. Guarantees: neither is written to; a copy of
 * another store is refused; what the copy knows nothing of stays lost.
 */
import { constants, open } from 'node:fs/promises';
import { join } from 'node:path';
import { RewindError } from '../errors.js';
import { History } from '../history/history.js';
import type { Rocks } from '../history/rocks.js';
import type { Seq } from '../history/types.js';
import { openStore, type Store } from '../store/store.js';
import { examine } from '../verify/examine.js';
import { Bulk } from './bulk.js';
import type { Source } from './contents.js';
import type { Losses } from './losses.js';

/** The history of a copy. @throws ERR_USAGE when it is none of this store, and those of opening it */
export async function openCopy(store: Store, root: string): Promise<History> {
  const copy = await openStore(root);
  if (copy.description.id !== store.description.id) {
    throw new RewindError('ERR_USAGE', `${root} is no copy of ${store.layout.root}: it is store ${copy.description.id}, expected ${store.description.id}`, 'Name a copy of this very store with --from.');
  }
  return await History.open(copy.layout.history, { readOnly: true, storeId: Buffer.from(store.description.id, 'hex') });
}

/** Puts what a copy has of lost ranges, up to where it goes. Answers how many entries. */
export async function fillFrom(copy: History, rocks: Rocks, losses: Losses, watermark: Seq): Promise<number> {
  const bulk = new Bulk(rocks);
  let put = 0;
  for (const loss of losses.all.filter(({ family }) => family !== 'meta')) {
    const { family, from, to } = loss;
    for await (const { key, value } of copy.rocks.scan(family, { ...from !== null && { gte: from }, ...to !== null && { lte: to } })) {
      const examined = examine(family, key, value);
      if (examined.problem !== null || (examined.newest ?? 0) > watermark || await rocks.get(family, key) !== null) continue;
      await bulk.put(family, key, value);
      put++;
    }
    loss.since = copy.watermark();
  }
  await bulk.end();
  losses.forget(({ family, since }) => family !== 'meta' && since >= watermark);
  return put;
}

/** @param tree the directory itself, or where it is mounted */
export function sourceOf(history: History, copy: History | null, tree: string): Source {
  const content: Source['content'] = async (id) => {
    const found = await copy?.contents.get([id]).catch(() => null);
    return found?.get(id) ?? null;
  };
  const file: Source['file'] = async (node, offset, length) => {
    const path = await history.pathOf(node, history.watermark()).catch(() => null);
    if (path === null) return null;
    const handle = await open(join(tree, ...path.map((name) => Buffer.from(name, 'latin1').toString())), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => null);
    if (handle === null) return null;
    try {
      const bytes = Buffer.alloc(length);
      const { bytesRead } = await handle.read(bytes, 0, length, offset);
      return bytesRead === length ? bytes : null;
    } catch {
      return null;
    } finally {
      await handle.close();
    }
  };
  return { content, file };
}

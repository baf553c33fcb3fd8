/**
 * Frees content that nothing names any more: mark, then sweep. Guarantees: content that a block names, or that another
 * content is decoded with, stays; so does what the extractor finds again while the sweep is under way: it asks `mayReuse`
 * first. Stopped at any point it leaves a right history, and begins again.
 */
import { decodeBlock } from '../history/blocks.js';
import type { History } from '../history/history.js';
import { IdSet } from '../history/idset.js';
import { getU64, seqInKey, u64Key } from '../history/keys.js';
import { MERGED_CONTENT } from '../history/retained.js';
import { CONTENT_HEAD, dictionaryOf } from '../history/values.js';
import { Editor, type Throttle } from './editor.js';

/** Contents whose heads are read at a time. */
const PAGE = 256;

/** What a sweep freed. */
export interface Swept { contents: number; bytes: number }

/** `settle`: resolves once all that was folded before is committed. `nowMs`: when that is said to be. @throws the signal's reason */
export async function sweepContents(history: History, settle: () => Promise<unknown>, throttle: Throttle, signal: AbortSignal, nowMs = Date.now()): Promise<Swept> {
  const marks = new IdSet();
  const floors = { own: history.meta().nextContent, merged: history.retention().nextContent };
  const isOld = (id: number): boolean => id < (id >= MERGED_CONTENT ? floors.merged : floors.own);
  const done = history.onReuse((id) => marks.add(id));
  try {
    await settle();
    await mark(history, marks, signal);
    return await sweep(history, (id) => isOld(id) && !marks.has(id), nowMs, throttle, signal);
  } finally {
    done();
  }
}

/** Every content that a block names, some of them several times; 0 for bytes that lie in the block. @throws the signal's reason */
export async function forNamed(history: History, note: (id: number) => void, signal: AbortSignal): Promise<void> {
  for await (const { key, value } of history.rocks.scan('blocks', {}, { capacity: 1024 })) {
    for (const { content } of decodeBlock(value, seqInKey(key)).patches) note(content);
    signal.throwIfAborted();
  }
}

async function mark(history: History, marks: IdSet, signal: AbortSignal): Promise<void> {
  let fresh: number[] = [];
  const note = (id: number): void => {
    if (id === 0 || marks.has(id)) return;
    marks.add(id);
    fresh.push(id);
  };
  await forNamed(history, note, signal);
  while (fresh.length > 0) {
    const ids = fresh;
    fresh = [];
    for (let i = 0; i < ids.length; i += PAGE) {
      signal.throwIfAborted();
      for (const value of await history.rocks.getMany('content', ids.slice(i, i + PAGE).map(u64Key))) if (value !== null) note(dictionaryOf(value));
    }
  }
}

async function sweep(history: History, isGarbage: (id: number) => boolean, nowMs: number, throttle: Throttle, signal: AbortSignal): Promise<Swept> {
  const swept: Swept = { contents: 0, bytes: 0 };
  const editor = new Editor(history, history.retention(), throttle, signal);
  const free = async (ids: number[]): Promise<void> => {
    const values = await history.rocks.getMany('content', ids.map(u64Key));
    const hashes = await history.rocks.getMany('hashes', values.map((value) => value!.subarray(1, CONTENT_HEAD)));
    ids.forEach((id, i) => {
      // The extractor may have found it again while it was read.
      if (!isGarbage(id)) return;
      history.freed.add(id);
      editor.delete('content', u64Key(id));
      if (hashes[i]?.equals(u64Key(id))) editor.delete('hashes', values[i]!.subarray(1, CONTENT_HEAD));
      editor.dropped(values[i]!);
      swept.contents++;
      swept.bytes += values[i]!.length;
    });
    await editor.room();
  };
  try {
    let page: number[] = [];
    for await (const { key } of history.rocks.scan('content', {}, { values: false, capacity: 1024 })) {
      const id = getU64(key, 0);
      if (isGarbage(id)) page.push(id);
      if (page.length < PAGE) continue;
      await free(page);
      page = [];
    }
    await free(page);
    Object.assign(editor.retention, { unswept: false, loose: 0, sweptMs: nowMs });
    await editor.commit();
  } finally {
    editor.end();
  }
  return swept;
}

/**
 * Content that was compressed against what no block names any more gets to stand by itself. Guarantee: afterwards a sweep frees
 * all that no block names, so that nothing of a purged file stays behind as somebody else's dictionary.
 */
import { dictionaryOf, encodePacked } from '../history/codec.js';
import type { History } from '../history/history.js';
import { IdSet } from '../history/idset.js';
import { getU64 } from '../history/keys.js';
import type { Editor } from './editor.js';
import { contentValue } from './sink.js';
import { forNamed } from './sweep.js';

const LEVEL = 5;

/** @throws the signal's reason; what was committed is right by itself */
export async function detachContents(history: History, editor: Editor, signal: AbortSignal): Promise<void> {
  const named = new IdSet();
  await forNamed(history, (id) => named.add(id), signal);
  for await (const { key, value } of history.rocks.scan('content', {}, { capacity: 64 })) {
    const base = dictionaryOf(value);
    const id = getU64(key, 0);
    if (base === 0 || named.has(base) || !named.has(id)) continue;
    const bytes = (await history.contents.get([id])).get(id)!;
    const [plain, packed] = [contentValue(bytes).value, encodePacked(bytes, LEVEL)];
    editor.dropped(value);
    editor.put('content', key, packed.length < plain.length ? packed : plain);
    await editor.room();
  }
  await editor.commit();
}

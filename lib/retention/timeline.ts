/**
 * Thins the timeline of stretches that were merged, once they are older than changes are kept. Guarantees: every batch
 * leaves changes, references and chain that fit each other; it may be stopped after any and goes on there; its cost is what
 * is left of the stretch; links that lie in one stretch only in part, or that a repair has mended, stay as they are.
 */
import { decodeChanges } from '../history/changes.js';
import { decodeLink, lastOf, type Link } from '../history/chain.js';
import type { History } from '../history/history.js';
import { getU64, u64Key } from '../history/keys.js';
import { isInside, union, type Retention, type Stretch } from '../history/retained.js';
import type { Seq } from '../history/types.js';
import { ThinnedChanges } from './changes.js';
import { Editor, type Throttle } from './editor.js';
import { thinLinks } from './links.js';

/** Links that become one, and the records of all of them, at most; one by itself may have more. */
const MOST_PARTS = 64;
const MOST_RECORDS = 4096;
/** Edits of a batch, at least: each says what is kept of all of history. */
const BATCH_EDITS = 1024;

/** What is known of a link before it is its turn. */
interface Bounds { from: Seq; last: Seq; mount: Seq; parts: number }

/** Answers how many changes were given up. `upTo`: nothing of a stretch that ends later. @throws the signal's reason */
export async function thinTimeline(history: History, upTo: Seq, throttle: Throttle, signal: AbortSignal): Promise<number> {
  let givenUp = 0;
  for (;;) {
    const retention = history.retention();
    const { timeline } = retention;
    const stretch = timeline.work?.stretch ?? nextOf(retention, upTo);
    // What was begun waits when the policy has become another one: what says already for how many it stands would count them twice.
    if (stretch === undefined || stretch.to > upTo) return givenUp;
    const editor = new Editor(history, retention, throttle, signal);
    try {
      givenUp += await thinStretch(history, stretch, editor);
      timeline.work = null;
      timeline.done = union(timeline.done, [{ from: stretch.from, to: stretch.to, at: new Date().toISOString() }]);
      await editor.commit();
    } finally {
      editor.end();
    }
  }
}

/** How many changes would be given up by now. */
export async function countGoing(history: History, upTo: Seq, signal: AbortSignal): Promise<number> {
  const retention = history.retention();
  let going = 0;
  for (const stretch of retention.merged.filter((one) => isDue(one, retention, upTo))) going += (await thinnedOf(history, await linksIn(history, stretch), signal)).total;
  return going;
}

const isDue = (stretch: Stretch, { timeline }: Retention, upTo: Seq): boolean => stretch.to <= upTo && !isInside(stretch, timeline.done);
const nextOf = (retention: Retention, upTo: Seq): Stretch | undefined => retention.merged.find((stretch) => isDue(stretch, retention, upTo));

/** From the newest link to the oldest: a change that stands for others says so before they go. */
async function thinStretch(history: History, stretch: Stretch, editor: Editor): Promise<number> {
  const links = await linksIn(history, stretch);
  const { timeline } = editor.retention;
  const begun = timeline.work?.seq ?? Infinity;
  const thinned = await thinnedOf(history, links, editor.signal);
  let givenUp = 0;
  for (let end = links.filter(({ from }) => from < begun).length; end > 0;) {
    const begin = groupEndingAt(links, end);
    await history.upkeep.take(async () => {
      givenUp += await thinLinks(history, links.slice(begin, end).map(({ from }) => from), thinned, editor);
      timeline.work = { stretch, seq: links[begin]!.from };
      await editor.room(BATCH_EDITS);
    });
    end = begin;
  }
  return givenUp;
}

/** Links that lie wholly in a stretch, but for those of which nothing is known, or that are damaged. */
async function linksIn(history: History, { from, to }: Stretch): Promise<Bounds[]> {
  const links: Bounds[] = [];
  for await (const { key, value } of history.rocks.scan('chain', { gte: u64Key(from + 1), lte: u64Key(to) })) {
    const link = decoded(getU64(key, 0), value);
    if (link !== null && lastOf(link) <= to && link.mendedNs === null) links.push({ from: link.from, last: lastOf(link), mount: link.mount, parts: link.thinned?.parts.length ?? 1 });
  }
  return links;
}

function decoded(from: Seq, value: Buffer): Link | null {
  try {
    return decodeLink(from, value);
  } catch {
    return null;
  }
}

/** What these links lose together. @throws the signal's reason */
async function thinnedOf(history: History, links: readonly Bounds[], signal: AbortSignal): Promise<ThinnedChanges> {
  const thinned = new ThinnedChanges();
  for (const step of ['see', 'count'] as const) {
    let at = 0;
    for await (const { key, value } of history.rocks.scan('changes', { gte: u64Key(links[0]?.from ?? 0), lt: u64Key((links.at(-1)?.last ?? -1) + 1) })) {
      signal.throwIfAborted();
      const first = getU64(key, 0);
      while (first > links[at]!.last) at++;
      if (first >= links[at]!.from) thinned[step](decodeChanges(key, value));
    }
  }
  return thinned;
}

/** Where the group begins that ends before `end`: links one after another, of one session. */
function groupEndingAt(links: readonly Bounds[], end: number): number {
  let begin = end - 1;
  let { parts } = links[begin]!;
  const { last, mount } = links[begin]!;
  for (; begin > 0; begin--) {
    const [before, first] = [links[begin - 1]!, links[begin]!];
    parts += before.parts;
    if (before.last + 1 !== first.from || before.mount !== mount || parts > MOST_PARTS || last - before.from >= MOST_RECORDS) break;
  }
  return begin;
}

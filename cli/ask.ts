/** From the command line's words to a tree that answers, and to paths and times as the tree reads them. */
import type { Arguments } from './command.js';
import { text } from './command.js';
import { connect, type Client } from '../lib/daemon/client.js';
import { RewindError } from '../lib/errors.js';
import { safeForTerminal } from '../lib/paths.js';
import { findTree, placeInTree, type FoundTree } from '../lib/store/find.js';
import type { Output } from './output.js';
import { showBytes, showTime } from './output.js';
import type { InstantRow, StatusRow } from '../lib/daemon/protocol.js';
import type { Unread } from '../lib/daemon/session.js';

/** How often a waiting command says how far what it waits for is, in milliseconds. */
const WALK_MS = 1000;

/** A tree found from the arguments, connected. */
export interface Tree {
  found: FoundTree;
  client: Client;
}

/** Runs `use` on the tree that the arguments name (by a path, --tree, --store or the working directory). */
export async function withTree<T>(args: Arguments, path: string | undefined, out: Output, use: (tree: Tree) => Promise<T>): Promise<T> {
  const found = await findTree({ path, tree: text(args, 'tree'), store: text(args, 'store') });
  const client = await connect(found.store);
  try {
    if (client.kind === 'store' && found.mountpoint !== null) deadDaemon(found, out);
    if (client.unread) out.remark(describeUnread(client.unread));
    if (client.partly) out.remark(PARTLY);
    return await telling(client, out, walkOf, () => use({ found, client }));
  } finally {
    await client.close();
  }
}

/** Who waits sees how far it is: what `say` makes of a status, until it has nothing to say any more. */
export async function telling<T>(client: Client, out: Output, say: (status: StatusRow) => string | null, use: () => Promise<T>): Promise<T> {
  if (client.kind !== 'daemon' || !process.stderr.isTTY) return await use();
  let asking = false;
  const timer = setInterval(() => {
    if (asking) return;
    asking = true;
    void (async () => {
      for await (const status of client.call('status', {})) {
        const said = say(status);
        if (said === null) clearInterval(timer);
        else out.progress(said);
      }
    })().catch(() => null).finally(() => { asking = false; });
  }, WALK_MS);
  try {
    return await use();
  } finally {
    clearInterval(timer);
    out.endProgress();
  }
}

/** Of the first walk over a large tree. */
function walkOf({ baseline }: StatusRow): string | null {
  return !baseline || baseline.state === 'done' ? null : `Taking stock of the tree: ${baseline.files} files, ${showBytes(baseline.bytes)}`;
}

/** A store that cannot be written is shown as it is. */
export function describeUnread({ shown, last }: Unread): string {
  return `The store cannot be written: it is shown up to #${shown}, later changes (to #${last}) are in its journal only. A copy that can be written shows them, too.`;
}

/** What a first walk that was cut short had not reached is only in the tree. */
export const PARTLY = 'History does not have the whole tree: the first walk over it was cut short. `rewind mount` goes on with it.';

function deadDaemon(found: FoundTree, out: Output): void {
  out.remark(`The daemon of ${safeForTerminal(found.mountpoint ?? '')} has died; \`rewind mount ${safeForTerminal(found.tree)}\` cleans up and goes on.`);
}

/**
 * A path as typed, as its place in the tree. With --store or --tree a path that is not found from the working
 * directory counts from the root of the tree.
 */
export async function place(tree: Tree, args: Arguments, path: string | undefined): Promise<string> {
  if (path === undefined) return await place(tree, args, '.').catch(() => '');
  try {
    return await placeInTree(tree.found, path);
  } catch (error) {
    const named = text(args, 'store') !== undefined || text(args, 'tree') !== undefined;
    if (named && !path.startsWith('/') && error instanceof RewindError) return path;
    throw error;
  }
}

/** The zone in which times without an offset are meant. */
export const time_zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** `--since` and `--until`: shows what they were resolved to, and answers that, so that the question means what was shown. */
export async function stretch({ client }: Pick<Tree, 'client'>, args: Arguments, out: Output): Promise<{ since?: string; until?: string }> {
  const answer: { since?: string; until?: string } = {};
  for (const [end, what] of [['since', 'Since '], ['until', 'Until ']] as const) {
    const time = text(args, end);
    if (time === undefined) continue;
    answer[end] = time;
    if (!out.json) for await (const instant of client.call('resolve', { time, time_zone })) {
      echoInstant(out, what, instant);
      answer[end] = `#${instant.seq}`;
    }
  }
  return answer;
}

/** Shows the instant that a time was resolved to; every command that takes a time does, but with --json, where rows have it. */
export function echoInstant(out: Output, what: string, instant: InstantRow): void {
  out.remark(`${what}${showTime(instant.time)} (#${instant.seq})`);
}

/** From the command line's words to a tree that answers, and to paths and times as the tree reads them. */
import type { Arguments } from './command.js';
import { text } from './command.js';
import { connect, type Client } from '../lib/daemon/client.js';
import { RewindError } from '../lib/errors.js';
import { safeForTerminal } from '../lib/paths.js';
import { findTree, placeInTree, type FoundTree } from '../lib/store/find.js';
import type { Output } from './output.js';
import { showBytes, showTime } from './output.js';
import type { InstantRow } from '../lib/daemon/protocol.js';

/** How often a waiting command says how far the walk is, in milliseconds. */
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
    return await tellingOfTheWalk(client, out, () => use({ found, client }));
  } finally {
    await client.close();
  }
}

/** Who waits for the first walk over a large tree sees how far it is. */
async function tellingOfTheWalk<T>(client: Client, out: Output, use: () => Promise<T>): Promise<T> {
  if (client.kind !== 'daemon' || !process.stderr.isTTY) return await use();
  let asking = false;
  const timer = setInterval(() => {
    if (asking) return;
    asking = true;
    void (async () => {
      for await (const { baseline } of client.call('status', {})) {
        if (!baseline || baseline.state === 'done') clearInterval(timer);
        else out.progress(`Taking stock of the tree: ${baseline.files} files, ${showBytes(baseline.bytes)}`);
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

/** Shows the instant that a time was resolved to; every command that takes a time does. */
export function echoInstant(out: Output, what: string, instant: InstantRow): void {
  out.remark(`${what}${showTime(instant.time)} (#${instant.seq})`);
}

/** What keeps the work's history: restic and borg, a snapshot for each step; rewindfs, every write. */
import fs from 'node:fs';
import path from 'node:path';
import { History } from '../../lib/history/history.js';
import { baselineDone, MountedTree, rewindMust } from '../../test/helpers/mount.js';
import { must } from '../../test/helpers/run.js';
import type { Scope } from '../../test/helpers/scope.js';
import { changedBytes } from './changed.js';
import type { Figures, Peer, Scale } from './model.js';
import type { Work } from './work.js';

const HOURS = 3_600_000;

/** Lengths of all files below a directory. */
export function sizeOf(directory: string): number {
  let sum = 0;
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    const file = path.join(directory, entry.name);
    sum += entry.isDirectory() ? sizeOf(file) : fs.statSync(file).size;
  }
  return sum;
}

/** How a peer is told to begin, and to take a snapshot of a directory. */
const COMMANDS: Record<Peer, { begin: string[]; snapshot(tree: string, number: number): string[] }> = {
  restic: { begin: ['init', '-q'], snapshot: (tree) => ['backup', '-q', tree] },
  borg: { begin: ['init', '-e', 'none'], snapshot: (tree, number) => ['create', `::${number}`, tree] },
};

/** Both peers over one plain directory; answers their sizes and how many snapshots each took. */
export async function runPeers(scope: Scope, work: Work, scale: Scale, peers: readonly Peer[]): Promise<{ sizes: Partial<Record<Peer, number>>; snapshots: number }> {
  const base = scope.temporary('memory');
  const tree = path.join(base, 'tree');
  fs.mkdirSync(tree);
  const repository = (peer: Peer): string => path.join(base, peer);
  const env = {
    ...process.env, RESTIC_PASSWORD: 'bench', RESTIC_REPOSITORY: repository('restic'), RESTIC_CACHE_DIR: path.join(base, 'cache'),
    BORG_REPO: repository('borg'), BORG_BASE_DIR: path.join(base, 'borg-base'), BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
  };
  for (const peer of peers) await must(peer, COMMANDS[peer].begin, { env, timeoutMs: HOURS });
  let snapshots = 0;
  const snapshot = async (): Promise<void> => {
    snapshots++;
    await Promise.all(peers.map((peer) => must(peer, COMMANDS[peer].snapshot(tree, snapshots), { env, timeoutMs: HOURS })));
  };
  await work.prepare(tree, scale);
  await snapshot();
  for await (const _ of work.run(tree, scale)) await snapshot();
  return { sizes: Object.fromEntries(peers.map((peer) => [peer, sizeOf(repository(peer))])), snapshots };
}

export async function runRewindfs(scope: Scope, work: Work, scale: Scale): Promise<Omit<Figures, 'title' | 'scale' | 'peers' | 'snapshots'>> {
  const base = scope.temporary('memory');
  const [tree, store] = [path.join(base, 'tree'), path.join(base, 'store')];
  const history = path.join(store, 'history');
  fs.mkdirSync(tree);
  const mounted = new MountedTree(scope, tree, store);
  scope.defer(() => mounted.dispose());
  const pack = (): Promise<string> => rewindMust(['pack', '--store', store], { timeoutMs: HOURS });
  await work.prepare(tree, scale);
  await mounted.mount();
  await baselineDone(mounted);
  await mounted.unmount();
  await pack();
  const beforeBytes = sizeOf(history);
  await mounted.mount();
  await baselineDone(mounted);
  for await (const _ of work.run(tree, scale)) { /* Nobody is told: every write is kept. */ }
  await mounted.settled(HOURS);
  const recordedBytes = sizeOf(history);
  await mounted.unmount();
  const began = performance.now();
  await pack();
  const packSeconds = (performance.now() - began) / 1000;
  const storedBytes = sizeOf(history);
  const opened = await History.open(history, { readOnly: true });
  try {
    return { records: opened.watermark(), beforeBytes, recordedBytes, storedBytes, packSeconds, ...await changedBytes(opened, work.database) };
  } finally {
    await opened.close();
  }
}

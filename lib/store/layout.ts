/**
 * Where things lie in a store, and where the store of a tree lies when nobody says otherwise. Nothing here touches
 * the disk.
 */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';

/** Format of store.json and of everything beside it. */
export const STORE_FORMAT = 1;

/** Absolute paths inside one store. */
export interface StoreLayout {
  root: string;
  /** Identity and format. */
  description: string;
  /** flock(2): one process at a time. */
  lock: string;
  /** Unix socket of the daemon. */
  socket: string;
  journal: string;
  history: string;
  /** What a detached daemon prints. */
  log: string;
  /** What is captured how; missing until somebody writes it. */
  policy: string;
  /** The last policy file that could be read, as it was. */
  goodPolicy: string;
  /** Files that were put back, and those that could not be. */
  recoveries: string;
  /** Which writers may change nothing until they are released; missing while there are none. */
  blocked: string;
  /** The gap that the tree is in; missing while everything is recorded. */
  gap: string;
  /** How far the tree itself is known to be on its disk. */
  onDisk: string;
  /** Where the scrub is, and what it has found. */
  scrub: string;
  /** Where a user's views are mounted: inside that user's own mount they cannot be. */
  view: string;
}

export function storeLayout(root: string): StoreLayout {
  return {
    root,
    description: join(root, 'store.json'),
    lock: join(root, 'lock'),
    socket: join(root, 'control.sock'),
    journal: join(root, 'journal'),
    history: join(root, 'history'),
    log: join(root, 'daemon.log'),
    policy: join(root, 'policy.toml'),
    goodPolicy: join(root, 'policy.good.toml'),
    recoveries: join(root, 'recoveries.json'),
    blocked: join(root, 'blocked.json'),
    gap: join(root, 'gap.json'),
    onDisk: join(root, 'on-disk.json'),
    scrub: join(root, 'scrub.json'),
    view: join(root, 'view'),
  };
}

/** The directory that holds the default stores, and links to stores that lie elsewhere. */
export function registryDirectory(): string {
  const state = process.env['XDG_STATE_HOME'];
  if (state !== undefined && state.startsWith('/')) return join(state, 'rewindfs');
  return process.getuid?.() === 0 ? '/var/lib/rewindfs' : join(homedir(), '.local', 'state', 'rewindfs');
}

/** A tree's place in the registry: readable, and unique by the hash of its real path. */
export function registryEntry(tree: string): string {
  const hash = createHash('sha256').update(tree).digest('hex').slice(0, 12);
  return join(registryDirectory(), `${basename(tree) || 'root'}-${hash}`);
}

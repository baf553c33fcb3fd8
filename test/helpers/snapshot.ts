/** The state of a tree as the driver shows it, and what differs between two. */
import { unescapeToken, type Driver } from './driver.js';

/** One object of a tree; paths and bodies stay in the driver's notation (escaped bytes). */
export interface ObjectState {
  path: string;
  /** st_mode, octal, with the type. */
  mode: string;
  uid: string;
  gid: string;
  nlink: string;
  size: string;
  rdev: string;
  ino: string;
  atime: string;
  mtime: string;
  ctime: string;
  /** Length and hash of a file's content, target of a symlink. */
  body: string;
  xattrs: string;
}

export type Snapshot = Map<string, ObjectState>;

const fields = ['path', 'mode', 'uid', 'gid', 'nlink', 'size', 'rdev', 'ino', 'atime', 'mtime', 'ctime', 'body', 'xattrs'] as const;
export type Field = (typeof fields)[number];

export function parseSnapshot(text: string): Snapshot {
  const snapshot: Snapshot = new Map();
  for (const line of text.split(' ')) {
    const parts = line.split('|');
    if (parts.length !== fields.length) throw new Error(`not a snapshot line: ${line.slice(0, 200)}`);
    const object = Object.fromEntries(fields.map((field, i) => [field, parts[i]!])) as unknown as ObjectState;
    snapshot.set(object.path, object);
  }
  return snapshot;
}

/** Everything under a directory: names, stat, content, targets, extended attributes. */
export async function snapshot(driver: Driver, directory: string): Promise<Snapshot> {
  return parseSnapshot(await driver.ok('snapshot', directory));
}

/** Names and stat only. */
export async function metadata(driver: Driver, directory: string): Promise<Snapshot> {
  return parseSnapshot(await driver.ok('metadata', directory));
}

/** For each path the first path of the same inode: two trees with equal groups have the same hard links. */
function linkGroups(tree: Snapshot): Map<string, string> {
  const first = new Map<string, string>();
  const groups = new Map<string, string>();
  for (const object of tree.values()) {
    if (object.mode.startsWith('04')) continue;
    if (!first.has(object.ino)) first.set(object.ino, object.path);
    groups.set(object.path, first.get(object.ino)!);
  }
  return groups;
}

/** The fields that a user can see and that do not depend on the clock or the disk. */
export const contentFields: readonly Field[] = ['mode', 'uid', 'gid', 'nlink', 'size', 'rdev', 'body', 'xattrs'];

const isDirectory = (object: ObjectState): boolean => object.mode.startsWith('04');

/**
 * What differs, in words; empty when nothing does. A directory's size is the file system's own business and is left out.
 * `fields`: what to compare beside names and hard-link groups.
 */
export function differences(expected: Snapshot, actual: Snapshot, compared: readonly Field[] = contentFields): string[] {
  const out: string[] = [];
  for (const path of expected.keys()) if (!actual.has(path)) out.push(`${path}: missing`);
  for (const path of actual.keys()) if (!expected.has(path)) out.push(`${path}: should not be there`);
  const groups = [linkGroups(expected), linkGroups(actual)] as const;
  for (const [path, want] of expected) {
    const have = actual.get(path);
    if (!have) continue;
    for (const field of compared) {
      if (field === 'size' && isDirectory(want)) continue;
      if (want[field] !== have[field]) out.push(`${path}: ${field} is ${have[field]}, expected ${want[field]}`);
    }
    if (groups[0].get(path) !== groups[1].get(path)) {
      out.push(`${path}: hard link of ${groups[1].get(path)}, expected ${groups[0].get(path)}`);
    }
  }
  return out;
}

/** A path of a snapshot as bytes. */
export const pathBytes = (object: ObjectState): Buffer => unescapeToken(object.path);

/**
 * The database that a repair works on: beside the one that is damaged, which is never changed, and put in its place at
 * once. Guarantees: until then a repair that is broken off leaves nothing but a directory that the next one takes away;
 * after it, the old database lies beside the new one under a name that says when and why.
 */
import { constants, copyFile, link, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { native } from '../native.js';
import type { StoreLayout } from '../store/layout.js';
import { replaceHistory } from '../store/replaced.js';

/** RocksDB never writes to these again: they may have two names. */
const UNCHANGING = /\.(sst|blob)$/;

export const workplaceOf = ({ root }: StoreLayout): string => join(root, 'history.repairing');

/** An empty directory for the new database. */
export async function freshWorkplace(layout: StoreLayout): Promise<string> {
  const place = workplaceOf(layout);
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { mode: 0o700 });
  return place;
}

/** A workplace with the same database: no more room is taken than what a repair changes. */
export async function cloned(layout: StoreLayout): Promise<string> {
  const place = await freshWorkplace(layout);
  for (const name of await readdir(layout.history)) {
    const [from, to] = [join(layout.history, name), join(place, name)];
    if (!UNCHANGING.test(name) || !await link(from, to).then(() => true, () => false)) await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
  return place;
}

/** Where something of the store goes that is replaced: beside it, with the day and second. */
export const keptAs = (path: string, now: Date): string => `${path}.damaged-${now.toISOString().replace(/[-:]/g, '').slice(0, 15)}`;

/** Puts the new database in the place of the old one. Answers where the old one is. */
export async function swap(layout: StoreLayout, now: Date): Promise<string> {
  const [place, kept] = [workplaceOf(layout), keptAs(layout.history, now)];
  for (const name of await readdir(place)) await native.syncPath(join(place, name));
  await native.syncPath(place);
  await replaceHistory(layout, place, kept);
  return kept;
}

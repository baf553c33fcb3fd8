/** The first thing to hold after anything: history's newest state is the live tree. */
import path from 'node:path';
import { Driver } from '../../helpers/driver.js';
import type { MountedTree } from '../../helpers/mount.js';
import { differences, snapshot } from '../../helpers/snapshot.js';

/** What differs between the live tree and `.snapshots/@now`. */
export async function liveAgainstNewest(mounted: MountedTree): Promise<string[]> {
  const driver = new Driver(120_000);
  try {
    const live = await snapshot(driver, mounted.tree);
    const newest = await snapshot(driver, path.join(mounted.tree, '.snapshots/@now'));
    return differences(live, newest, ['mode', 'uid', 'gid', 'nlink', 'size', 'rdev', 'body', 'xattrs', 'mtime', 'ctime']);
  } finally {
    await driver.close();
  }
}

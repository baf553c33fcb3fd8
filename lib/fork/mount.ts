/**
 * A fork as a mounted directory: overlayfs on the view of its instant. Nothing here looks into the mount: the thread that
 * runs this may be the one that serves its lower layer.
 */
import { mkdir, readFile, rename, stat } from 'node:fs/promises';
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import { ROOT } from '../history/types.js';
import { native } from '../native.js';
import { applyPlan } from '../recovery/apply.js';
import { directoryAttributes } from '../recovery/plan/objects.js';
import { mountOf, readMounts } from '../store/mounts.js';
import { asStoreError, type Store } from '../store/store.js';
import { isForkMounted, placesOf, type ForkState } from './forks.js';

/** Where a tree shows its past. */
export interface Past {
  history: HistoryReader;
  mountpoint: string;
  snapshots: string;
}

/**
 * Mounts a fork, unless it is; resolves to its directory.
 * @throws ERR_NO_OVERLAY when the kernel, the user's rights or the file system of its layers do not allow it
 */
export async function mountFork(store: Store, state: ForkState, past: Past): Promise<string> {
  const { tree, upper, work } = placesOf(store, state.name, state.layers);
  if (await isForkMounted(store, state.name)) return tree;
  try {
    for (const directory of [work, tree]) await mkdir(directory, { recursive: true, mode: 0o700 });
    await makeUpper(upper, state, past.history);
  } catch (error) {
    throw asStoreError(error, state.layers);
  }
  try {
    await native.mountOverlay({ lower: `${past.mountpoint}/${past.snapshots}/@#${state.seq}`, upper, work, mountpoint: tree, source: store.layout.root });
  } catch (error) {
    throw await overlayError(error, state.layers);
  }
  return tree;
}

/** The root of an overlay is that of its upper layer: that one is made as the root was, and whole before it has its name. */
async function makeUpper(upper: string, { seq }: ForkState, history: HistoryReader): Promise<void> {
  if (await stat(upper).then(() => true, () => false)) return;
  const attr = await history.attr(ROOT, seq);
  if (!attr) throw new RewindError('ERR_HISTORY_CORRUPT', `history has no attributes of the root at #${seq}`, 'check the store');
  const aside = `${upper}.new`;
  await mkdir(aside, { recursive: true });
  const writer = await native.openTree(aside);
  try {
    const ops = await directoryAttributes(history, '', ROOT, attr, seq, { owner: null, acl: true });
    await applyPlan({ ops, to: seq, bytes: 0 }, history, writer);
  } finally {
    writer.close();
  }
  await rename(aside, upper);
}

async function overlayError(cause: unknown, layers: string): Promise<RewindError> {
  const { code, message } = cause as NodeJS.ErrnoException;
  const fail = (why: string, hint: string) => new RewindError('ERR_NO_OVERLAY', why, hint, { cause });
  const known = (await readFile('/proc/filesystems', 'utf8').catch(() => '')).split(/\s/).includes('overlay');
  if (code === 'EPERM' || code === 'EACCES') {
    return fail(`uid ${process.geteuid?.()} may not mount an overlay`, 'A fork needs a tree that root has mounted (in a container: the capability SYS_ADMIN). Without it: rewind restore PATH --at TIME --into DEST copies.');
  }
  if (code === 'ENODEV' || !known) return fail('This kernel has no overlayfs', 'Load the module `overlay`. Without it: rewind restore PATH --at TIME --into DEST copies.');
  const type = mountOf(await readMounts(), layers)?.type ?? 'an unknown file system';
  return fail(`The kernel refused the overlay: ${message}; its changes would lie in ${layers}, which is on ${type}`,
    'They need ext4, xfs, btrfs, tmpfs or alike: name a directory there with --upper DIR. `dmesg` may say more.');
}

/**
 * The kernel's mount table, without touching a single mounted directory: a dead FUSE mount cannot make it hang.
 */
import { readFile } from 'node:fs/promises';

/** Type of the live tree's mount in the mount table. */
export const TREE_MOUNT_TYPE = 'fuse.rewindfs';
/** Type of a view's mount. */
export const VIEW_MOUNT_TYPE = 'fuse.rewindfs-view';

/** One line of /proc/self/mountinfo (proc(5)). */
export interface Mount {
  id: number;
  parent: number;
  /** major:minor */
  device: string;
  point: string;
  type: string;
  source: string;
  /** Of the file system, separated by commas. */
  options: string;
}

/** Parses the text of /proc/self/mountinfo; `\040` and the like become the bytes they stand for. */
export function parseMounts(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    const dash = fields.indexOf('-', 6);
    const [id, parent, device, , point] = fields;
    if (dash < 0 || id === undefined || parent === undefined || device === undefined || point === undefined) continue;
    mounts.push({
      id: Number(id), parent: Number(parent), device, point: unescapeOctal(point),
      type: fields[dash + 1] ?? '', source: unescapeOctal(fields[dash + 2] ?? ''), options: fields[dash + 3] ?? '',
    });
  }
  return mounts;
}

function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

/** Mounts of this process's namespace, in the order of mounting. */
export async function readMounts(): Promise<Mount[]> {
  return parseMounts(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** True when `path` is `directory` or lies below it (both absolute and normalized). */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : directory + '/');
}

/** The mount that an absolute, symlink-free path lies on: the deepest mount point, the newest when several share it. */
export function mountOf(mounts: Mount[], path: string): Mount | undefined {
  let best: Mount | undefined;
  for (const mount of mounts) {
    if (isWithin(path, mount.point) && (!best || mount.point.length >= best.point.length)) best = mount;
  }
  return best;
}

/** Mounts strictly below a directory. */
export function mountsInside(mounts: Mount[], directory: string): Mount[] {
  return mounts.filter((mount) => mount.point !== directory && isWithin(mount.point, directory));
}

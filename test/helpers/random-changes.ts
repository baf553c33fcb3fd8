/** Random changes to a tree of few names, so that they collide: every kind, directories moved into each other, hard links, any bytes. */
import type { TreeOp } from '../../lib/native.js';
import { acl } from './acl.js';
import type { Random } from './random.js';

const NAMES = ['a', 'b', 'c', 'd\xff', 'e f', '\\x41', 'ü'.normalize('NFD').replace(/[^\x00-\xff]/g, '\xcc')];
const IDS = [0, 1000, 1001];
const S_IFIFO = 0o010000;
const S_IFSOCK = 0o140000;

function randomPath(random: Random): Buffer {
  const depth = random.pick([1, 1, 2, 2, 2, 3, 3, 4]);
  return Buffer.from(Array.from({ length: depth }, () => random.pick(NAMES)).join('/'), 'latin1');
}

function randomBytes(random: Random): Buffer {
  const length = random.pick([0, 1, 10, 100, 4096, 5000, 9000, 70_000]);
  const data = Buffer.alloc(length);
  if (random.chance(0.85)) for (let i = 0; i < length; i += 97) data[i] = random.below(256);
  return data;
}

const randomAcl = (random: Random): Buffer => acl(random.pick([6, 7]), random.pick([4, 7]), random.pick([4, 7]), random.pick([0, 4]), random.pick([1, 6]));

/** One operation; many will be refused (no such path, not a directory ...), as in life. */
export function randomChange(random: Random): TreeOp {
  const path = randomPath(random);
  const object = random.chance(0.05) ? Buffer.alloc(0) : path;
  const name = Buffer.from(random.pick(['user.x', 'user.y', 'system.posix_acl_access', 'system.posix_acl_default']));
  switch (random.below(20)) {
    case 0: case 1: case 2: return { op: 'mkdir', path, mode: random.pick([0o755, 0o700, 0o2775, 0o500]) };
    case 3: case 4: case 5: return { op: 'create', path, mode: random.pick([0o644, 0o600, 0o4755, 0o444]) };
    case 6: return { op: 'symlink', path, target: Buffer.from(random.pick(['a', '../b', '/nowhere\xfe']), 'latin1') };
    case 7: return { op: 'mknod', path, mode: random.pick([S_IFIFO, S_IFSOCK]) | 0o640, rdev: 0n };
    case 8: return { op: 'link', path, from: randomPath(random) };
    case 9: case 10: return { op: 'unlink', path };
    case 11: return { op: 'rmdir', path };
    case 12: case 13: case 14: return { op: 'rename', path, from: randomPath(random), exchange: random.chance(0.2) };
    case 15: case 16: return { op: 'write', path, offset: random.pick([0, 0, 5, 4096, 100_000]), data: randomBytes(random) };
    case 17: return random.chance(0.5)
      ? { op: 'truncate', path, size: random.pick([0, 3, 4096, 200_000]) }
      : { op: 'punch', path, offset: random.pick([0, 4096, 1]), length: random.pick([4096, 8192, 100]) };
    case 18: return random.chance(0.4)
      ? { op: 'times', path: object, atimeNs: BigInt(random.next()) * 1_000_000_007n, mtimeNs: BigInt(random.next()) * 1_000_000_007n }
      : random.chance(0.5)
        ? { op: 'chmod', path: object, mode: random.pick([0o644, 0o755, 0o700, 0o6755, 0o1777]) }
        : { op: 'chown', path: object, uid: random.pick(IDS), gid: random.pick(IDS) };
    default: return random.chance(0.6)
      ? { op: 'setxattr', path: object, name, value: name.toString().startsWith('user.') ? Buffer.from(String(random.below(4))) : randomAcl(random) }
      : { op: 'removexattr', path: object, name };
  }
}

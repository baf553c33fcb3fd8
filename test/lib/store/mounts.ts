import test from 'ava';
import { isWithin, mountOf, mountsInside, parseMounts } from '../../../lib/store/mounts.js';

const TABLE = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /proc rw,nosuid shared:12 - proc proc rw
41 22 0:50 / /home/a\\040b/tree rw,nosuid,nodev - fuse.rewindfs /var/lib/re\\134wind rw,user_id=0
42 41 0:51 / /home/a\\040b/tree/.snapshots ro - fuse.rewindfs-view /var/lib/re\\134wind ro
43 22 0:52 / /home/a\\040b/tree rw - tmpfs none rw
`;

test.serial('a mount line is read with and without optional fields, its escapes undone', (t) => {
  const mounts = parseMounts(TABLE);
  t.is(mounts.length, 5);
  t.deepEqual(mounts[2], { id: 41, parent: 22, device: '0:50', point: '/home/a b/tree', type: 'fuse.rewindfs', source: '/var/lib/re\\wind', options: 'rw,user_id=0' });
  t.is(mounts[0]?.type, 'ext4');
});

test.serial('a path lies on the deepest mount above it, the newest when two share a point', (t) => {
  const mounts = parseMounts(TABLE);
  t.is(mountOf(mounts, '/home')?.id, 22);
  t.is(mountOf(mounts, '/home/a b/tree/src')?.id, 43);
  t.is(mountOf(mounts, '/home/a b/tree/.snapshots/@10m')?.id, 42);
  t.is(mountOf(mounts, '/home/a b/treehouse')?.id, 22);
});

test.serial('a directory holds what is below it, not what only begins with its name', (t) => {
  t.true(isWithin('/a/b', '/a'));
  t.true(isWithin('/a', '/a'));
  t.true(isWithin('/a', '/'));
  t.false(isWithin('/ab', '/a'));
  t.deepEqual(mountsInside(parseMounts(TABLE), '/home').map(({ id }) => id), [41, 42, 43]);
});

/** POSIX ACLs as the kernel keeps them in extended attributes (linux/posix_acl_xattr.h): what setting and chmod do to each other. */
const VERSION = 2;
const TAG = { userObj: 1, user: 2, groupObj: 4, mask: 0x10, other: 0x20 };

/** An ACL with one named user. */
export function acl(user: number, group: number, mask: number, other: number, named: number): Buffer {
  const entries: [tag: number, perm: number, id: number][] = [
    [TAG.userObj, user, 0xffffffff], [TAG.user, named, 1000], [TAG.groupObj, group, 0xffffffff], [TAG.mask, mask, 0xffffffff], [TAG.other, other, 0xffffffff],
  ];
  const blob = Buffer.alloc(4 + entries.length * 8);
  blob.writeUInt32LE(VERSION, 0);
  entries.forEach(([tag, perm, id], i) => {
    blob.writeUInt16LE(tag, 4 + i * 8);
    blob.writeUInt16LE(perm, 6 + i * 8);
    blob.writeUInt32LE(id, 8 + i * 8);
  });
  return blob;
}

const OBJECTS: [tag: number, shift: number][] = [[TAG.userObj, 6], [TAG.mask, 3], [TAG.other, 0]];

/** The permission bits that an access ACL gives. */
export function modeOfAcl(blob: Buffer): number {
  let mode = 0;
  for (let at = 4; at < blob.length; at += 8) {
    const object = OBJECTS.find(([tag]) => tag === blob.readUInt16LE(at));
    if (object) mode |= blob.readUInt16LE(at + 2) << object[1];
  }
  return mode;
}

/** The access ACL after a chmod. */
export function aclWithMode(blob: Buffer, mode: number): Buffer {
  const changed = Buffer.from(blob);
  for (let at = 4; at < changed.length; at += 8) {
    const object = OBJECTS.find(([tag]) => tag === changed.readUInt16LE(at));
    if (object) changed.writeUInt16LE((mode >> object[1]) & 7, at + 2);
  }
  return changed;
}

/** Access ACLs as the kernel stores them in `system.posix_acl_access` (include/uapi/linux/posix_acl_xattr.h). */

export const ACCESS_ACL = 'system.posix_acl_access';

const HEAD_BYTES = 4;
const ENTRY_BYTES = 8;
const Tag = { USER_OBJ: 0x01, GROUP_OBJ: 0x04, MASK: 0x10, OTHER: 0x20 } as const;

/**
 * The ACL with its owner, mask and other entries as the mode says. A chmod changes them in the file system without
 * anybody setting the attribute; the mode is what was true at the instant.
 */
export function aclWithMode(acl: Buffer, mode: number): Buffer {
  const out = Buffer.from(acl);
  const tags: number[] = [];
  for (let at = HEAD_BYTES; at + ENTRY_BYTES <= out.length; at += ENTRY_BYTES) tags.push(out.readUInt16LE(at));
  const group = tags.includes(Tag.MASK) ? Tag.MASK : Tag.GROUP_OBJ;
  tags.forEach((tag, i) => {
    const at = HEAD_BYTES + i * ENTRY_BYTES + 2;
    if (tag === Tag.USER_OBJ) out.writeUInt16LE((mode >> 6) & 7, at);
    else if (tag === group) out.writeUInt16LE((mode >> 3) & 7, at);
    else if (tag === Tag.OTHER) out.writeUInt16LE(mode & 7, at);
  });
  return out;
}

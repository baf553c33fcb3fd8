/** Steps that give an object the attributes that it had, in the order in which none undoes another. */
import type { Name, NodeAttr } from '../../history/types.js';
import { ACL_ACCESS, ACL_DEFAULT, isAcl, isDir, isLink, MODE_BITS } from '../compare.js';
import type { DiffWhat, PlanOp } from '../types.js';

const SET_ID = 0o6000;

const times = (path: string, attr: NodeAttr): PlanOp => ({ op: 'times', path, atimeNs: attr.atime, mtimeNs: attr.mtime });

/** Who owns what is made. */
export interface Owner {
  uid: number;
  gid: number;
}

/** What a new object has before its attributes are set. */
export interface Born {
  /** null: not known. */
  owner: Owner | null;
  /** Its directory may have handed it an ACL. */
  acl: boolean;
}

/**
 * For an object that the plan has just made with the permission bits of `attr` (a directory: with any).
 * `born`: what its directory and its maker give it before.
 */
export function freshAttributes(path: string, attr: NodeAttr, xattrs: ReadonlyMap<Name, Buffer>, born: Born): PlanOp[] {
  const ops: PlanOp[] = [];
  const acls = born.acl && !isLink(attr) ? (isDir(attr) ? [ACL_ACCESS, ACL_DEFAULT] : [ACL_ACCESS]).filter((name) => !xattrs.has(name)) : [];
  for (const name of acls) ops.push({ op: 'removexattr', path, name, maybe: true });
  if (born.owner?.uid !== attr.uid || born.owner.gid !== attr.gid) ops.push({ op: 'chown', path, uid: attr.uid, gid: attr.gid });
  if (!isLink(attr) && (isDir(attr) || acls.length > 0 || (attr.mode & SET_ID) !== 0)) ops.push({ op: 'chmod', path, mode: attr.mode & MODE_BITS });
  for (const [name, value] of xattrs) ops.push({ op: 'setxattr', path, name, value });
  ops.push(times(path, attr));
  return ops;
}

/** What was done to an object that stays, before its attributes are put right. */
export interface Disturbed {
  /** Content was written: the kernel takes set-id bits and capabilities away. */
  content: boolean;
  /** Times were changed by earlier steps. */
  times: boolean;
  /** Permission bits were lent. */
  mode: boolean;
}

/** For an object that stays: only what differs, and what the steps before it disturbed. */
export function changedAttributes(
  path: string, what: DiffWhat, was: NodeAttr, is: NodeAttr,
  wanted: ReadonlyMap<Name, Buffer>, present: ReadonlyMap<Name, Buffer>, disturbed: Disturbed,
): PlanOp[] {
  const ops: PlanOp[] = [];
  const chown = what.owner || what.group;
  if (what.xattr || what.acl) {
    for (const name of present.keys()) if (!wanted.has(name)) ops.push({ op: 'removexattr', path, name });
  }
  if (chown) ops.push({ op: 'chown', path, uid: was.uid, gid: was.gid });
  const bitsLost = (chown || disturbed.content) && (was.mode & SET_ID) !== 0;
  const chmod = !isLink(was) && (what.mode || what.acl || disturbed.mode || bitsLost);
  if (chmod) ops.push({ op: 'chmod', path, mode: was.mode & MODE_BITS });
  for (const [name, value] of wanted) {
    const same = present.get(name)?.equals(value) === true;
    const lost = (isAcl(name) && chmod) || (name.startsWith('security.') && (chown || disturbed.content));
    if (!same || lost) ops.push({ op: 'setxattr', path, name, value });
  }
  if (disturbed.times || disturbed.content || was.mtime !== is.mtime || was.atime !== is.atime) ops.push(times(path, was));
  return ops;
}

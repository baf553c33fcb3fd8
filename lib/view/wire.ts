/**
 * Numbers of the kernel's FUSE protocol (include/uapi/linux/fuse.h, protocol 7.31 and later) that a read-only server
 * needs. A test compares sizes and opcodes with native/fuse/wire.h.
 */

export const Opcode = {
  LOOKUP: 1, FORGET: 2, GETATTR: 3, SETATTR: 4, READLINK: 5, SYMLINK: 6, MKNOD: 8, MKDIR: 9, UNLINK: 10, RMDIR: 11,
  RENAME: 12, LINK: 13, OPEN: 14, READ: 15, WRITE: 16, STATFS: 17, RELEASE: 18, FSYNC: 20, SETXATTR: 21, GETXATTR: 22,
  LISTXATTR: 23, REMOVEXATTR: 24, FLUSH: 25, INIT: 26, OPENDIR: 27, READDIR: 28, RELEASEDIR: 29, FSYNCDIR: 30,
  ACCESS: 34, CREATE: 35, INTERRUPT: 36, DESTROY: 38, IOCTL: 39, BATCH_FORGET: 42, FALLOCATE: 43, READDIRPLUS: 44,
  RENAME2: 45, LSEEK: 46, COPY_FILE_RANGE: 47, TMPFILE: 51, STATX: 52,
} as const;

/** Bytes of the structures, named as in the kernel's header. */
export const Size = {
  in_header: 40, out_header: 16, attr: 88, entry_out: 128, attr_out: 104, statx_out: 288, kstatfs: 80, dirent: 24,
  direntplus: 152, forget_in: 8, forget_one: 16, batch_forget_in: 8, read_in: 40, getxattr_in: 8, getxattr_out: 8,
  interrupt_in: 8, lseek_in: 24, lseek_out: 8,
} as const;

/** Seconds that stand for "for ever": what lies in the past does not change. */
export const FOREVER = 10 * 365 * 86_400;

/** The file type of st_mode, and its bits for directories and regular files. */
export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;

/** Bytes of the longest name that Linux file systems have. */
export const NAME_MAX = 255;

export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

/** A 64-bit number of the protocol as its two halves: node ids and inode numbers use all 64 bits. */
export interface U64 {
  hi: number;
  lo: number;
}

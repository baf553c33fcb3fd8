/** Numbers of Linux system calls, as the driver takes them. */
export const O = {
  RDONLY: 0, WRONLY: 1, RDWR: 2, CREAT: 0o100, EXCL: 0o200, TRUNC: 0o1000, APPEND: 0o2000, NONBLOCK: 0o4000,
  DSYNC: 0o10000, DIRECT: 0o40000, DIRECTORY: 0o200000, NOFOLLOW: 0o400000, NOATIME: 0o1000000, SYNC: 0o4010000,
  PATH: 0o10000000, TMPFILE: 0o20200000,
} as const;

export const RENAME = { NONE: 0, NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 } as const;
export const SEEK = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const;
export const FALLOC = { ALLOCATE: 0, KEEP_SIZE: 1, PUNCH: 3, ZERO: 16, ZERO_KEEP: 17 } as const;
export const S = { FIFO: 0o10000, CHR: 0o20000, BLK: 0o60000, REG: 0o100000, SOCK: 0o140000 } as const;
export const XATTR = { CREATE: 1, REPLACE: 2 } as const;
export const LOCK = { SH: 1, EX: 2, NB: 4, UN: 8 } as const;
export const PROT = { READ: 1, WRITE: 2 } as const;
export const MAP = { SHARED: 1, PRIVATE: 2 } as const;
export const ACCESS = { F: 0, X: 1, W: 2, R: 4 } as const;
export const IN = { MODIFY: 2, ATTRIB: 4, CLOSE_WRITE: 8, OPEN: 0x20, MOVED_FROM: 0x40, MOVED_TO: 0x80, CREATE: 0x100, DELETE: 0x200, DELETE_SELF: 0x400, MOVE_SELF: 0x800, ALL: 0xfff } as const;
export const RWF = { DSYNC: 2, SYNC: 4, APPEND: 16 } as const;

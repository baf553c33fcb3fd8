/** Numbers of native/journal/format.h `Kind` that the model writes. */
export const Kind = {
  create: 8, mkdir: 9, symlink: 10, mknod: 11, link: 13, unlink: 14, rmdir: 15, rename: 16,
  write: 24, truncate: 25, fallocate: 26, setattr: 27, setxattr: 28, removexattr: 29,
} as const;

// statx(2) as the journal's Attr.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>

#include "journal/format.h"
#include "os/result.h"

namespace rewindfs {

// Inode numbers are doubles in JavaScript: above this two objects would become one in history. Such an object is refused.
inline constexpr uint64_t kGreatestIno = (1ull << 53) - 1;

inline constexpr unsigned kStatxMask = STATX_BASIC_STATS | STATX_BTIME;

inline journal::Attr to_attr(const struct statx& from) {
  journal::Attr attr{};
  attr.mode = from.stx_mode;
  attr.uid = from.stx_uid;
  attr.gid = from.stx_gid;
  attr.nlink = from.stx_nlink;
  attr.size = from.stx_size;
  attr.rdev = (uint64_t{from.stx_rdev_major} << 32) | from.stx_rdev_minor;
  attr.atime_s = from.stx_atime.tv_sec;
  attr.mtime_s = from.stx_mtime.tv_sec;
  attr.ctime_s = from.stx_ctime.tv_sec;
  attr.btime_s = from.stx_btime.tv_sec;
  attr.atime_ns = from.stx_atime.tv_nsec;
  attr.mtime_ns = from.stx_mtime.tv_nsec;
  attr.ctime_ns = from.stx_ctime.tv_nsec;
  attr.btime_ns = from.stx_btime.tv_nsec;
  return attr;
}

// Of the object that the descriptor (O_PATH or better) stands for.
inline Result<struct statx> statx_fd(int fd) {
  struct statx status {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, kStatxMask, &status) != 0) return last_errno();
  return status;
}

}  // namespace rewindfs

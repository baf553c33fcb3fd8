#include "live/attributes.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <cstring>

namespace rewindfs::live {
namespace {

constexpr unsigned kMask = STATX_BASIC_STATS | STATX_BTIME;

fuse::StatxTime wire_time(const struct statx_timestamp& time) { return {time.tv_sec, time.tv_nsec, 0}; }

// The kernel's 32-bit form of a device number: new_encode_dev.
uint32_t encode_device(uint32_t major, uint32_t minor) {
  return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}

}  // namespace

Result<struct statx> stat_fd(int fd) {
  struct statx stat;
  if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, kMask, &stat) != 0) return last_errno();
  return stat;
}

Result<struct statx> stat_at(int dir, std::string_view name) {
  struct statx stat;
  if (statx(dir, name.data(), AT_SYMLINK_NOFOLLOW, kMask, &stat) != 0) return last_errno();
  return stat;
}

journal::Attr journal_attr(const struct statx& stat) {
  journal::Attr attr{};
  attr.mode = stat.stx_mode;
  attr.uid = stat.stx_uid;
  attr.gid = stat.stx_gid;
  attr.nlink = stat.stx_nlink;
  attr.size = stat.stx_size;
  attr.rdev = (uint64_t{stat.stx_rdev_major} << 32) | stat.stx_rdev_minor;
  attr.atime_s = stat.stx_atime.tv_sec;
  attr.mtime_s = stat.stx_mtime.tv_sec;
  attr.ctime_s = stat.stx_ctime.tv_sec;
  attr.atime_ns = stat.stx_atime.tv_nsec;
  attr.mtime_ns = stat.stx_mtime.tv_nsec;
  attr.ctime_ns = stat.stx_ctime.tv_nsec;
  if (stat.stx_mask & STATX_BTIME) {
    attr.btime_s = stat.stx_btime.tv_sec;
    attr.btime_ns = stat.stx_btime.tv_nsec;
  }
  return attr;
}

fuse::Attr wire_attr(const struct statx& stat) {
  fuse::Attr attr{};
  attr.ino = stat.stx_ino;
  attr.size = stat.stx_size;
  attr.blocks = stat.stx_blocks;
  attr.atime = static_cast<uint64_t>(stat.stx_atime.tv_sec);
  attr.mtime = static_cast<uint64_t>(stat.stx_mtime.tv_sec);
  attr.ctime = static_cast<uint64_t>(stat.stx_ctime.tv_sec);
  attr.atime_ns = stat.stx_atime.tv_nsec;
  attr.mtime_ns = stat.stx_mtime.tv_nsec;
  attr.ctime_ns = stat.stx_ctime.tv_nsec;
  attr.mode = stat.stx_mode;
  attr.nlink = stat.stx_nlink;
  attr.uid = stat.stx_uid;
  attr.gid = stat.stx_gid;
  attr.rdev = encode_device(stat.stx_rdev_major, stat.stx_rdev_minor);
  attr.blksize = stat.stx_blksize;
  return attr;
}

fuse::Statx wire_statx(const struct statx& stat) {
  fuse::Statx out{};
  out.mask = stat.stx_mask & kMask;
  out.blksize = stat.stx_blksize;
  out.attributes = stat.stx_attributes;
  out.attributes_mask = stat.stx_attributes_mask;
  out.nlink = stat.stx_nlink;
  out.uid = stat.stx_uid;
  out.gid = stat.stx_gid;
  out.mode = stat.stx_mode;
  out.ino = stat.stx_ino;
  out.size = stat.stx_size;
  out.blocks = stat.stx_blocks;
  out.atime = wire_time(stat.stx_atime);
  out.btime = wire_time(stat.stx_btime);
  out.ctime = wire_time(stat.stx_ctime);
  out.mtime = wire_time(stat.stx_mtime);
  out.rdev_major = stat.stx_rdev_major;
  out.rdev_minor = stat.stx_rdev_minor;
  return out;
}

}  // namespace rewindfs::live

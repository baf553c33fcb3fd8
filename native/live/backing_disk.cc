#include "live/backing_disk.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "live/tree.h"

namespace rewindfs::live {
namespace {

UniqueFd open_beneath(int root, const std::string& path, uint64_t flags) {
  open_how how{};
  how.flags = flags | O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  return UniqueFd(static_cast<int>(syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

}  // namespace

Result<BackingPiece> read_backing(Tree& tree, const std::string& path, uint64_t offset, size_t length) {
  UniqueFd fd = open_beneath(tree.root_fd(), path, O_NOATIME);
  if (!fd.valid() && errno == EPERM) fd = open_beneath(tree.root_fd(), path, 0);
  if (!fd.valid()) return last_errno();
  const auto stat = stat_fd(fd.get());
  if (!stat.ok()) return Errno{stat.error()};
  if (!S_ISREG(stat->stx_mode)) return Errno{EINVAL};
  BackingPiece piece;
  piece.size = stat->stx_size;
  piece.ino = stat->stx_ino;
  const InodePtr known = tree.inodes.find_object(makedev(stat->stx_dev_major, stat->stx_dev_minor), stat->stx_ino);
  piece.writers = known ? known->open_for_writing.load() : 0;
  posix_fadvise(fd.get(), static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_DONTNEED);
  piece.data.resize(length);
  size_t got = 0;
  while (got < length) {
    const ssize_t part = pread(fd.get(), piece.data.data() + got, length - got, static_cast<off_t>(offset + got));
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return last_errno();
    if (part == 0) break;
    got += static_cast<size_t>(part);
  }
  piece.data.resize(got);
  const auto after = stat_fd(fd.get());
  if (!after.ok()) return Errno{after.error()};
  piece.ctime_ns = after->stx_ctime.tv_sec * 1'000'000'000 + after->stx_ctime.tv_nsec;
  return piece;
}

Result<void> sync_backing(Tree& tree) {
  const UniqueFd root(openat(tree.root_fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid() || syncfs(root.get()) != 0) return last_errno();
  return {};
}

}  // namespace rewindfs::live

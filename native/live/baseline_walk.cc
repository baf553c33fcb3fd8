#include "live/baseline_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "os/attributes.h"

namespace rewindfs::live {
namespace {

constexpr size_t kListingBytes = 256u << 10;
constexpr int kMaxPasses = 8;  // each after the first looks only for what was moved meanwhile
constexpr useconds_t kDiskFullWait_us = 200'000;
constexpr int kNoWait = O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;

uint64_t device_of(const struct statx& status) {
  return (uint64_t{status.stx_dev_major} << 32) | status.stx_dev_minor;
}

bool same_inode(int fd, uint64_t ino) {
  struct stat status {};
  return fstat(fd, &status) == 0 && status.st_ino == ino;
}

// Without changing its atime where we may.
UniqueFd open_for_reading(int directory, const char* name, int flags) {
  UniqueFd fd(openat(directory, name, O_RDONLY | O_NOATIME | kNoWait | flags));
  if (!fd.valid() && errno == EPERM) fd.reset(openat(directory, name, O_RDONLY | kNoWait | flags));
  return fd;
}

// It went, or something else lies there now: the hook that saw it go has dealt with it.
bool went_away(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

}  // namespace

Result<journal::Reservation> BaselineWalk::reserve() {
  while (true) {
    auto reservation =
        recorder_.reserve(BaselineCapture::kStepPayloadBytes, BaselineCapture::kStepRecords, &stopping_);
    if (reservation.ok() || (reservation.error() != ENOSPC && reservation.error() != EINTR)) return reservation;
    if (stopping()) return Errno{ECANCELED};
    usleep(kDiskFullWait_us);
  }
}

Result<void> BaselineWalk::reserved_gap(std::string_view what, uint64_t ino, int error, uint64_t directory,
                                        std::string_view name) {
  const auto reservation = reserve();
  if (!reservation.ok()) return Errno{reservation.error()};
  return capture_.gap(what, ino, error, directory, name);
}

Result<void> BaselineWalk::run(int root_fd, uint64_t root_ino) {
  const Result<struct statx> root = statx_fd(root_fd);
  if (!root.ok()) return Errno{root.error()};
  device_ = device_of(*root);
  listing_.resize(kListingBytes);
  if (const auto done = pass(root_fd, root_ino, false); !done.ok()) return done;
  for (int i = 1; i < kMaxPasses && moved_.size() > 0; ++i) {
    if (const auto done = pass(root_fd, root_ino, true); !done.ok()) return done;
  }
  if (moved_.size() > 0) {
    if (const auto told = reserved_gap("moved objects that were not found again", 0, ENOENT); !told.ok()) return told;
  }
  return absent_below();
}

// A directory that is gone took along what history expects in it; no visit came there to say so.
Result<void> BaselineWalk::absent_below() {
  for (const ExpectedEntry& gone : capture_.expected().all()) {
    if (!S_ISDIR(gone.mode) || gone.seen || !states_.get(gone.ino)) continue;
    for (const ExpectedEntry& entry : capture_.expected().directory(gone.ino)) {
      if (stopping()) return Errno{ECANCELED};
      const auto reservation = reserve();
      if (!reservation.ok()) return Errno{reservation.error()};
      if (const auto absent = capture_.absent(gone.ino, capture_.expected().name(entry)); !absent.ok()) return absent;
    }
  }
  return {};
}

Result<void> BaselineWalk::pass(int root_fd, uint64_t root_ino, bool search) {
  const uint64_t directories_before = directories();
  std::vector<Frame> stack;
  stack.push_back({open_for_reading(root_fd, ".", O_DIRECTORY), root_ino, {}});
  if (!stack.back().fd.valid()) return last_errno();
  if (const auto visited = visit(stack.back(), search); !visited.ok()) return visited;
  while (!stack.empty()) {
    if (stopping()) return Errno{ECANCELED};
    // A directory that was found has others below it that must be entered too.
    if (search && moved_.size() == 0 && directories() == directories_before) return {};
    Frame& frame = stack.back();
    if (frame.directories.empty()) {
      stack.pop_back();
      continue;
    }
    const Child child = std::move(frame.directories.back());
    frame.directories.pop_back();
    Frame next{open_for_reading(frame.fd.get(), child.name.c_str(), O_DIRECTORY), child.ino, {}};
    if (!next.fd.valid()) {
      if (went_away(errno)) continue;
      if (const auto told = reserved_gap("directory", child.ino, errno, frame.ino, child.name); !told.ok()) return told;
      continue;
    }
    if (!same_inode(next.fd.get(), child.ino)) continue;
    if (const auto visited = visit(next, search); !visited.ok()) return visited;
    if (!next.directories.empty()) stack.push_back(std::move(next));
  }
  return {};
}

template <typename Visitor>
Result<void> BaselineWalk::list(int fd, uint64_t ino, Visitor visitor) {
  while (true) {
    const long got = syscall(SYS_getdents64, fd, listing_.data(), listing_.size());
    if (got == 0) return {};
    if (got < 0) return errno == ENOENT ? Result<void>() : reserved_gap("directory", ino, errno);
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const dirent64*>(listing_.data() + at);
      at += entry->d_reclen;
      if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
      if (stopping()) return Errno{ECANCELED};
      const Result<void> visited = visitor(Entry{entry->d_name, entry->d_ino, entry->d_type});
      if (!visited.ok()) return visited;
    }
  }
}

// Lists without the directory's lock: a name that comes or goes meanwhile was touched by a hook, and skipped here.
Result<void> BaselineWalk::visit(Frame& frame, bool search) {
  const std::shared_ptr<BaseInode> state = states_.get(frame.ino);
  if (!state) {
    if (!search) return {};
    return list(frame.fd.get(), frame.ino, [&](const Entry& entry) { return search_entry(frame, entry); });
  }
  BaseInode& directory = *state;
  {
    const auto reservation = reserve();
    if (!reservation.ok()) return Errno{reservation.error()};
    const MutexLock lock(directory.mutex);
    if (const auto known = capture_.node(directory, frame.ino, frame.fd.get()); !known.ok()) return known;
  }
  const std::span<ExpectedEntry> expected = capture_.expected().directory(frame.ino);
  const auto listed = list(frame.fd.get(), frame.ino, [&](const Entry& entry) {
    return visit_entry(frame, directory, expected, entry);
  });
  if (!listed.ok()) return listed;
  if (const auto absent = visit_absent(frame, directory, expected); !absent.ok()) return absent;
  directories_.fetch_add(1, std::memory_order_relaxed);
  const MutexLock lock(directory.mutex);
  directory.settled = true;
  states_.settle(frame.ino);
  moved_.remove(frame.ino);
  return {};
}

Result<void> BaselineWalk::visit_entry(Frame& frame, BaseInode& directory, std::span<ExpectedEntry> expected,
                                       const Entry& entry) {
  struct statx status {};
  if (statx(frame.fd.get(), entry.name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, kStatxMask, &status) != 0) {
    if (went_away(errno)) return {};
    return reserved_gap("object", entry.ino, errno, frame.ino, entry.name);
  }
  if (device_of(status) != device_) return reserved_gap("another file system", status.stx_ino, EXDEV, frame.ino, entry.name);

  ExpectedEntry* const wanted = capture_.expected().find(expected, entry.name);
  const auto reservation = reserve();
  if (!reservation.ok()) return Errno{reservation.error()};
  {
    const MutexLock lock(directory.mutex);
    if (directory.touched.contains(entry.name)) {
      // Made in this session, or brought here: only what was moved is ours.
      if (!moved_.contains(status.stx_ino)) return {};
    } else {
      if (wanted) wanted->seen = true;
      if (!wanted || wanted->ino != status.stx_ino) {
        const auto named = capture_.name(frame.ino, entry.name, status.stx_ino);
        if (!named.ok()) return named;
      }
    }
  }
  if (S_ISDIR(status.stx_mode)) {
    frame.directories.push_back({entry.name, status.stx_ino});
    return {};
  }
  files_.fetch_add(1, std::memory_order_relaxed);
  if (wanted && wanted->ino == status.stx_ino && wanted->same(to_attr(status)) && states_.settle_untouched(status.stx_ino)) {
    return {};
  }
  return capture_object(frame, entry.name, status);
}

Result<void> BaselineWalk::visit_absent(const Frame& frame, BaseInode& directory, std::span<ExpectedEntry> expected) {
  for (const ExpectedEntry& entry : expected) {
    if (entry.seen) continue;
    const auto reservation = reserve();
    if (!reservation.ok()) return Errno{reservation.error()};
    const std::string_view name = capture_.expected().name(entry);
    if (name.empty()) continue;
    const MutexLock lock(directory.mutex);
    if (directory.touched.contains(std::string(name))) continue;
    if (const auto absent = capture_.absent(frame.ino, name); !absent.ok()) return absent;
  }
  return {};
}

Result<void> BaselineWalk::search_entry(Frame& frame, const Entry& entry) {
  const bool wanted = moved_.contains(entry.ino);
  if (entry.type == DT_DIR) frame.directories.push_back({entry.name, entry.ino});
  if (entry.type == DT_DIR || (!wanted && entry.type != DT_UNKNOWN)) return {};
  struct statx status {};
  if (statx(frame.fd.get(), entry.name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, kStatxMask, &status) != 0) return {};
  if (device_of(status) != device_) return {};
  if (S_ISDIR(status.stx_mode)) {
    frame.directories.push_back({entry.name, status.stx_ino});
    return {};
  }
  return moved_.contains(status.stx_ino) ? capture_object(frame, entry.name, status) : Result<void>();
}

Result<void> BaselineWalk::capture_object(const Frame& frame, const char* name, const struct statx& status) {
  const uint64_t ino = status.stx_ino;
  const std::shared_ptr<BaseInode> state = states_.get(ino);
  if (!state) return {};
  BaseInode& inode = *state;
  const bool regular = S_ISREG(status.stx_mode);
  UniqueFd fd;
  if (regular) fd = open_for_reading(frame.fd.get(), name, 0);
  const int open_error = regular && !fd.valid() ? errno : 0;
  if (!fd.valid()) fd.reset(openat(frame.fd.get(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return went_away(errno) ? Result<void>() : reserved_gap("object", ino, errno, frame.ino, name);
  if (!same_inode(fd.get(), ino)) return {};
  {
    const auto reservation = reserve();
    if (!reservation.ok()) return Errno{reservation.error()};
    const MutexLock lock(inode.mutex);
    if (inode.settled) return {};
    if (const auto known = capture_.node(inode, ino, fd.get()); !known.ok()) return known;
    if (open_error != 0 && !inode.history_has_it) {
      if (const auto told = capture_.gap("content", ino, open_error, frame.ino, name); !told.ok()) return told;
    }
  }
  return capture_content(inode, ino, regular && open_error == 0 ? fd.get() : -1);
}

// In steps, so that a writer that meets the walk here waits for one step and no longer. fd -1: nothing to read.
Result<void> BaselineWalk::capture_content(BaseInode& inode, uint64_t ino, int fd) {
  uint64_t at = 0;
  while (true) {
    const auto reservation = reserve();
    if (!reservation.ok()) return Errno{reservation.error()};
    if (stopping()) return Errno{ECANCELED};
    const MutexLock lock(inode.mutex);
    if (inode.settled) return {};
    if (fd < 0 || inode.history_has_it || at >= inode.attr.size) {
      inode.settled = true;
      states_.settle(ino);
      moved_.remove(ino);
      return {};
    }
    const Result<uint64_t> next = capture_.content_step(inode, ino, fd, at, inode.attr.size);
    if (!next.ok()) return Errno{next.error()};
    at = *next;
  }
}

}  // namespace rewindfs::live

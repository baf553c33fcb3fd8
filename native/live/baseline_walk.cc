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

// Still the object that was listed, and not one that took its name.
bool is_object(int fd, uint64_t ino, uint64_t device) {
  const Result<struct statx> status = statx_fd(fd);
  return status.ok() && status->stx_ino == ino && device_of(*status) == device;
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
  // What lies in a directory that was not found again is not gone.
  if (moved_.size() > 0) return reserved_gap("moved objects that were not found again", 0, ENOENT);
  return absent_below();
}

// A directory that went while unmounted took along what history expects in it; no visit and no hook came there to say so.
Result<void> BaselineWalk::absent_below() {
  for (const ExpectedEntry& gone : capture_.expected().all()) {
    if (stopping()) return Errno{ECANCELED};
    if (!S_ISDIR(gone.mode)) continue;
    const std::shared_ptr<BaseInode> state = states_.get(gone.ino);
    if (!state) continue;
    const auto absent = visit_absent(gone.ino, *state, capture_.expected().directory(gone.ino));
    if (!absent.ok()) return absent;
  }
  return {};
}

// There is no telling what is in it, nor below: history keeps what it holds, and the gap that was told says so.
void BaselineWalk::leave_out(uint64_t ino) {
  std::vector<uint64_t> below{ino};
  while (!below.empty()) {
    const uint64_t directory = below.back();
    below.pop_back();
    if (left_out_.contains(directory)) continue;
    left_out_.insert(directory);
    for (const ExpectedEntry& entry : capture_.expected().directory(directory)) {
      if (S_ISDIR(entry.mode)) below.push_back(entry.ino);
    }
  }
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
      leave_out(child.ino);
      continue;
    }
    if (!is_object(next.fd.get(), child.ino, device_)) continue;
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
    if (got < 0 && errno == ENOENT) return {};
    if (got < 0) {
      const int error = errno;
      leave_out(ino);
      return reserved_gap("directory", ino, error);
    }
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
  if (const auto absent = visit_absent(frame.ino, directory, expected); !absent.ok()) return absent;
  directories_.fetch_add(1, std::memory_order_relaxed);
  const MutexLock lock(directory.mutex);
  directory.settled = true;
  states_.settle(frame.ino);
  moved_.remove(frame.ino);
  return {};
}

Result<void> BaselineWalk::visit_entry(Frame& frame, BaseInode& directory, std::span<ExpectedEntry> expected,
                                       const Entry& entry) {
  ExpectedEntry* const wanted = capture_.expected().find(expected, entry.name);
  if (wanted) wanted->seen = true;
  struct statx status {};
  const bool failed = statx(frame.fd.get(), entry.name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, kStatxMask, &status) != 0;
  const int error = failed ? errno : device_of(status) != device_ ? EXDEV : status.stx_ino > kGreatestIno ? EOVERFLOW : 0;
  if (failed && went_away(error)) return {};
  if (error != 0) {
    if (wanted) leave_out(wanted->ino);
    return reserved_gap(error == EXDEV ? "another file system" : "object", entry.ino, error, frame.ino, entry.name);
  }

  const uint64_t ino = status.stx_ino;
  {
    // A touched name: what it leads to was made in this session, or was moved here and is ours.
    const MutexLock lock(directory.mutex);
    if (directory.dealt_with(entry.name) && !moved_.contains(ino)) return {};
  }
  const bool is_directory = S_ISDIR(status.stx_mode);
  if (!is_directory) files_.fetch_add(1, std::memory_order_relaxed);
  const bool same = wanted && wanted->ino == ino && !wanted->uncaptured && wanted->same(to_attr(status));
  if (same && (is_directory || states_.settle_untouched(ino))) {
    if (is_directory) frame.directories.push_back({entry.name, ino});
    return {};
  }
  // The object before the name: what history has under this inode number may be another object.
  auto object = capture_node(frame, entry.name, status);
  if (!object.ok()) return Errno{object.error()};
  const bool expected_here = wanted && wanted->ino == ino;
  if (const auto named = visit_name(frame, directory, entry.name, ino, expected_here, to_attr(status), *object); !named.ok()) return named;
  if (is_directory) {
    frame.directories.push_back({entry.name, ino});
    return {};
  }
  return capture_content(*object, ino);
}

Result<void> BaselineWalk::visit_name(const Frame& frame, BaseInode& directory, const char* name, uint64_t ino,
                                      bool expected, const journal::Attr& attr, const Object& object) {
  bool differs = !expected;
  BaselineCapture::Found found{ino, attr};
  if (object.state) {
    BaseInode& inode = *object.state;
    const MutexLock lock(inode.mutex);
    if (expected && inode.history_has_it) return {};
    differs = true;
    if (inode.node_known) found.attr = inode.attr;
  }
  const auto reservation = reserve();
  if (!reservation.ok()) return Errno{reservation.error()};
  const MutexLock lock(directory.mutex);
  if (directory.dealt_with(name)) return {};
  return capture_.name({frame.ino, directory.attr}, name, found, differs);
}

Result<void> BaselineWalk::visit_absent(uint64_t ino, BaseInode& directory, std::span<ExpectedEntry> expected) {
  if (left_out_.contains(ino)) return {};
  for (const ExpectedEntry& entry : expected) {
    if (entry.seen) continue;
    const auto reservation = reserve();
    if (!reservation.ok()) return Errno{reservation.error()};
    const std::string_view name = capture_.expected().name(entry);
    if (name.empty()) continue;
    const MutexLock lock(directory.mutex);
    if (directory.dealt_with(std::string(name))) continue;
    if (const auto absent = capture_.absent(ino, name); !absent.ok()) return absent;
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
  if (!moved_.contains(status.stx_ino)) return {};
  const auto object = capture_node(frame, entry.name, status);
  return object.ok() ? capture_content(*object, status.stx_ino) : Result<void>(Errno{object.error()});
}

Result<BaselineWalk::Object> BaselineWalk::capture_node(const Frame& frame, const char* name,
                                                        const struct statx& status) {
  const uint64_t ino = status.stx_ino;
  Object object{states_.get(ino), UniqueFd()};
  if (!object.state) return object;
  UniqueFd fd;
  int open_error = 0;
  if (S_ISREG(status.stx_mode)) {
    object.content = open_for_reading(frame.fd.get(), name, 0);
    if (!object.content.valid()) open_error = errno;
  }
  if (!object.content.valid()) fd.reset(openat(frame.fd.get(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  const int any_fd = object.content.valid() ? object.content.get() : fd.get();
  if (any_fd < 0 && !went_away(errno)) {
    if (const auto told = reserved_gap("object", ino, errno, frame.ino, name); !told.ok()) return Errno{told.error()};
  }
  if (any_fd < 0 || !is_object(any_fd, ino, device_)) return Object{};

  const auto reservation = reserve();
  if (!reservation.ok()) return Errno{reservation.error()};
  BaseInode& inode = *object.state;
  const MutexLock lock(inode.mutex);
  if (inode.settled) return Object{};
  if (const auto known = capture_.node(inode, ino, any_fd, open_error == 0); !known.ok()) return Errno{known.error()};
  if (open_error != 0 && !inode.history_has_it) {
    const auto told = capture_.unreadable(inode, ino, open_error, frame.ino, name);
    if (!told.ok()) return Errno{told.error()};
  }
  return object;
}

// In steps, so that a writer that meets the walk here waits for one step and no longer.
Result<void> BaselineWalk::capture_content(const Object& object, uint64_t ino) {
  if (!object.state) return {};
  BaseInode& inode = *object.state;
  uint64_t at = 0;
  while (true) {
    const auto reservation = reserve();
    if (!reservation.ok()) return Errno{reservation.error()};
    if (stopping()) return Errno{ECANCELED};
    const MutexLock lock(inode.mutex);
    if (inode.settled) return {};
    if (!object.content.valid() || inode.history_has_it || at >= inode.attr.size) {
      inode.settled = true;
      states_.settle(ino);
      moved_.remove(ino);
      return {};
    }
    const Result<uint64_t> next = capture_.content_step(inode, ino, object.content.get(), at, inode.attr.size);
    if (!next.ok()) return Errno{next.error()};
    at = *next;
  }
}

}  // namespace rewindfs::live

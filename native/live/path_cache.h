// O_PATH descriptors of known objects, bounded: the kernel may remember millions of objects, a process may not open as many.
//
// Guarantees: a Path keeps its descriptor open for as long as it lives. An object whose descriptor was given up is
// opened again by its file handle, which names that very object (ino and generation) or nothing. Where file handles
// cannot be had (no CAP_DAC_READ_SEARCH, a file system without them) nothing is given up and the limit of the process is the limit.
#pragma once
#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "os/mutex.h"
#include "os/result.h"
#include "os/unique_fd.h"

namespace rewindfs::live {

class Path {
 public:
  explicit Path(std::shared_ptr<const UniqueFd> fd) : fd_(std::move(fd)) {}
  int get() const { return fd_->get(); }  // -1 when the object is gone: every call answers EBADF
  // For calls that take no O_PATH descriptor; good for as long as this lives.
  std::string proc() const { return "/proc/self/fd/" + std::to_string(get()); }

 private:
  std::shared_ptr<const UniqueFd> fd_;
};

class PathCache;

// What the cache keeps for one object; belongs to its Inode.
class PathHolder {
 public:
  PathHolder(std::atomic<size_t>& open, std::shared_ptr<const UniqueFd> fd) : open_(open), fd_(std::move(fd)) {}
  ~PathHolder();

 private:
  friend class PathCache;
  std::atomic<size_t>& open_;
  std::atomic<bool> used_{true};
  Mutex mutex_;
  std::shared_ptr<const UniqueFd> fd_ GUARDED_BY(mutex_);     // null: given up
  std::vector<std::byte> handle_ GUARDED_BY(mutex_);          // a struct file_handle, once it was given up
  bool kept_ GUARDED_BY(mutex_) = false;
};
using PathHolderPtr = std::shared_ptr<PathHolder>;

class PathCache {
 public:
  explicit PathCache(size_t most) : most_(most) {}

  // The directory that handles are opened beneath. Without it nothing is given up.
  void set_anchor(UniqueFd directory) { anchor_ = std::move(directory); }
  PathHolderPtr hold(UniqueFd fd) EXCLUDES(mutex_);
  Path open(const PathHolderPtr& holder) EXCLUDES(mutex_);
  // From now on it is not given up.
  void keep(const PathHolderPtr& holder) EXCLUDES(mutex_);
  // The same, for an object that loses its last name and would die with its last descriptor. Only so many: the kernel may
  // be slow to forget what was removed, and a tree of any size can be removed meanwhile. The ones removed longest ago are
  // given up then, and live on only where a program has them open.
  void keep_removed(const PathHolderPtr& holder) EXCLUDES(mutex_);
  size_t open_count() const { return open_.load(std::memory_order_relaxed); }

 private:
  void enqueue(const PathHolderPtr& holder) EXCLUDES(mutex_);
  std::vector<PathHolderPtr> surplus_of_removed() EXCLUDES(mutex_);
  PathHolderPtr next_candidate() EXCLUDES(mutex_);
  bool give_up(PathHolder& holder);
  std::shared_ptr<const UniqueFd> reopen(PathHolder& holder) REQUIRES(holder.mutex_);

  const size_t most_;
  std::atomic<size_t> open_{0};
  UniqueFd anchor_;
  Mutex mutex_;
  std::deque<std::weak_ptr<PathHolder>> queue_ GUARDED_BY(mutex_);  // in the order of opening; second chance for the used
  std::deque<std::weak_ptr<PathHolder>> removed_ GUARDED_BY(mutex_);  // kept, in the order of their removal
};

}  // namespace rewindfs::live

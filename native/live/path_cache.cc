#include "live/path_cache.h"

#include <fcntl.h>

#include <cstring>

namespace rewindfs::live {
namespace {

constexpr size_t kSweepAbove = 4096;

const std::shared_ptr<const UniqueFd>& no_descriptor() {
  static const auto none = std::make_shared<const UniqueFd>();
  return none;
}

std::vector<std::byte> handle_of(int fd) {
  std::vector<std::byte> bytes(sizeof(file_handle) + MAX_HANDLE_SZ);
  auto* handle = reinterpret_cast<file_handle*>(bytes.data());
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  if (name_to_handle_at(fd, "", handle, &mount_id, AT_EMPTY_PATH) != 0) return {};
  bytes.resize(sizeof(file_handle) + handle->handle_bytes);
  return bytes;
}

}  // namespace

PathHolder::~PathHolder() {
  const MutexLock lock(mutex_);
  if (fd_) open_.fetch_sub(1, std::memory_order_relaxed);
}

PathHolderPtr PathCache::hold(UniqueFd fd) {
  auto holder = std::make_shared<PathHolder>(open_, std::make_shared<const UniqueFd>(std::move(fd)));
  open_.fetch_add(1, std::memory_order_relaxed);
  enqueue(holder);
  return holder;
}

Path PathCache::open(const PathHolderPtr& holder) {
  std::shared_ptr<const UniqueFd> fd;
  {
    const MutexLock lock(holder->mutex_);
    holder->used_.store(true, std::memory_order_relaxed);
    if (holder->fd_) return Path(holder->fd_);
    fd = reopen(*holder);
    if (!fd) return Path(no_descriptor());
    holder->fd_ = fd;
  }
  open_.fetch_add(1, std::memory_order_relaxed);
  enqueue(holder);
  return Path(std::move(fd));
}

void PathCache::keep(const PathHolderPtr& holder) {
  const Path opened = open(holder);
  const MutexLock lock(holder->mutex_);
  holder->kept_ = true;
}

void PathCache::keep_removed(const PathHolderPtr& holder) {
  keep(holder);
  if (!anchor_.valid()) return;
  {
    const MutexLock lock(mutex_);
    removed_.push_back(holder);
  }
  for (const PathHolderPtr& one : surplus_of_removed()) {
    {
      const MutexLock lock(one->mutex_);
      one->kept_ = false;
    }
    one->used_.store(false, std::memory_order_relaxed);
    (void)give_up(*one);
  }
}

std::vector<PathHolderPtr> PathCache::surplus_of_removed() {
  const size_t most = most_ / 2;
  std::vector<PathHolderPtr> surplus;
  const MutexLock lock(mutex_);
  if (removed_.size() <= most) return surplus;
  std::erase_if(removed_, [](const auto& entry) { return entry.expired(); });
  if (removed_.size() <= most) return surplus;
  // An eighth at a time, so that looking through all of them is rare.
  while (removed_.size() > most - most / 8) {
    if (PathHolderPtr one = removed_.front().lock()) surplus.push_back(std::move(one));
    removed_.pop_front();
  }
  return surplus;
}

std::shared_ptr<const UniqueFd> PathCache::reopen(PathHolder& holder) {
  auto* handle = reinterpret_cast<file_handle*>(holder.handle_.data());
  UniqueFd fd(open_by_handle_at(anchor_.get(), handle, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return nullptr;
  return std::make_shared<const UniqueFd>(std::move(fd));
}

void PathCache::enqueue(const PathHolderPtr& holder) {
  if (!anchor_.valid()) return;
  {
    const MutexLock lock(mutex_);
    queue_.push_back(holder);
    // What the kernel forgot leaves an empty place behind, which keeps the holder's memory: swept when they pile up.
    if (queue_.size() > 2 * open_count() + kSweepAbove) std::erase_if(queue_, [](const auto& entry) { return entry.expired(); });
  }
  // Two steps for one: the queue also loses what was forgotten meanwhile.
  for (int tries = 0; tries < 64 && open_count() > most_; ++tries) {
    const PathHolderPtr candidate = next_candidate();
    if (candidate && !give_up(*candidate)) {
      const MutexLock lock(mutex_);
      queue_.push_back(candidate);
    }
  }
}

PathHolderPtr PathCache::next_candidate() {
  const MutexLock lock(mutex_);
  while (!queue_.empty()) {
    PathHolderPtr holder = queue_.front().lock();
    queue_.pop_front();
    if (holder) return holder;
  }
  return nullptr;
}

// False: it was used since, try it again later.
bool PathCache::give_up(PathHolder& holder) {
  if (holder.used_.exchange(false, std::memory_order_relaxed)) return false;
  std::shared_ptr<const UniqueFd> closed_later;
  const MutexLock lock(holder.mutex_);
  if (holder.kept_ || !holder.fd_) return true;
  if (holder.handle_.empty()) holder.handle_ = handle_of(holder.fd_->get());
  if (holder.handle_.empty()) {
    holder.kept_ = true;
    return true;
  }
  closed_later = std::move(holder.fd_);
  open_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

}  // namespace rewindfs::live

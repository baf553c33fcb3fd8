// Making records durable: one fdatasync(2) answers everyone who asked before it began (group commit).
#include <fcntl.h>

#include <chrono>

#include "journal/journal.h"

namespace rewindfs::journal {

Result<void> Journal::sync() {
  const uint64_t target = last_seq();
  const MutexLock lock(sync_mutex_);
  while (true) {
    if (poisoned_.load() != 0) return goes_on_unrecorded();
    if (synced_seq() >= target) return {};
    if (!syncing_) break;
    sync_done_cv_.wait(sync_mutex_);
  }
  syncing_ = true;
  sync_mutex_.unlock();
  const Result<uint64_t> synced = sync_now();
  sync_mutex_.lock();
  syncing_ = false;
  if (synced.ok()) {
    synced_seq_.store(*synced, std::memory_order_release);
  } else {
    // After a failed fdatasync the kernel forgets which pages were dirty: nothing can be promised any more.
    poisoned_.store(synced.error());
  }
  sync_done_cv_.notify_all();
  return synced.ok() ? Result<void>() : goes_on_unrecorded();
}

// What was recorded may be lost to a power cut now; what the tree holds is as stable as its own disk says.
Result<void> Journal::goes_on_unrecorded() {
  const MutexLock lock(mutex_);
  return unrecorded(poisoned_.load()).ok() ? Result<void>() : Errno{EIO};
}

void Journal::begin_sync() {
  if (synced_seq() >= last_seq()) return;
  sync_asked_.store(true);
  sync_wake_cv_.notify_all();
}

// Oldest first; a segment gets its name only after all before it are on stable storage.
Result<uint64_t> Journal::sync_now() {
  std::vector<SegmentPtr> chain;
  uint64_t upto = 0;
  {
    const MutexLock lock(mutex_);
    chain = unsynced_;
    if (segments_.empty()) return Errno{ESHUTDOWN};
    chain.push_back(segments_.back());
    upto = last_seq_.load(std::memory_order_relaxed);
  }
  bool renamed = false;
  for (const SegmentPtr& segment : chain) {
    if (const auto synced = io_.fdatasync(segment->fd.get()); !synced.ok()) return Errno{synced.error()};
    if (segment->named) continue;
    if (const auto named = name_segment(*segment); !named.ok()) return Errno{named.error()};
    renamed = true;
  }
  if (renamed) {
    const Result<UniqueFd> directory = io_.open(options_.directory, O_RDONLY | O_DIRECTORY, 0);
    if (!directory.ok()) return Errno{directory.error()};
    if (const auto synced = io_.fsync(directory->get()); !synced.ok()) return Errno{synced.error()};
  }
  {
    const MutexLock lock(mutex_);
    unsynced_.erase(unsynced_.begin(), unsynced_.begin() + static_cast<ptrdiff_t>(chain.size() - 1));
  }
  syncs_.fetch_add(1, std::memory_order_relaxed);
  // A mark that cannot be written says less than is so, which is harmless.
  (void)write_mark(io_, marks_fd_.get(), options_.store_id, options_.boot_id, upto);
  if (renamed) (void)delete_released();
  return upto;
}

Result<void> Journal::name_segment(Segment& segment) {
  const std::string path = options_.directory + "/" + segment_name(segment.first_seq);
  if (const auto renamed = io_.rename(segment.path, path); !renamed.ok()) return renamed;
  const MutexLock lock(mutex_);
  segment.path = path;
  segment.named = true;
  return {};
}

void Journal::sync_loop() {
  const bool periodic = options_.sync_interval_ms > 0;
  const auto interval = std::chrono::milliseconds(periodic ? options_.sync_interval_ms : 1000);
  const MutexLock lock(sync_mutex_);
  while (!sync_stopping_) {
    if (!sync_asked_.load()) sync_wake_cv_.wait_for(sync_mutex_, interval);
    const bool asked = sync_asked_.exchange(false);
    if (sync_stopping_ || poisoned_.load() != 0 || !(asked || periodic) || synced_seq() >= last_seq()) continue;
    sync_mutex_.unlock();
    (void)sync();  // a failure poisons the journal: every reserve says so, and the stats
    sync_mutex_.lock();
  }
}

}  // namespace rewindfs::journal

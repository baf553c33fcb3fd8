// The tree goes on without its journal, and the journal without what it missed: where the policy says that work comes first.
#include <fcntl.h>

#include "journal/journal.h"

namespace rewindfs::journal {

// From the first record that is not written on, none is: what history holds then is the state of one instant.
Result<void> Journal::unrecorded(int error) {
  if (in_gap_.load()) return {};
  if (!work_first_.load()) return Errno{error};
  gap_ = {error, now_ns(), 0};
  in_gap_.store(true);
  room_cv_.notify_all();
  return {};
}

Result<Appended> Journal::unwritable(int error) {
  poison(error);
  return unrecorded(error).ok() ? not_written() : Result<Appended>(Errno{EIO});
}

Result<Appended> Journal::not_written() {
  ++gap_.records;
  return Appended{kUnrecorded, now_ns()};
}

Outcome<Done> Journal::resume() {
  {
    const MutexLock lock(mutex_);
    if (!in_gap_.load()) return Done{};
    if (!open_.load()) return Failure{ESHUTDOWN, "resume", options_.directory};
    if (released_seq_ < last_seq()) return Failure{EBUSY, "resume", options_.directory};
    check_disk();
    if (low_.load()) return Failure{ENOSPC, "resume", options_.directory};
  }
  // Also where only room was missing: a segment that could be written says more than the number of free bytes.
  if (auto anew = start_anew(); !anew.ok()) return anew;
  const MutexLock lock(mutex_);
  gap_ = {};
  in_gap_.store(false);
  return Done{};
}

// A segment of its own for what comes: nothing depends on the old ones any more, whatever became of their disk.
Outcome<Done> Journal::start_anew() {
  const uint64_t last = last_seq();
  uint64_t number = 0, time_ns = 0;
  {
    const MutexLock lock(mutex_);
    number = ++spare_number_;
    time_ns = now_ns();
  }
  auto fresh = create_spare(io_, options_.directory + "/spare-" + std::to_string(number));
  if (!fresh.ok()) return fresh.failure();
  const auto give_up = [&](int error, const char* call) {
    (void)io_.unlink((*fresh)->path);
    return Failure{error, call, (*fresh)->path};
  };
  if (const auto written = write_head(io_, **fresh, options_.store_id, last + 1, time_ns); !written.ok()) return give_up(written.error(), "write");
  if (const auto synced = io_.fdatasync((*fresh)->fd.get()); !synced.ok()) return give_up(synced.error(), "fdatasync");
  auto marks = open_marks(io_, options_.directory);
  if (!marks.ok()) return give_up(marks.failure().error, "open");

  const MutexLock syncing(sync_mutex_);
  while (syncing_) sync_done_cv_.wait(sync_mutex_);
  std::deque<SegmentPtr> old;
  {
    const MutexLock lock(mutex_);
    (*fresh)->base = segments_.back()->base + segments_.back()->end - sizeof(SegmentHead);
    old.swap(segments_);
    old.insert(old.end(), spares_.begin(), spares_.end());
    spares_.clear();
    unsynced_.clear();
    segments_.push_back(std::move(*fresh));
    marks_fd_ = std::move(*marks);
    prepare_error_ = 0;
    update_available();
  }
  synced_seq_.store(last);
  poisoned_.store(0);
  for (const SegmentPtr& segment : old) (void)io_.unlink(segment->path);  // what stays is cut off at the next open
  return Done{};
}

}  // namespace rewindfs::journal

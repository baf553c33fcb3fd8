// The tree goes on without its journal, and the journal without what it missed: where the policy says that work comes first.
#include <utility>

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

Gap Journal::gap() {
  const MutexLock lock(mutex_);
  return gap_;
}

// A segment of its own for what comes: nothing depends on the old ones any more, whatever became of their disk. They go
// first: what a failed sync left of them is never found before records that came later.
Outcome<Done> Journal::make_ready() {
  uint64_t number = 0, time_ns = 0;
  std::vector<SegmentPtr> old;
  {
    const MutexLock lock(mutex_);
    if (!in_gap_.load() || ready_) return Done{};
    if (!open_.load()) return Failure{ESHUTDOWN, "resume", options_.directory};
    if (released_seq_ < last_seq()) return Failure{EBUSY, "resume", options_.directory};
    check_disk();
    if (low_.load() || free_bytes_.load() < options_.min_free_bytes + kSegmentBytes) return Failure{ENOSPC, "resume", options_.directory};
    old.assign(segments_.begin(), segments_.end());
    old.insert(old.end(), spares_.begin(), spares_.end());
    spares_.clear();
    update_available();
    number = ++spare_number_;
    time_ns = now_ns();
  }
  for (const SegmentPtr& segment : old) {
    if (const auto gone = io_.unlink(segment->path); !gone.ok() && gone.error() != ENOENT) return Failure{gone.error(), "unlink", segment->path};
  }
  auto fresh = create_spare(io_, options_.directory + "/spare-" + std::to_string(number));
  if (!fresh.ok()) return fresh.failure();
  const auto give_up = [&](int error, const char* call) {
    (void)io_.unlink((*fresh)->path);
    return Failure{error, call, (*fresh)->path};
  };
  if (const auto written = write_head(io_, **fresh, options_.store_id, last_seq() + 1, time_ns); !written.ok()) return give_up(written.error(), "write");
  if (const auto synced = io_.fdatasync((*fresh)->fd.get()); !synced.ok()) return give_up(synced.error(), "fdatasync");
  auto marks = open_marks(io_, options_.directory);
  if (!marks.ok()) return give_up(marks.failure().error, "open");
  await_syncs();
  const MutexLock lock(mutex_);
  ready_ = std::move(*fresh);
  ready_marks_ = std::move(*marks);
  return Done{};
}

// None is under way afterwards, and none begins until there is something new.
void Journal::await_syncs() {
  (void)sync();
  const MutexLock lock(sync_mutex_);
  while (syncing_) sync_done_cv_.wait(sync_mutex_);
}

Result<uint64_t> Journal::resume(const Draft& first) {
  Encoded encoded;
  if (const auto checked = encoded.encode(first); !checked.ok()) return Errno{checked.error()};
  const MutexLock syncing(sync_mutex_);
  const MutexLock lock(mutex_);
  if (!in_gap_.load() || !ready_ || syncing_) return Errno{EBUSY};
  const Gap gap = gap_;
  begin_anew();
  const auto appended = append_encoded(encoded, first);
  if (!appended.ok()) return Errno{appended.error()};
  if (appended->seq == kUnrecorded) gap_ = {gap.error, gap.since_ns, gap.records + 1};  // it goes on
  return appended->seq;
}

void Journal::begin_anew() {
  ready_->base = segments_.back()->base + segments_.back()->end - sizeof(SegmentHead);
  unsynced_.clear();
  segments_.assign(1, std::exchange(ready_, nullptr));
  marks_fd_ = std::move(ready_marks_);
  prepare_error_ = 0;
  synced_seq_.store(last_seq());
  poisoned_.store(0);
  gap_ = {};
  in_gap_.store(false);
  update_available();
}

}  // namespace rewindfs::journal

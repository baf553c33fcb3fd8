// Appending: one pwritev(2) a record, under the lock, so that a record is whole in the file before the next one begins.
#include <fcntl.h>

#include <algorithm>
#include <ctime>

#include "journal/journal.h"

namespace rewindfs::journal {

uint64_t Journal::now_ns() const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const uint64_t ns = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  return std::max(ns, last_time_ns_);
}

void Journal::poison(int error) {
  poisoned_.store(error);
  room_cv_.notify_all();
}

Result<uint64_t> Journal::append(const Draft& draft) {
  const Result<Appended> appended = append_timed(draft);
  if (!appended.ok()) return Errno{appended.error()};
  return appended->seq;
}

Result<Appended> Journal::append_timed(const Draft& draft) {
  Encoded encoded;
  if (const Result<void> checked = encoded.encode(draft); !checked.ok()) return Errno{checked.error()};

  const MutexLock lock(mutex_);
  if (!open_.load(std::memory_order_relaxed)) return Errno{ESHUTDOWN};
  return append_encoded(encoded, draft);
}

Result<Appended> Journal::append_encoded(Encoded& encoded, const Draft& draft) {
  if (in_gap_.load(std::memory_order_relaxed)) return not_written();
  if (const int error = poisoned_.load(std::memory_order_relaxed); error != 0) return unwritable(error);
  if (segments_.back()->end + encoded.size() > kSegmentBytes) {
    if (const auto rotated = rotate(); !rotated.ok()) return unwritable(rotated.error());
  }
  const Appended appended{last_seq_.load(std::memory_order_relaxed) + 1, now_ns()};
  encoded.seal(appended.seq, appended.time_ns);
  if (const auto written = write_record(encoded, draft); !written.ok()) return unwritable(written.error());
  Segment& segment = *segments_.back();
  segment.mark(appended.seq, segment.end);
  segment.end += encoded.size();
  last_time_ns_ = appended.time_ns;
  appended_bytes_.fetch_add(encoded.size(), std::memory_order_relaxed);
  last_seq_.store(appended.seq, std::memory_order_release);
  update_available();
  if (on_append_) on_append_();
  return appended;
}

Result<void> Journal::write_record(Encoded& encoded, const Draft& draft) {
  static constexpr std::byte kZeroes[kRecordAlignment] = {};
  iovec parts[3];
  int count = 0;
  const auto add = [&](const void* data, size_t bytes) {
    if (bytes > 0) parts[count++] = {const_cast<void*>(data), bytes};
  };
  add(encoded.front().data(), encoded.front().size());
  add(draft.payload.data(), draft.payload.size());
  add(kZeroes, encoded.padding());
  Segment& segment = *segments_.back();
  return write_all(io_, segment.fd.get(), parts, count, segment.end);
}

// Reservations see to it that a spare is there; without one it is made here, while everyone waits.
Result<void> Journal::rotate() {
  if (spares_.empty()) {
    auto spare = create_spare(io_, options_.directory + "/spare-" + std::to_string(++spare_number_));
    if (!spare.ok()) return Errno{spare.failure().error};
    spares_.push_back(std::move(*spare));
  }
  const SegmentPtr next = spares_.front();
  const Segment& old = *segments_.back();
  const uint64_t first_seq = last_seq_.load(std::memory_order_relaxed) + 1;
  if (const auto written = write_head(io_, *next, options_.store_id, first_seq, now_ns()); !written.ok()) {
    return written;
  }
  next->base = old.base + old.end - sizeof(SegmentHead);
  unsynced_.push_back(segments_.back());
  spares_.pop_front();
  segments_.push_back(next);
  sync_asked_.store(true);
  sync_wake_cv_.notify_all();
  return {};
}

void Journal::on_append(std::function<void()> callback) {
  const MutexLock lock(mutex_);
  on_append_ = std::move(callback);
}

}  // namespace rewindfs::journal

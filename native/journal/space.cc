// Room for records: reservations, the spare segments that back them, and the pressure that slows writers down when
// history falls behind.
#include <algorithm>
#include <chrono>

#include "journal/journal.h"
#include "os/waiting.h"

namespace rewindfs::journal {
namespace {

using namespace std::chrono_literals;

constexpr auto kPoll = 10ms;             // how soon a waiting reservation sees that it was interrupted
constexpr auto kCheckDisk = 200ms;
constexpr auto kLowPatience = 1s;        // how long a full disk may still be answered by waiting for releases
constexpr auto kLongestSlowDown = 20ms;  // for one reservation just below the hard limit

// The end of a segment can be lost to a record that does not fit any more: it counts for nothing.
constexpr uint64_t kUsableBytes = kSegmentBytes - sizeof(SegmentHead) - kMaxRecordBytes;

// What programs know as the answer of a disk: whatever else the store's disk said would mislead them.
int answer_of(int error) { return error == ENOSPC || error == EDQUOT ? ENOSPC : EIO; }

}  // namespace

void Journal::update_available() {
  const uint64_t end = segments_.back()->end;
  const uint64_t reach = end + kMaxRecordBytes;
  const uint64_t rest = reach < kSegmentBytes ? kSegmentBytes - reach : 0;
  available_bytes_.store(rest + spares_.size() * kUsableBytes, std::memory_order_relaxed);
  if (spares_.empty() && end > kSegmentBytes / 2) prepare_cv_.notify_all();
}

bool Journal::wants_spare() const {
  return (spares_.empty() && segments_.back()->end > kSegmentBytes / 2) ||
         reserved_bytes_.load(std::memory_order_relaxed) > available_bytes_.load(std::memory_order_relaxed);
}

Result<Reservation> Journal::reserve(uint64_t payload_bytes, unsigned records, const volatile bool* interrupted) {
  const uint64_t bytes = payload_bytes + records * uint64_t{kMaxFrontBytes + kRecordAlignment};
  const uint64_t reserved = reserved_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  const bool plenty = open_.load(std::memory_order_relaxed) && !poisoned_.load(std::memory_order_relaxed) &&
                      !low_.load(std::memory_order_relaxed) && !in_gap_.load(std::memory_order_relaxed) &&
                      reserved <= available_bytes_.load(std::memory_order_relaxed) &&
                      backlog_bytes() <= backlog_soft_bytes();
  if (!plenty) {
    if (const Result<void> room = wait_for_room(interrupted); !room.ok()) {
      give_back(bytes);
      return Errno{room.error()};
    }
  }
  return Reservation(this, bytes);
}

void Journal::give_back(uint64_t bytes) { reserved_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

Result<void> Journal::wait_for_room(const volatile bool* interrupted) {
  const Waiting waiting;
  bool slowed = false;
  const MutexLock lock(mutex_);
  while (true) {
    if (!open_.load()) return Errno{ESHUTDOWN};
    if (in_gap_.load()) return {};
    if (interrupted && __atomic_load_n(interrupted, __ATOMIC_RELAXED)) return Errno{EINTR};
    if (low_.load()) check_disk();
    if (const int error = refusal(); error != 0) {
      if (unrecorded(error).ok()) return {};
      refused_ = error;
      return Errno{answer_of(error)};
    }
    if (must_wait()) {
      prepare_cv_.notify_all();
      room_cv_.wait_for(mutex_, kPoll);
      continue;
    }
    const uint64_t backlog = backlog_bytes();
    if (backlog <= backlog_soft_bytes() || slowed) return {};
    const double pressure = static_cast<double>(backlog - backlog_soft_bytes()) /
                            static_cast<double>(options_.backlog_hard_bytes - backlog_soft_bytes());
    slowed = true;
    room_cv_.wait_for(mutex_, kLongestSlowDown * (pressure * pressure));
  }
}

// Why there is no sense in waiting for room; 0 when there is.
int Journal::refusal() const {
  if (poisoned_.load() != 0) return EIO;  // also where it was for want of room: that does not mend it any more
  const bool patient = backlog_bytes() > 0 && std::chrono::steady_clock::now() - low_since_ < kLowPatience;
  if (low_.load() && !patient) return ENOSPC;
  if (reserved_bytes_.load() > available_bytes_.load() && prepare_error_ != 0) return prepare_error_;
  return backlog_bytes() >= options_.backlog_hard_bytes ? history_error_.load() : 0;
}

bool Journal::must_wait() const {
  return low_.load() || reserved_bytes_.load() > available_bytes_.load() || backlog_bytes() >= options_.backlog_hard_bytes;
}

// Once nobody would be refused any more.
void Journal::forget_refusal() {
  const bool behind = history_error_.load() != 0 && backlog_bytes() >= options_.backlog_hard_bytes;
  if (!low_.load() && prepare_error_ == 0 && poisoned_.load() == 0 && !behind) refused_ = 0;
}

void Journal::check_disk() {
  mutex_.unlock();
  const Result<uint64_t> free = io_.free_bytes(options_.directory);
  mutex_.lock();
  if (free.ok()) free_bytes_.store(*free);
  const bool low = free.ok() && *free < options_.min_free_bytes;
  if (low && !low_.load()) low_since_ = std::chrono::steady_clock::now();
  low_.store(low);
}

// Makes the next segment while the current one fills, and looks at the disk now and then.
void Journal::prepare_loop() {
  const MutexLock lock(mutex_);
  while (!stopping_) {
    check_disk();
    if (stopping_) return;
    forget_refusal();
    if (!(wants_spare() || prepare_error_ != 0) || low_.load()) {
      prepare_cv_.wait_for(mutex_, kCheckDisk);
      continue;
    }
    const std::string path = options_.directory + "/spare-" + std::to_string(++spare_number_);
    mutex_.unlock();
    Outcome<SegmentPtr> spare = create_spare(io_, path);
    mutex_.lock();
    if (spare.ok()) {
      prepare_error_ = 0;
      spares_.push_back(std::move(*spare));
      update_available();
      room_cv_.notify_all();
    } else {
      prepare_error_ = spare.failure().error;
      room_cv_.notify_all();
      prepare_cv_.wait_for(mutex_, kCheckDisk);
    }
  }
}

}  // namespace rewindfs::journal

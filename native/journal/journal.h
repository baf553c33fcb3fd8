// The journal of one store: segments on disk, one writer (this process), any number of reading calls.
//
// Guarantees, beside the Recorder's: nothing is appended before open() succeeded; open() changes nothing when it fails;
// a record is readable once append returned; release never deletes a record above its seq, nor the newest segment.
//
// Lock order: sync_mutex_ before mutex_. Neither is held during fdatasync, fallocate or a read.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "journal/chain.h"
#include "journal/recorder.h"
#include "journal/segment.h"
#include "journal/sync_mark.h"
#include "os/failure.h"
#include "os/file_io.h"
#include "os/mutex.h"

namespace rewindfs::journal {

struct Options {
  std::string directory;
  StoreId store_id{};
  uint64_t next_seq = 1;
  unsigned sync_interval_ms = 1000;
  uint64_t backlog_hard_bytes = 2ull << 30;  // of records not yet in history: writers wait
  uint64_t min_free_bytes = 256ull << 20;
  bool read_only = false;
  std::string boot_id = this_boot();
};

struct Opened {
  uint64_t first_seq;
  uint64_t last_seq;
  uint64_t cut_bytes;
  Stranded stranded;  // records that the disk had, but for some before them
  std::string kept;   // where they are now; empty when nothing is changed
};

struct Appended {
  uint64_t seq;
  uint64_t time_ns;
};

struct Stats {
  uint64_t first_seq, last_seq, released_seq, synced_seq, segments, backlog_bytes, backlog_hard_bytes, appended_bytes, syncs;
  uint64_t free_bytes;  // of the disk, as the preparer saw it last; UINT64_MAX while nobody has looked
  int failed;           // errno of what poisoned the journal, 0 when all is well
  int refused;          // errno because of which changes are refused for now, 0 when they are not
  Gap gap;
};

class Journal final : public Recorder {
 public:
  explicit Journal(Options options, FileIo& io = FileIo::system());
  ~Journal() override;

  Outcome<Opened> open();
  // Ends the threads after a last sync. Appends that come later fail with ESHUTDOWN.
  Outcome<Done> close();

  Result<Reservation> reserve(uint64_t payload_bytes, unsigned records, const volatile bool* interrupted) override;
  Result<uint64_t> append(const Draft& draft) override;
  Result<void> sync() override;
  void begin_sync() override;
  Result<Appended> append_timed(const Draft& draft) EXCLUDES(mutex_);

  // gap.cc. What becomes of a change that cannot be recorded: it fails (false, the default), or it is made, and nothing is
  // recorded from there on until resume(). Turning it off ends no gap that is there.
  void work_first(bool on) { work_first_.store(on); }
  Gap gap() override EXCLUDES(mutex_);
  // Fails with EBUSY while not all that was recorded is released.
  Outcome<Done> make_ready() override EXCLUDES(mutex_, sync_mutex_);
  Result<uint64_t> resume(const Draft& first) override EXCLUDES(mutex_, sync_mutex_);

  // Whole records from from_seq on, checked again, at most max_bytes but at least one; empty at the end.
  Outcome<std::vector<std::byte>> read(uint64_t from_seq, uint64_t max_bytes) EXCLUDES(mutex_);
  Outcome<Done> release(uint64_t seq) EXCLUDES(mutex_);
  // Nothing is released for now, because of this errno (0: it goes on): who meets the hard limit is not to wait for it.
  void history_stands(int error) { history_error_.store(error); }

  uint64_t last_seq() const { return last_seq_.load(std::memory_order_acquire); }
  uint64_t synced_seq() const { return synced_seq_.load(std::memory_order_acquire); }
  Stats stats() EXCLUDES(mutex_);
  // Called after each append, under the journal's lock: must be quick and not call back.
  void on_append(std::function<void()> callback) EXCLUDES(mutex_);

 private:
  using SegmentPtr = std::shared_ptr<Segment>;

  void give_back(uint64_t bytes) override;

  // recovery.cc
  Outcome<Done> expect_torn(const Chain& chain) const;
  Outcome<Done> cut_end(Chain& chain, Opened& opened) EXCLUDES(mutex_);
  Outcome<SegmentPtr> start_segment(uint64_t first_seq, uint64_t last_time_ns) EXCLUDES(mutex_);
  Outcome<Opened> adopt(std::vector<SegmentPtr> chain, const ScanEnd& end, Opened opened) EXCLUDES(mutex_);

  // append.cc
  Result<Appended> append_encoded(Encoded& encoded, const Draft& draft) REQUIRES(mutex_);
  Result<void> rotate() REQUIRES(mutex_);
  Result<void> write_record(Encoded& encoded, const Draft& draft) REQUIRES(mutex_);
  void poison(int error) REQUIRES(mutex_);
  uint64_t now_ns() const REQUIRES(mutex_);

  // gap.cc
  // Either that error, or a gap begins, or goes on.
  Result<void> unrecorded(int error) REQUIRES(mutex_);
  Result<Appended> unwritable(int error) REQUIRES(mutex_);
  Result<Appended> not_written() REQUIRES(mutex_);
  Result<void> goes_on_unrecorded() EXCLUDES(mutex_);  // sync.cc
  void await_syncs() EXCLUDES(mutex_, sync_mutex_);
  void begin_anew() REQUIRES(sync_mutex_, mutex_);

  // space.cc
  Result<void> wait_for_room(const volatile bool* interrupted) EXCLUDES(mutex_);
  int refusal() const REQUIRES(mutex_);
  bool must_wait() const REQUIRES(mutex_);
  void forget_refusal() REQUIRES(mutex_);
  void update_available() REQUIRES(mutex_);
  // Lets go of the lock meanwhile: a disk that hangs holds up nobody but who asks.
  void check_disk() REQUIRES(mutex_);
  // Above it writers are slowed down, so that they do not all stop at the limit.
  uint64_t backlog_soft_bytes() const { return options_.backlog_hard_bytes / 4 * 3; }
  uint64_t backlog_bytes() const {
    return appended_bytes_.load(std::memory_order_relaxed) - released_bytes_.load(std::memory_order_relaxed);
  }
  void prepare_loop() EXCLUDES(mutex_);
  bool wants_spare() const REQUIRES(mutex_);

  // sync.cc
  void sync_loop() EXCLUDES(mutex_, sync_mutex_);
  Result<uint64_t> sync_now() EXCLUDES(mutex_);
  Result<void> name_segment(Segment& segment) EXCLUDES(mutex_);

  // read.cc
  struct Place {
    SegmentPtr segment;
    uint64_t seq = 0;
    uint64_t offset = 0;
    uint64_t end = 0;
  };
  Outcome<Place> find_place(uint64_t seq) EXCLUDES(mutex_);
  Failure corrupt_record(const Segment& segment, uint64_t offset, uint64_t seq) EXCLUDES(mutex_);
  Outcome<Done> delete_released() EXCLUDES(mutex_);

  const Options options_;
  FileIo& io_;
  UniqueFd marks_fd_;  // of whoever syncs

  Mutex mutex_;
  std::deque<SegmentPtr> segments_ GUARDED_BY(mutex_);  // oldest first; the last one is written
  std::deque<SegmentPtr> spares_ GUARDED_BY(mutex_);
  std::vector<SegmentPtr> unsynced_ GUARDED_BY(mutex_);  // rotated away from, not yet on stable storage
  uint64_t last_time_ns_ GUARDED_BY(mutex_) = 0;
  uint64_t spare_number_ GUARDED_BY(mutex_) = 0;
  uint64_t cursor_seq_ GUARDED_BY(mutex_) = 0;  // where the last read ended
  uint64_t cursor_offset_ GUARDED_BY(mutex_) = 0;
  uint64_t cursor_segment_ GUARDED_BY(mutex_) = 0;  // its first seq
  uint64_t released_seq_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  Gap gap_ GUARDED_BY(mutex_);
  SegmentPtr ready_ GUARDED_BY(mutex_);    // what is written first after a gap
  UniqueFd ready_marks_ GUARDED_BY(mutex_);
  int prepare_error_ GUARDED_BY(mutex_) = 0;
  int refused_ GUARDED_BY(mutex_) = 0;
  uint64_t opened_bytes_ GUARDED_BY(mutex_) = 0;
  std::chrono::steady_clock::time_point low_since_ GUARDED_BY(mutex_);
  std::function<void()> on_append_ GUARDED_BY(mutex_);
  CondVar prepare_cv_;  // the preparer waits
  CondVar room_cv_;     // reservations wait

  Mutex sync_mutex_;
  bool syncing_ GUARDED_BY(sync_mutex_) = false;
  bool sync_stopping_ GUARDED_BY(sync_mutex_) = false;
  CondVar sync_done_cv_;
  CondVar sync_wake_cv_;

  std::atomic<uint64_t> last_seq_{0};
  std::atomic<uint64_t> synced_seq_{0};
  std::atomic<uint64_t> reserved_bytes_{0};
  std::atomic<uint64_t> available_bytes_{0};  // what records may still take without a new segment
  std::atomic<uint64_t> appended_bytes_{0};   // of records in segments, since open
  std::atomic<uint64_t> released_bytes_{0};
  std::atomic<uint64_t> syncs_{0};
  std::atomic<bool> open_{false};
  std::atomic<int> poisoned_{0};  // errno of the write or fdatasync after which nothing can be promised
  std::atomic<int> history_error_{0};
  std::atomic<bool> sync_asked_{false};
  std::atomic<uint64_t> free_bytes_{UINT64_MAX};
  std::atomic<bool> work_first_{false};
  std::atomic<bool> in_gap_{false};  // gap_.error != 0
  std::atomic<bool> low_{false};  // the disk has less than min_free_bytes

  std::thread preparer_;
  std::thread syncer_;
};

}  // namespace rewindfs::journal

// What the engine knows of the journal: reserve, apply to the backing directory, append.
//
// Guarantees: append returns only after the whole record is in the segment file (page cache; sync makes it durable),
// so that a SIGKILL at any instruction afterwards loses nothing. seq is contiguous, time never decreases. Records
// become readable in the order of their seq. All methods may be called from any thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "journal/format.h"
#include "os/failure.h"
#include "os/result.h"

namespace rewindfs::journal {

// The seq of a record that was not written, while the tree goes on without (Recorder::gap).
inline constexpr uint64_t kUnrecorded = 0;

// Since when, and why, changes of the tree are not recorded.
struct Gap {
  int error = 0;  // errno; 0: everything is recorded
  uint64_t since_ns = 0;
  uint64_t records = 0;  // that were not written
};

// A record before it has seq, time and checksums. Pointers are borrowed for the call only.
struct Draft {
  Kind kind{};
  uint16_t flags = 0;
  uint32_t aux = 0;
  uint64_t writer = 0;
  uint64_t save = 0;
  uint64_t ino = 0;
  uint64_t parent = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  const Attr* attr = nullptr;
  const Attr* parent_attr = nullptr;
  const InoAttr* parent2 = nullptr;
  const InoAttr* target = nullptr;
  std::string_view name;
  std::string_view name2;
  std::span<const std::byte> payload;  // at most kMaxPayloadBytes
};

// Space in the journal held for records that are not written yet; gives back what was not used when it goes.
class Recorder;
class Reservation {
 public:
  Reservation() = default;
  Reservation(Recorder* recorder, uint64_t bytes) : recorder_(recorder), bytes_(bytes) {}
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation();

 private:
  Recorder* recorder_ = nullptr;
  uint64_t bytes_ = 0;
};

class Recorder {
 public:
  virtual ~Recorder() = default;

  // Waits while the backlog is above the hard limit (or the store's disk is too full for a while). ENOSPC when the
  // store has no room: the caller answers that and changes nothing. EINTR when `interrupted` becomes true.
  // payload_bytes: the sum of the payloads of the `records` records that will follow.
  virtual Result<Reservation> reserve(uint64_t payload_bytes, unsigned records = 1,
                                      const volatile bool* interrupted = nullptr) = 0;

  // Resolves to the record's seq. Fails only when the segment file itself cannot be written although space was
  // reserved (EIO): from then on every reserve fails with EIO, so that nothing unrecorded is ever acknowledged.
  virtual Result<uint64_t> append(const Draft& draft) = 0;

  // Returns after everything appended before the call is on stable storage (group commit with concurrent callers).
  virtual Result<void> sync() = 0;
  // Starts that on another thread: somebody will call sync(), and has other things to wait for meanwhile.
  virtual void begin_sync() = 0;

  virtual Gap gap() { return {}; }
  // All that ending a gap needs and that may take long, or fail; until resume() nothing is recorded nevertheless.
  virtual Outcome<Done> make_ready() { return Done{}; }
  // Ends a gap: `first` is its first record, and what is appended from now on is written. kUnrecorded: it could not be
  // written, and the gap goes on. Nobody may hold a reservation that he is going to append with, but for the end of a save.
  virtual Result<uint64_t> resume(const Draft& first) { return append(first); }

 protected:
  friend class Reservation;
  virtual void give_back(uint64_t bytes) = 0;
};

inline Reservation::Reservation(Reservation&& other) noexcept : recorder_(other.recorder_), bytes_(other.bytes_) {
  other.recorder_ = nullptr;
}
inline Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    if (recorder_) recorder_->give_back(bytes_);
    recorder_ = other.recorder_;
    bytes_ = other.bytes_;
    other.recorder_ = nullptr;
  }
  return *this;
}
inline Reservation::~Reservation() {
  if (recorder_) recorder_->give_back(bytes_);
}

}  // namespace rewindfs::journal

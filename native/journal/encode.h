// Draft -> bytes of a record, and the check of such bytes. No allocation: the head, sections and names go into a fixed
// buffer, the payload stays where it is.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "journal/format.h"
#include "journal/recorder.h"

namespace rewindfs::journal {

inline constexpr size_t kMaxNameBytes = 255;  // of a file or an extended attribute
inline constexpr size_t kMaxFrontBytes =
    sizeof(RecordHead) + 2 * sizeof(Attr) + 2 * sizeof(InoAttr) + 2 * (kMaxNameBytes + 1) + kRecordAlignment;
inline constexpr size_t kMaxRecordBytes = (kMaxFrontBytes + kMaxPayloadBytes + 2 * kRecordAlignment) & ~size_t{7};

// A record but for what only the journal's lock can give it: seq, time and the head's checksum.
class Encoded {
 public:
  // EINVAL when a name or the payload is longer than the format allows.
  Result<void> encode(const Draft& draft);

  // Call with the final seq and time; the front is then ready to be written.
  void seal(uint64_t seq, uint64_t time_ns);
  uint32_t size() const { return size_; }
  std::span<std::byte> front() { return {front_.data(), front_bytes_}; }
  size_t padding() const { return padding_; }  // zero bytes after the payload

 private:
  alignas(8) std::array<std::byte, kMaxFrontBytes> front_;
  size_t front_bytes_ = 0;
  uint32_t size_ = 0;
  size_t padding_ = 0;
};

// What lies at the start of `bytes`.
enum class Found {
  kRecord,    // a whole record with both checksums right
  kEnd,       // size 0: nothing was written here
  kShort,     // a plausible record goes on beyond `bytes`
  kBroken,    // not a record, or a wrong checksum
};
struct Parsed {
  Found found;
  RecordHead head;
};
Parsed parse_record(std::span<const std::byte> bytes);

}  // namespace rewindfs::journal

// One segment file and what is known of it in memory.
//
// A segment is made under the name spare-<n> and keeps it until everything before it is on stable storage; only then is
// it renamed to its first seq. So a .seg file never follows one with a torn tail, whatever a crash of the machine left.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "journal/encode.h"
#include "journal/format.h"
#include "os/failure.h"
#include "os/file_io.h"
#include "os/unique_fd.h"

namespace rewindfs::journal {

using StoreId = std::array<uint8_t, 16>;

// Records are found again from marks, one about every kMarkBytes.
inline constexpr uint64_t kMarkBytes = 256u << 10;

struct Mark {
  uint64_t seq;
  uint64_t offset;
};

// The journal's lock guards all but fd and first_seq, which never change once the segment is in use.
struct Segment {
  UniqueFd fd;
  std::string path;
  uint64_t first_seq = 0;
  uint64_t created_ns = 0;
  uint64_t end = sizeof(SegmentHead);  // where the next record goes
  uint64_t base = 0;                   // bytes of records in all segments before this one, since open
  bool named = false;                  // has its .seg name
  std::vector<Mark> marks;

  void mark(uint64_t seq, uint64_t offset) {
    if (marks.empty() || offset - marks.back().offset >= kMarkBytes) marks.push_back({seq, offset});
  }
};

std::string segment_name(uint64_t first_seq);
// false when the name is not that of a segment.
bool parse_segment_name(const std::string& name, uint64_t& first_seq);
bool is_spare_name(const std::string& name);

// A preallocated file without a head. A failure leaves no file behind.
Outcome<std::shared_ptr<Segment>> create_spare(FileIo& io, const std::string& path);
Result<void> write_head(FileIo& io, Segment& segment, const StoreId& store, uint64_t first_seq, uint64_t now_ns);
// Opens and checks the head: ERR_STORE_FORMAT for a newer version, ERR_JOURNAL_CORRUPT for anything else that is wrong.
Outcome<std::shared_ptr<Segment>> open_segment(FileIo& io, const std::string& path, const StoreId& store, int flags);

// How a scan ended: at `offset`, before which everything is whole.
struct ScanEnd {
  uint64_t offset;
  uint64_t next_seq;
  uint64_t last_time_ns;  // 0 when there was no record
  Found found;            // kEnd: nothing follows
};

// Reads whole records from `from` on, which must be the start of the record `seq`, up to `limit`. `visit` gets each one
// with its offset; false ends the scan there. Fails only with an I/O error.
using Visit = std::function<bool(const RecordHead&, std::span<const std::byte> record, uint64_t offset)>;
Outcome<ScanEnd> scan_records(FileIo& io, const Segment& segment, uint64_t from, uint64_t seq, uint64_t limit,
                              const Visit& visit);

}  // namespace rewindfs::journal

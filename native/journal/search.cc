#include "journal/search.h"

#include <algorithm>
#include <cstring>

namespace rewindfs::journal {
namespace {

constexpr uint64_t kStepBytes = 2u << 20;  // looked through at a time; a record may begin at its end
static_assert(kStepBytes % kRecordAlignment == 0);

bool may_follow(std::span<const std::byte> bytes, const ScanEnd& end, uint64_t offset) {
  uint32_t size = 0;
  uint64_t seq = 0;
  std::memcpy(&size, bytes.data(), sizeof size);
  std::memcpy(&seq, bytes.data() + offsetof(RecordHead, seq), sizeof seq);
  if (size < sizeof(RecordHead) || size > bytes.size() || seq <= end.next_seq) return false;
  if (seq - end.next_seq > (offset - end.offset) / sizeof(RecordHead)) return false;
  const Parsed parsed = parse_record(bytes);
  return parsed.found == Found::kRecord && parsed.head.time_ns >= end.last_time_ns;
}

}  // namespace

Outcome<Later> find_later(FileIo& io, const Segment& segment, const ScanEnd& end, uint64_t limit) {
  const auto fail = [&segment](int error, const char* call, uint64_t at) {
    return Failure{error, call, segment.path, {}, {}, static_cast<int64_t>(at)};
  };
  std::vector<std::byte> buffer;
  for (uint64_t at = end.offset; at + sizeof(RecordHead) <= limit; at += kStepBytes) {
    const Result<uint64_t> data = io.next_data(segment.fd.get(), at);
    if (!data.ok()) return fail(data.error(), "lseek", at);
    if (*data >= limit) break;
    at = std::max(at, *data & ~uint64_t{kRecordAlignment - 1});
    buffer.resize(std::min<uint64_t>(kStepBytes + kMaxRecordBytes, limit - at));
    if (const auto got = read_all(io, segment.fd.get(), buffer.data(), buffer.size(), at); !got.ok()) {
      return fail(got.error(), "read", at);
    }
    const std::span<const std::byte> bytes(buffer);
    for (size_t here = 0; here < kStepBytes && here + sizeof(RecordHead) <= buffer.size(); here += kRecordAlignment) {
      if (!may_follow(bytes.subspan(here), end, at + here)) continue;
      uint64_t seq = 0;
      std::memcpy(&seq, buffer.data() + here + offsetof(RecordHead, seq), sizeof seq);
      return Later{seq, at + here};
    }
  }
  return Later{};
}

}  // namespace rewindfs::journal

#include "journal/segment.h"

#include <fcntl.h>

#include <cstddef>
#include <cstdio>
#include <cstring>

#include "journal/crc32c.h"

namespace rewindfs::journal {
namespace {

constexpr size_t kScanBytes = 2u << 20;  // above the longest record
static_assert(kScanBytes > kMaxRecordBytes);

uint32_t head_crc(SegmentHead head) {
  head.crc = 0;
  return crc32c(0, &head, sizeof head);
}

Failure corrupt(const std::string& path, uint64_t offset, std::string detail) {
  return {EBADMSG, "read", path, "ERR_JOURNAL_CORRUPT", std::move(detail), static_cast<int64_t>(offset)};
}

}  // namespace

std::string segment_name(uint64_t first_seq) {
  char name[32];
  std::snprintf(name, sizeof name, "%016llx.seg", static_cast<unsigned long long>(first_seq));
  return name;
}

bool parse_segment_name(const std::string& name, uint64_t& first_seq) {
  unsigned long long value = 0;
  if (name.size() != 20 || std::sscanf(name.c_str(), "%16llx.seg", &value) != 1) return false;
  first_seq = value;
  return segment_name(first_seq) == name;
}

bool is_spare_name(const std::string& name) { return name.starts_with("spare-"); }

Outcome<std::shared_ptr<Segment>> create_spare(FileIo& io, const std::string& path) {
  Result<UniqueFd> fd = io.open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (!fd.ok()) return Failure{fd.error(), "open", path};
  const Result<void> allocated = io.allocate(fd->get(), kSegmentBytes);
  if (!allocated.ok()) {
    (void)io.unlink(path);
    return Failure{allocated.error(), "fallocate", path};
  }
  auto segment = std::make_shared<Segment>();
  segment->fd = std::move(*fd);
  segment->path = path;
  segment->marks.reserve(kSegmentBytes / kMarkBytes + 1);
  return segment;
}

Result<void> write_head(FileIo& io, Segment& segment, const StoreId& store, uint64_t first_seq, uint64_t now_ns) {
  SegmentHead head{};
  std::memcpy(head.magic, kSegmentMagic, sizeof head.magic);
  head.version = kFormatVersion;
  std::memcpy(head.store_id, store.data(), store.size());
  head.first_seq = first_seq;
  head.created_ns = now_ns;
  head.crc = head_crc(head);
  iovec part{&head, sizeof head};
  segment.first_seq = first_seq;
  segment.created_ns = now_ns;
  return write_all(io, segment.fd.get(), &part, 1, 0);
}

Outcome<std::shared_ptr<Segment>> open_segment(FileIo& io, const std::string& path, const StoreId& store, int flags) {
  Result<UniqueFd> fd = io.open(path, flags, 0);
  if (!fd.ok()) return Failure{fd.error(), "open", path};
  SegmentHead head{};
  const Result<void> read = read_all(io, fd->get(), &head, sizeof head, 0);
  if (read.error() == ENODATA) return corrupt(path, 0, "the segment is shorter than its head");
  if (!read.ok()) return Failure{read.error(), "read", path, {}, {}, 0};
  if (std::memcmp(head.magic, kSegmentMagic, sizeof head.magic) != 0) {
    return corrupt(path, 0, "not a segment: its magic is not RWNDSEG1");
  }
  if (head.version > kFormatVersion) {
    return Failure{ENOTSUP, "open", path, "ERR_STORE_FORMAT",
                   "the segment has format version " + std::to_string(head.version) + ", this program knows up to " +
                       std::to_string(kFormatVersion)};
  }
  if (head.crc != head_crc(head)) return corrupt(path, 12, "the checksum of the segment's head is wrong");
  if (std::memcmp(head.store_id, store.data(), store.size()) != 0) {
    return corrupt(path, 16, "the segment belongs to another store");
  }
  auto segment = std::make_shared<Segment>();
  segment->fd = std::move(*fd);
  segment->path = path;
  segment->first_seq = head.first_seq;
  segment->created_ns = head.created_ns;
  segment->marks.reserve(kSegmentBytes / kMarkBytes + 1);
  return segment;
}

Outcome<ScanEnd> scan_records(FileIo& io, const Segment& segment, uint64_t from, uint64_t seq, uint64_t limit,
                              const Visit& visit) {
  ScanEnd end{from, seq, 0, Found::kEnd};
  std::vector<std::byte> buffer(kScanBytes);
  uint64_t buffer_offset = from;
  size_t filled = 0;
  while (end.offset + sizeof(uint32_t) <= limit) {
    const std::span<const std::byte> rest(buffer.data() + (end.offset - buffer_offset),
                                          filled - (end.offset - buffer_offset));
    const Parsed parsed = parse_record(rest);
    if (parsed.found == Found::kShort && buffer_offset + filled < limit) {
      std::memmove(buffer.data(), rest.data(), rest.size());
      filled = rest.size();
      buffer_offset = end.offset;
      const size_t want = std::min<uint64_t>(kScanBytes - filled, limit - buffer_offset - filled);
      const Result<size_t> got = io.pread(segment.fd.get(), buffer.data() + filled, want, buffer_offset + filled);
      if (!got.ok()) {
        return Failure{got.error(), "read", segment.path, {}, {}, static_cast<int64_t>(buffer_offset + filled)};
      }
      if (*got == 0) limit = buffer_offset + filled;
      filled += *got;
      continue;
    }
    if (parsed.found != Found::kRecord || parsed.head.seq != end.next_seq) {
      end.found = parsed.found == Found::kEnd ? Found::kEnd : Found::kBroken;
      return end;
    }
    if (!visit(parsed.head, rest.first(parsed.head.size), end.offset)) return end;
    end.offset += parsed.head.size;
    end.last_time_ns = parsed.head.time_ns;
    ++end.next_seq;
  }
  return end;
}

}  // namespace rewindfs::journal

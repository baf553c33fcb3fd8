// Segments as no journal would write them, with checksums that are right: whatever lies on the disk, a journal is refused by name or
// is read to its end, and what it holds stays when it is gone on with.
//
// The input is a row of pieces: what it is (u8), then
//   0: a record: size of its payload (u16), kind (u16), flags (u16), offset (u64)
//   1: bytes: how many (u16), these
//   2: zeroes: how many (u16)
//   3: the next segment: what its first seq differs by from the right one (i8)
//   4: the next record has a seq that differs so much from the right one (i8)
//   5: a record whose head is such bytes (RecordHead), with checksums that are right
#include <fcntl.h>

#include <filesystem>
#include <fstream>

#include "input.h"
#include "journal/crc32c.h"
#include "journal/encode.h"
#include "units/journal_fixture.h"

namespace rewindfs::test {
namespace {

using namespace journal;

// A disk that is there at once, and takes no room.
class QuickIo final : public FileIo {
 public:
  Result<void> allocate(int fd, uint64_t bytes) override {
    if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) return last_errno();
    return {};
  }
  Result<void> fdatasync(int) override { return {}; }
  Result<void> fsync(int) override { return {}; }
};

class Disk {
 public:
  explicit Disk(const Options& options) : options_(options) { next_segment(0); }

  void add_next(Input& input) {
    switch (input.take<uint8_t>() % 6) {
      case 0: return add_record(input);
      case 1: return put(input.take_bytes(input.take<uint16_t>()));
      case 2: return put(std::string(input.take<uint16_t>(), '\0'));
      case 3: return next_segment(input.take<int8_t>());
      case 4: astray_ = input.take<int8_t>(); return;
      default: return add_head(input);
    }
  }

 private:
  void next_segment(int64_t difference) {
    if (segment_) end_segment();
    const uint64_t first_seq = next_seq_ + static_cast<uint64_t>(difference);
    auto made = create_spare(io_, options_.directory + "/" + segment_name(first_seq));
    if (!made.ok()) return;  // there already
    segment_ = *made;
    next_seq_ = first_seq;
    CHECK(write_head(io_, *segment_, options_.store_id, first_seq, 1).ok());
  }

  void end_segment() { segment_.reset(); }

  void put(std::string_view bytes) {
    if (!segment_ || segment_->end + bytes.size() > kSegmentBytes) return;
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    if (!bytes.empty()) CHECK(write_all(io_, segment_->fd.get(), &part, 1, segment_->end).ok());
    segment_->end += bytes.size();
  }

  void add_record(Input& input) {
    const std::string payload(input.take<uint16_t>(), 'x');
    Draft draft;
    draft.kind = static_cast<Kind>(input.take<uint16_t>());
    draft.flags = input.take<uint16_t>();
    draft.offset = input.take<uint64_t>();
    draft.payload = bytes_of(payload);
    Encoded encoded;
    CHECK(encoded.encode(draft).ok());
    encoded.seal(next_seq_ + static_cast<uint64_t>(std::exchange(astray_, 0)), 1);
    ++next_seq_;
    put({reinterpret_cast<const char*>(encoded.front().data()), encoded.front().size()});
    put(payload);
    put(std::string(encoded.padding(), '\0'));
  }

  void add_head(Input& input) {
    auto head = input.take<RecordHead>();
    std::string bytes(head.size <= 2 * kMaxRecordBytes ? std::max<size_t>(head.size, sizeof head) : sizeof head, 'x');
    head.seq = next_seq_++;
    const size_t payload_bytes = std::min<size_t>(head.payload_bytes, bytes.size() - sizeof head);
    const size_t front_bytes = std::max(sizeof head, bytes.size() - (payload_bytes + 7) / 8 * 8);
    head.payload_crc = payload_bytes ? crc32c(0, bytes.data() + front_bytes, std::min(payload_bytes, bytes.size() - front_bytes)) : 0;
    std::memcpy(bytes.data(), &head, sizeof head);
    head.crc = crc32c(crc32c(0, bytes.data(), 4), bytes.data() + 8, front_bytes - 8);
    std::memcpy(bytes.data(), &head, sizeof head);
    put(bytes);
  }

  const Options& options_;
  QuickIo io_;
  std::shared_ptr<Segment> segment_;
  uint64_t next_seq_ = 1;
  int64_t astray_ = 0;
};

void go_on(const Options& options) {
  QuickIo io;
  uint64_t last = 0;
  {
    Journal journal(options, io);
    if (!journal.open().ok()) return;
    last = append(journal, "goes on");
    CHECK_EQ(read_records(journal, options.next_seq).size(), last - options.next_seq + 1);
    CHECK(journal.close().ok());
  }
  Journal again(options, io);
  auto opened = again.open();
  CHECK(opened.ok());
  CHECK_EQ(opened->last_seq, last);
}

}  // namespace
}  // namespace rewindfs::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rewindfs::test;
  const TempDirectory directory;
  auto options = options_for(directory / "journal");
  std::filesystem::create_directory(options.directory);
  Input input(data, size);
  options.next_seq = 1 + input.take<uint8_t>();
  options.boot_id = input.take<uint8_t>() % 2 ? "this" : "";
  {
    Disk disk(options);
    while (!input.empty()) disk.add_next(input);
  }
  options.read_only = true;
  QuickIo io;
  {
    Journal looked_at(options, io);
    auto opened = looked_at.open();
    if (opened.ok() && opened->last_seq >= opened->first_seq) {
      for (uint64_t seq = opened->first_seq; seq <= opened->last_seq;) {
        auto bytes = looked_at.read(seq, 64 << 10);
        if (!bytes.ok() || bytes->empty()) break;
        for (size_t at = 0; at < bytes->size(); ++seq) {
          rewindfs::journal::RecordHead head{};
          std::memcpy(&head, bytes->data() + at, sizeof head);
          at += head.size;
        }
      }
    }
  }
  options.read_only = false;
  go_on(options);
  return 0;
}

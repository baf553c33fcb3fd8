// The journal when things go wrong: torn tails, damage, failing writes.

#include "faulty_io.h"
#include "journal_fixture.h"

namespace rewindfs::test {
namespace {

using journal::Journal;
using namespace std::chrono_literals;

const std::string kMegabyte(1 << 20, 'm');
constexpr uint64_t kSmallRecord = 96 + 8;  // no sections, no names, a payload of 6 bytes

std::string segment_path(const TempDirectory& store, uint64_t first_seq = 1) {
  return store / ("journal/" + journal::segment_name(first_seq));
}

// As if the process had been killed before it synced.
void forget_sync(const TempDirectory& store, const std::string& boot = journal::this_boot()) {
  auto fd = journal::open_marks(FileIo::system(), store / "journal");
  CHECK(fd.ok());
  CHECK(journal::write_mark(FileIo::system(), fd->get(), options_for("").store_id, boot, 0).ok());
}

void make_small_journal(const TempDirectory& store, int records) {
  Journal journal(options_for(store / "journal"));
  CHECK(journal.open().ok());
  for (int i = 0; i < records; ++i) append(journal, "record");
  CHECK(journal.close().ok());
  forget_sync(store);
}

void check_cut(const TempDirectory& store, uint64_t whole_records) {
  forget_sync(store);
  Journal journal(options_for(store / "journal"));
  auto opened = journal.open();
  CHECK(opened.ok());
  CHECK_EQ(opened->last_seq, whole_records);
  CHECK(opened->cut_bytes > 0);
  CHECK_EQ(append(journal, "record"), whole_records + 1);
  CHECK_EQ(read_records(journal, 1).size(), whole_records + 1);
}

TEST("a tail torn at any byte of the last record is cut at the last whole one") {
  const TempDirectory store;
  make_small_journal(store, 3);
  const std::string path = segment_path(store);
  const std::string good = read_file(path, 64 + 3 * kSmallRecord);
  for (size_t kept = 1; kept < kSmallRecord - 2; ++kept) {  // the last two bytes are padding: zero either way
    std::string torn = good.substr(0, 64 + 2 * kSmallRecord + kept) + std::string(kSmallRecord - kept, '\0');
    if (torn == good) continue;
    overwrite(path, 0, torn + std::string(2 * kSmallRecord, '\0'));
    check_cut(store, 2);
  }
}

TEST("any flipped byte of the last record is noticed") {
  const TempDirectory store;
  make_small_journal(store, 3);
  const std::string path = segment_path(store);
  const std::string good = read_file(path, 64 + 3 * kSmallRecord);
  for (size_t at = 0; at < kSmallRecord - 2; ++at) {
    std::string flipped = good;
    flipped[64 + 2 * kSmallRecord + at] ^= 0x40;
    overwrite(path, 0, flipped + std::string(2 * kSmallRecord, '\0'));
    check_cut(store, 2);
  }
}

TEST("what lies behind a torn record and is no record is zeroed, so that it never comes back") {
  const TempDirectory store;
  make_small_journal(store, 3);
  const std::string path = segment_path(store);
  overwrite(path, 64 + 2 * kSmallRecord + 30, "damage");
  overwrite(path, 40u << 20, "far behind");
  check_cut(store, 2);
  const std::string after = read_file(path);
  CHECK_EQ(after.find_first_not_of('\0', 64 + 3 * kSmallRecord), std::string::npos);
}

TEST("a flipped byte of the segment's head is an error that changes nothing") {
  const TempDirectory store;
  make_small_journal(store, 2);
  const std::string path = segment_path(store);
  const std::string good = read_file(path, 4096);
  for (size_t at = 0; at < sizeof(journal::SegmentHead); ++at) {
    std::string flipped(1, static_cast<char>(good[at] ^ 1));
    overwrite(path, at, flipped);
    const std::string before = read_file(path, 4096);
    Journal journal(options_for(store / "journal"));
    auto opened = journal.open();
    CHECK(!opened.ok());
    CHECK_EQ(opened.failure().path, path);
    CHECK(opened.failure().code == "ERR_JOURNAL_CORRUPT" || (at >= 8 && at < 12 && opened.failure().code == "ERR_STORE_FORMAT"));
    CHECK(read_file(path, 4096) == before);
    overwrite(path, at, good.substr(at, 1));
  }
}

TEST("a newer format and another store are refused by name") {
  const TempDirectory store;
  make_small_journal(store, 2);
  journal::Options options = options_for(store / "journal");
  options.store_id.fill(8);
  Journal other(options);
  CHECK_EQ(other.open().failure().code, "ERR_JOURNAL_CORRUPT");
  overwrite(segment_path(store), 8, std::string("\x02", 1));
  Journal journal(options_for(store / "journal"));
  CHECK_EQ(journal.open().failure().code, "ERR_STORE_FORMAT");
}

struct ThreeSegments {
  ThreeSegments() {
    Journal journal(options_for(store / "journal"));
    CHECK(journal.open().ok());
    for (int i = 0; i < 150; ++i) append(journal, kMegabyte);
    CHECK(journal.close().ok());
    for (const std::string& name : files_in(store / "journal")) paths.push_back(store / ("journal/" + name));
    CHECK_EQ(paths.size(), 3u);
  }
  TempDirectory store;
  std::vector<std::string> paths;
};

TEST("a break in an older segment is an error with the path and the offset, and changes nothing") {
  const ThreeSegments three;
  const uint64_t offset = 64 + 10 * (96 + (1 << 20));
  overwrite(three.paths[0], offset + 5000, "damage");
  Journal journal(options_for(three.store / "journal"));
  auto opened = journal.open();
  CHECK(!opened.ok());
  CHECK_EQ(opened.failure().code, "ERR_JOURNAL_CORRUPT");
  CHECK_EQ(opened.failure().path, three.paths[0]);
  CHECK_EQ(opened.failure().offset, static_cast<int64_t>(offset));
  CHECK_EQ(files_in(three.store / "journal").size(), 3u);
}

TEST("a missing segment is an error") {
  const ThreeSegments three;
  std::filesystem::remove(three.paths[1]);
  Journal journal(options_for(three.store / "journal"));
  CHECK_EQ(journal.open().failure().code, "ERR_JOURNAL_CORRUPT");
}

TEST("a segment that had not got its name when the process was killed belongs to the journal") {
  const ThreeSegments three;
  std::filesystem::rename(three.paths[2], three.store / "journal/spare-2");
  std::filesystem::rename(three.paths[1], three.store / "journal/spare-1");
  Journal journal(options_for(three.store / "journal"));
  auto opened = journal.open();
  CHECK(opened.ok());
  CHECK_EQ(opened->last_seq, 150u);
  CHECK_EQ(files_in(three.store / "journal").size(), 3u);
  for (const std::string& path : three.paths) CHECK(std::filesystem::exists(path));
}

TEST("after a crash of the machine a torn segment ends the journal, whatever later segment reached the disk") {
  const ThreeSegments three;
  std::filesystem::rename(three.paths[2], three.store / "journal/spare-2");
  std::filesystem::rename(three.paths[1], three.store / "journal/spare-1");
  overwrite(three.paths[0], 64 + 10 * (96 + (1 << 20)) + 5000, "not written");
  forget_sync(three.store, "another boot");
  Journal journal(options_for(three.store / "journal"));
  auto opened = journal.open();
  CHECK(opened.ok());
  CHECK_EQ(opened->last_seq, 10u);
  CHECK_EQ(opened->stranded.first_seq, 12u);
  CHECK_EQ(append(journal, "x"), 11u);
  // The rest of the first segment, and the two others.
  const auto names = files_in(three.store / "journal");
  CHECK_EQ(names.size(), 4u);
  CHECK_EQ(names.at(1), "000000000000000b-1.cut");
  CHECK_EQ(opened->kept, three.store / "journal/000000000000000b.cut");
}

TEST("short writes are completed") {
  const TempDirectory store;
  FaultyIo io;
  Journal journal(options_for(store / "journal"), io);
  CHECK(journal.open().ok());
  io.short_write = 1000;
  append(journal, std::string_view(kMegabyte).substr(0, 50001));
  io.short_write = 0;
  append(journal, "x");
  CHECK_EQ(read_records(journal, 1).size(), 2u);
}

TEST("a write that fails poisons the journal: nothing is acknowledged any more, nothing before is lost") {
  const TempDirectory store;
  FaultyIo io;
  {
    Journal journal(options_for(store / "journal"), io);
    CHECK(journal.open().ok());
    append(journal, "record");
    const auto reservation = journal.reserve(10, 1, nullptr);
    CHECK(reservation.ok());
    io.fail_write = EIO;
    CHECK_EQ(journal.stats().failed, 0);
    CHECK_EQ(journal.append({}).error(), EIO);
    CHECK_EQ(journal.stats().failed, EIO);
    io.fail_write = 0;
    CHECK_EQ(journal.append({}).error(), EIO);
    CHECK_EQ(journal.reserve(10, 1, nullptr).error(), EIO);
    CHECK_EQ(journal.sync().error(), EIO);
    CHECK_EQ(read_records(journal, 1).size(), 1u);
  }
  Journal again(options_for(store / "journal"));
  auto opened = again.open();
  CHECK(opened.ok() && opened->last_seq == 1);
}

TEST("an fdatasync that fails poisons the journal, since the kernel forgets what was dirty") {
  const TempDirectory store;
  FaultyIo io;
  Journal journal(options_for(store / "journal"), io);
  CHECK(journal.open().ok());
  append(journal, "record");
  io.fail_sync = EIO;
  CHECK_EQ(journal.sync().error(), EIO);
  io.fail_sync = 0;
  CHECK_EQ(journal.sync().error(), EIO);
  CHECK_EQ(journal.reserve(1, 1, nullptr).error(), EIO);
}

TEST("an fdatasync that nobody waits for poisons the journal, too, and the stats say so") {
  const TempDirectory store;
  FaultyIo io;
  journal::Options options = options_for(store / "journal");
  options.sync_interval_ms = 5;
  Journal journal(options, io);
  CHECK(journal.open().ok());
  io.fail_sync = ENOSPC;
  append(journal, "record");
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (journal.stats().failed == 0) CHECK(std::chrono::steady_clock::now() < deadline);
  CHECK_EQ(journal.stats().failed, ENOSPC);
  CHECK_EQ(journal.reserve(1, 1, nullptr).error(), EIO);
}

TEST("a read error is told with the path, and the next read works") {
  const TempDirectory store;
  FaultyIo io;
  Journal journal(options_for(store / "journal"), io);
  CHECK(journal.open().ok());
  append(journal, "record");
  io.fail_read = EIO;
  CHECK_EQ(journal.read(1, 100).failure().error, EIO);
  CHECK_EQ(journal.read(1, 100).failure().path, segment_path(store));
  io.fail_read = 0;
  CHECK_EQ(read_records(journal, 1).size(), 1u);
}

TEST("damage under a running journal is found when it is read") {
  const TempDirectory store;
  Journal journal(options_for(store / "journal"));
  CHECK(journal.open().ok());
  for (int i = 0; i < 3; ++i) append(journal, "record");
  overwrite(segment_path(store), 64 + kSmallRecord + 97, "X");
  CHECK_EQ(journal.read(1, kSmallRecord)->size(), kSmallRecord);
  CHECK_EQ(journal.read(2, 100'000).failure().code, "ERR_JOURNAL_CORRUPT");
  CHECK_EQ(journal.read(2, 100'000).failure().offset, static_cast<int64_t>(64 + kSmallRecord));
}

}  // namespace
}  // namespace rewindfs::test

// The journal while it works: what is appended is read back, segments rotate and go, several threads at once.
#include "journal/journal.h"

#include <thread>

#include "faulty_io.h"
#include "journal_fixture.h"

namespace rewindfs::test {
namespace {

using journal::Journal;
using journal::Kind;

const std::string kMegabyte(1 << 20, 'm');

TEST("every field, section and name of a record comes back as it was appended") {
  const TempDirectory store;
  Journal journal(options_for(store / "journal"));
  CHECK(journal.open().ok());
  journal::Attr attr{0100644, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, parent = attr;
  parent.size = 99;
  const journal::InoAttr parent2{77, attr}, target{88, parent};
  journal::Draft draft;
  draft.kind = Kind::kRename;
  draft.flags = journal::kExchange;
  draft.aux = 5;
  draft.writer = 11, draft.save = 12, draft.ino = 13, draft.parent = 14, draft.offset = 15, draft.length = 16;
  draft.attr = &attr, draft.parent_attr = &parent, draft.parent2 = &parent2, draft.target = &target;
  draft.name = std::string_view("from\xff", 5);
  draft.name2 = "to";
  draft.payload = bytes_of("payload");
  CHECK(journal.append(draft).ok());
  const Record record = read_records(journal, 1).at(0);
  const journal::RecordHead& head = record.head;
  CHECK_EQ(head.kind, uint16_t{16});
  CHECK_EQ(head.flags, uint16_t{journal::kExchange});
  CHECK_EQ(head.sections, 15);
  CHECK_EQ(head.aux, 5u);
  CHECK(head.writer == 11 && head.save == 12 && head.ino == 13 && head.parent == 14 && head.offset == 15 && head.length == 16);
  CHECK(head.time_ns > 1'600'000'000'000'000'000);
  CHECK_EQ(std::memcmp(record.rest.data(), &attr, 80), 0);
  CHECK_EQ(std::memcmp(record.rest.data() + 80, &parent, 80), 0);
  CHECK_EQ(std::memcmp(record.rest.data() + 160, &parent2, 88), 0);
  CHECK_EQ(std::memcmp(record.rest.data() + 248, &target, 88), 0);
  CHECK_EQ(record.rest.substr(336, 7), "from\xffto");
  CHECK_EQ(payload_of(record), "payload");
  CHECK_EQ(head.size, 96u + 336 + 8 + 8);
}

TEST("every kind and every length of payload comes back") {
  const TempDirectory store;
  Journal journal(options_for(store / "journal"));
  CHECK(journal.open().ok());
  uint64_t seq = 0;
  for (const size_t length : {0, 1, 7, 8, 9, 4095, 4096, 65536, 1 << 20}) {
    for (int kind = 1; kind <= 44; ++kind) {
      CHECK_EQ(append(journal, std::string_view(kMegabyte).substr(0, length), static_cast<Kind>(kind)), ++seq);
      if (length > 65536) break;
    }
  }
  for (const uint64_t max : {1ull, 5000ull, 3ull << 20}) CHECK_EQ(read_records(journal, 1, max).size(), seq);
  CHECK_EQ(payload_of(read_records(journal, seq).at(0)), kMegabyte);
  uint64_t time = 0;
  for (const Record& record : read_records(journal, 1)) {
    CHECK(record.head.time_ns >= time);
    time = record.head.time_ns;
  }
}

TEST("what the format cannot hold is refused before it takes a seq") {
  const TempDirectory store;
  Journal journal(options_for(store / "journal"));
  CHECK(journal.open().ok());
  const std::string name(256, 'n'), payload((1 << 20) + 1, 'p');
  journal::Draft draft;
  draft.name = name;
  CHECK_EQ(journal.append(draft).error(), EINVAL);
  draft.name = {};
  draft.payload = bytes_of(payload);
  CHECK_EQ(journal.append(draft).error(), EINVAL);
  CHECK_EQ(append(journal, "x"), 1u);
}

TEST("segments rotate, take the names of their first seq and go when they are released") {
  const TempDirectory store;
  Journal journal(options_for(store / "journal"));
  CHECK(journal.open().ok());
  for (int i = 0; i < 150; ++i) append(journal, kMegabyte);
  CHECK(journal.sync().ok());
  CHECK_EQ(journal.stats().segments, 3u);
  const auto names = files_in(store / "journal");
  CHECK_EQ(names.at(0), "0000000000000001.seg");
  CHECK_EQ(read_records(journal, 1, 4 << 20).size(), 150u);
  CHECK_EQ(read_records(journal, 100, 100).size(), 51u);

  uint64_t second = 0;
  CHECK(journal::parse_segment_name(names.at(1), second));
  CHECK(journal.release(second - 2).ok());
  CHECK(std::filesystem::exists(store / "journal/0000000000000001.seg"));
  CHECK(journal.release(second - 1).ok());
  CHECK(!std::filesystem::exists(store / "journal/0000000000000001.seg"));
  CHECK_EQ(journal.stats().first_seq, second);
  CHECK_EQ(journal.read(second - 1, 100).failure().code, "ERR_HISTORY_BEHIND");
  CHECK(journal.release(1000).ok());
  CHECK_EQ(journal.stats().segments, 1u);
  CHECK_EQ(journal.stats().backlog_bytes, 0u);
  CHECK_EQ(append(journal, "x"), 151u);
}

TEST("a journal that is opened again goes on where it ended, also after several segments") {
  const TempDirectory store;
  for (int session = 0; session < 4; ++session) {
    Journal journal(options_for(store / "journal"));
    auto opened = journal.open();
    CHECK(opened.ok());
    CHECK_EQ(opened->first_seq, 1u);
    CHECK_EQ(opened->last_seq, session * 40u);
    CHECK_EQ(opened->cut_bytes, 0u);
    for (int i = 0; i < 40; ++i) append(journal, kMegabyte);
    CHECK_EQ(read_records(journal, 1, 5 << 20).size(), (session + 1) * 40u);
    CHECK(journal.close().ok());
    CHECK_EQ(journal.append({}).error(), ESHUTDOWN);
  }
}

TEST("an empty directory begins with the seq that history asks for") {
  const TempDirectory store;
  journal::Options options = options_for(store / "journal");
  options.next_seq = 500;
  {
    Journal journal(options);
    auto opened = journal.open();
    CHECK(opened.ok() && opened->first_seq == 500 && opened->last_seq == 499);
    CHECK_EQ(append(journal, "x"), 500u);
  }
  // History is further than the journal: the machine stopped before the journal's last records reached the disk.
  options.next_seq = 600;
  Journal journal(options);
  auto opened = journal.open();
  CHECK(opened.ok() && opened->first_seq == 600 && opened->last_seq == 599);
  CHECK_EQ(append(journal, "x"), 600u);
  CHECK_EQ(files_in(store / "journal").at(0), "0000000000000258.seg");
}

TEST("a journal that is only looked at is not changed") {
  const TempDirectory store;
  {
    Journal journal(options_for(store / "journal"));
    CHECK(journal.open().ok());
    for (int i = 0; i < 10; ++i) append(journal, "record");
  }
  const std::string path = store / "journal/0000000000000001.seg";
  overwrite(path, 64 + 10 * 104, "torn");
  const std::string before = read_file(path);
  journal::Options options = options_for(store / "journal");
  options.read_only = true;
  Journal journal(options);
  auto opened = journal.open();
  CHECK(opened.ok() && opened->last_seq == 10);
  CHECK_EQ(read_records(journal, 1).size(), 10u);
  CHECK_EQ(journal.append({}).error(), ESHUTDOWN);
  CHECK(journal.close().ok());
  CHECK(read_file(path) == before);
  CHECK_EQ(files_in(store / "journal").size(), 1u);
}

TEST("threads that append, read, sync and release at once see contiguous seqs and whole records") {
  const TempDirectory store;
  journal::Options options = options_for(store / "journal");
  options.sync_interval_ms = 5;
  Journal journal(options);
  CHECK(journal.open().ok());
  constexpr int kThreads = 4, kEach = 3000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t));
      for (int i = 0; i < kEach; ++i) {
        append(journal, std::string(random() % 40000, static_cast<char>('a' + t)));
        if (i % 200 == 0) {
          const uint64_t last = journal.last_seq();
          CHECK(journal.sync().ok());
          CHECK(journal.synced_seq() >= last);
        }
      }
    });
  }
  uint64_t next = 1, bytes = 0;
  while (next <= kThreads * kEach) {
    auto read = journal.read(next, 500'000);
    CHECK(read.ok());
    for (size_t at = 0; at < read->size();) {
      const auto parsed = journal::parse_record(std::span<const std::byte>(*read).subspan(at));
      CHECK(parsed.found == journal::Found::kRecord);
      CHECK_EQ(parsed.head.seq, next);
      ++next;
      at += parsed.head.size;
      bytes += parsed.head.size;
    }
    CHECK(journal.release(next - 1).ok());
  }
  for (std::thread& thread : threads) thread.join();
  const journal::Stats stats = journal.stats();
  CHECK_EQ(stats.appended_bytes, bytes);
  CHECK_EQ(stats.backlog_bytes, 0u);
  CHECK(stats.syncs > 0);
}

TEST("callers of sync share one fdatasync") {
  const TempDirectory store;
  FaultyIo io;
  Journal journal(options_for(store / "journal"), io);
  CHECK(journal.open().ok());
  io.sync_delay_us = 20'000;
  const unsigned before = io.syncs;
  constexpr unsigned kThreads = 8, kEach = 10;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (unsigned i = 0; i < kEach; ++i) {
        const uint64_t seq = append(journal, "x");
        CHECK(journal.sync().ok());
        CHECK(journal.synced_seq() >= seq);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(io.syncs - before < kThreads * kEach / 2);
}

}  // namespace
}  // namespace rewindfs::test

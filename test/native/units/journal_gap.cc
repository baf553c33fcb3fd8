// Work first: the journal lets changes go by that it cannot take, and goes on where it ended.
#include <atomic>
#include <thread>

#include "faulty_io.h"
#include "journal_fixture.h"
#include "os/gate.h"

namespace rewindfs::test {
namespace {

using journal::Journal;
using journal::kUnrecorded;

struct WorkFirst {
  const TempDirectory store;
  FaultyIo io;
  Journal journal{options_for(store / "journal"), io};

  WorkFirst() {
    CHECK(journal.open().ok());
    journal.work_first(true);
  }
};

uint64_t resume(Journal& journal) {
  CHECK(journal.make_ready().ok());
  journal::Draft first;
  first.payload = bytes_of("first");
  const auto seq = journal.resume(first);
  CHECK(seq.ok());
  return *seq;
}

void check_goes_on(Journal& journal, const TempDirectory& store, uint64_t last) {
  CHECK(journal.stats().gap.error != 0);
  CHECK_EQ(append(journal, "not written"), kUnrecorded);
  CHECK(journal.sync().ok());
  CHECK_EQ(journal.make_ready().failure().error, EBUSY);
  CHECK_EQ(read_records(journal, 1).size(), last);
  CHECK(journal.release(last).ok());
  CHECK_EQ(resume(journal), last + 1);
  CHECK_EQ(journal.stats().gap.error, 0);
  CHECK_EQ(journal.stats().failed, 0);
  CHECK_EQ(append(journal, "written"), last + 2);
  CHECK(journal.sync().ok());
  CHECK_EQ(journal.synced_seq(), last + 2);
  CHECK(journal.close().ok());
  CHECK_EQ(files_in(store / "journal").size(), 1u);  // the old segments are gone
  journal::Options options = options_for(store / "journal");
  options.next_seq = last + 1;
  Journal again(options);
  auto opened = again.open();
  CHECK(opened.ok());
  CHECK_EQ(opened->last_seq, last + 2);
  CHECK_EQ(payload_of(read_records(again, last + 1).back()), "written");
}

TEST("work first: a write that fails begins a gap, and after it records go on without a hole in their numbers") {
  WorkFirst begun;
  auto& [store, io, journal] = begun;
  append(journal, "before");
  io.fail_write = EIO;
  CHECK_EQ(append(journal, "failed"), kUnrecorded);
  CHECK_EQ(journal.stats().gap.error, EIO);
  CHECK_EQ(journal.stats().gap.records, 1u);
  io.fail_write = 0;
  check_goes_on(journal, store, 1);
}

TEST("work first: an fdatasync that fails begins a gap, too") {
  WorkFirst begun;
  auto& [store, io, journal] = begun;
  append(journal, "before");
  io.fail_sync = EIO;
  CHECK(journal.sync().ok());
  io.fail_sync = 0;
  check_goes_on(journal, store, 1);
}

TEST("work first: a full disk begins a gap, which lasts as long as there is no room") {
  const TempDirectory store;
  FaultyIo io;
  journal::Options options = options_for(store / "journal");
  options.min_free_bytes = 1000;
  Journal journal(options, io);
  CHECK(journal.open().ok());
  journal.work_first(true);
  append(journal, "before");
  CHECK(journal.release(1).ok());
  io.free = 999;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  uint64_t last = 1;
  while (journal.stats().gap.error == 0) {
    CHECK(std::chrono::steady_clock::now() < deadline);
    last = std::max(last, append(journal, "while nobody has looked"));
  }
  CHECK_EQ(journal.stats().gap.error, ENOSPC);
  CHECK(journal.release(last).ok());
  CHECK_EQ(journal.make_ready().failure().error, ENOSPC);
  io.free = 1000;
  CHECK_EQ(journal.make_ready().failure().error, ENOSPC);  // the segment itself would take that room
  CHECK(journal.stats().gap.error != 0);
  io.free = UINT64_MAX;
  CHECK_EQ(resume(journal), last + 1);
}

TEST("work first: a segment that cannot be made begins a gap with what the system said, which lasts as long as it says so") {
  for (const int error : {EMFILE, ENOSPC, EROFS}) {
    WorkFirst begun;
    auto& [store, io, journal] = begun;
    io.fail_allocate = error;
    const std::string megabyte(1 << 20, 'm');
    uint64_t last = 0;
    for (uint64_t seq = append(journal, megabyte); seq != kUnrecorded; seq = append(journal, megabyte)) last = seq;
    CHECK_EQ(journal.stats().gap.error, error);
    CHECK(journal.release(last).ok());
    CHECK_EQ(journal.make_ready().failure().error, error);
    CHECK_EQ(append(journal, "not written"), kUnrecorded);
    io.fail_allocate = 0;
    CHECK_EQ(resume(journal), last + 1);
  }
}

TEST("work first: where the first record after a gap fails the gap goes on, from its beginning") {
  WorkFirst begun;
  auto& [store, io, journal] = begun;
  io.fail_write = EIO;
  CHECK_EQ(append(journal, "failed"), kUnrecorded);
  io.fail_write = 0;
  const uint64_t since = journal.stats().gap.since_ns;
  CHECK(journal.make_ready().ok());
  io.fail_write = EROFS;
  CHECK_EQ(*journal.resume(journal::Draft{}), kUnrecorded);
  CHECK_EQ(append(journal, "not written"), kUnrecorded);
  CHECK_EQ(journal.stats().gap.since_ns, since);
  CHECK_EQ(journal.stats().gap.records, 3u);
  io.fail_write = 0;
  CHECK_EQ(journal.resume(journal::Draft{}).error(), EBUSY);  // nothing is ready
  CHECK_EQ(resume(journal), 1u);
  CHECK_EQ(journal.stats().gap.error, 0);
}

TEST("while nothing of that is asked for, the same failures are errors") {
  const TempDirectory store;
  FaultyIo io;
  Journal journal(options_for(store / "journal"), io);
  CHECK(journal.open().ok());
  append(journal, "before");
  io.fail_sync = EIO;
  CHECK_EQ(journal.sync().error(), EIO);
  CHECK_EQ(journal.stats().gap.error, 0);
  CHECK_EQ(journal.reserve(1, 1, nullptr).error(), EIO);
}

TEST("a gate that closes waits for those inside, and lets nobody in until it opens") {
  Gate gate;
  std::atomic<int> inside{0}, passed{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const Gate::Pass pass(gate);
        ++inside;
        ++passed;
        --inside;
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    gate.close();
    CHECK_EQ(inside.load(), 0);
    const int before = passed.load();
    std::this_thread::yield();
    CHECK_EQ(passed.load(), before);
    gate.open();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(passed.load() > 0);
}

}  // namespace
}  // namespace rewindfs::test

// Room for the journal's records: a full disk, segments that cannot be made, a history that falls behind or stands still.
#include <atomic>
#include <thread>

#include "faulty_io.h"
#include "journal_fixture.h"
#include "os/waiting.h"

namespace rewindfs::test {
namespace {

using journal::Journal;
using namespace std::chrono_literals;

const std::string kMegabyte(1 << 20, 'm');

TEST("a full disk is ENOSPC at the reservation, and over once there is room") {
  const TempDirectory store;
  FaultyIo io;
  journal::Options options = options_for(store / "journal");
  options.min_free_bytes = 1000;
  Journal journal(options, io);
  CHECK(journal.open().ok());
  append(journal, "record");
  CHECK(journal.release(1).ok());
  io.free = 999;
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (journal.reserve(1, 1, nullptr).ok()) CHECK(std::chrono::steady_clock::now() < deadline);
  CHECK_EQ(journal.reserve(1, 1, nullptr).error(), ENOSPC);
  io.free = UINT64_MAX;
  CHECK(journal.reserve(1, 1, nullptr).ok());
  append(journal, "record");
}

TEST("a segment that cannot be allocated is ENOSPC at the reservation, and what was reserved still fits") {
  const TempDirectory store;
  FaultyIo io;
  Journal journal(options_for(store / "journal"), io);
  CHECK(journal.open().ok());
  io.fail_allocate = ENOSPC;
  uint64_t written = 0;
  while (true) {
    const auto reservation = journal.reserve(kMegabyte.size(), 1, nullptr);
    if (!reservation.ok()) {
      CHECK_EQ(reservation.error(), ENOSPC);
      break;
    }
    journal::Draft draft;
    draft.payload = bytes_of(kMegabyte);
    CHECK(journal.append(draft).ok());
    ++written;
  }
  CHECK(written >= 60);
  io.fail_allocate = 0;
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!journal.reserve(kMegabyte.size(), 1, nullptr).ok()) CHECK(std::chrono::steady_clock::now() < deadline);
  CHECK_EQ(read_records(journal, 1, 8 << 20).size(), written);
  for (const std::string& name : files_in(store / "journal")) {
    CHECK_EQ(std::filesystem::file_size(store / ("journal/" + name)), journal::kSegmentBytes);
  }
}

TEST("a segment that cannot be made is EIO for what programs do not know as the answer of a disk, told as what it was, and over once it can") {
  const TempDirectory store;
  FaultyIo io;
  Journal journal(options_for(store / "journal"), io);
  CHECK(journal.open().ok());
  CHECK_EQ(journal.stats().refused, 0);
  io.fail_allocate = EROFS;
  Result<journal::Reservation> reservation = Errno{0};
  while ((reservation = journal.reserve(kMegabyte.size(), 1, nullptr)).ok()) {
    journal::Draft draft;
    draft.payload = bytes_of(kMegabyte);
    CHECK(journal.append(draft).ok());
  }
  CHECK_EQ(reservation.error(), EIO);
  CHECK_EQ(journal.stats().refused, EROFS);
  CHECK_EQ(journal.stats().failed, 0);
  io.fail_allocate = 0;
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (journal.stats().refused != 0) CHECK(std::chrono::steady_clock::now() < deadline);
  append(journal, kMegabyte);
}

TEST("at the hard limit nobody waits for a history that stands still") {
  const TempDirectory store;
  journal::Options options = options_for(store / "journal");
  options.backlog_hard_bytes = 4 << 20;
  Journal journal(options);
  CHECK(journal.open().ok());
  while (journal.stats().backlog_bytes < options.backlog_hard_bytes) append(journal, kMegabyte);
  std::atomic<int> answer{-1};
  std::thread waiting([&] { answer = journal.reserve(1, 1, nullptr).error(); });
  journal.history_stands(ENOSPC);
  waiting.join();
  CHECK_EQ(answer.load(), ENOSPC);
  CHECK_EQ(journal.stats().refused, ENOSPC);
  journal.history_stands(EROFS);
  CHECK_EQ(journal.reserve(1, 1, nullptr).error(), EIO);
  journal.history_stands(0);
  CHECK(journal.release(journal.last_seq()).ok());
  append(journal, "record");
}

TEST("above the hard limit reservations wait until history has caught up, or are interrupted") {
  const TempDirectory store;
  journal::Options options = options_for(store / "journal");
  options.backlog_hard_bytes = 4 << 20;
  Journal journal(options);
  CHECK(journal.open().ok());
  while (journal.stats().backlog_bytes < options.backlog_hard_bytes) append(journal, kMegabyte);

  volatile bool interrupted = false;
  std::atomic<int> answer{-1};
  std::thread waiting([&] { answer = journal.reserve(1, 1, &interrupted).error(); });
  std::this_thread::sleep_for(100ms);
  CHECK_EQ(answer.load(), -1);
  __atomic_store_n(&interrupted, true, __ATOMIC_RELAXED);
  waiting.join();
  CHECK_EQ(answer.load(), EINTR);

  answer = -1;
  std::thread patient([&] { answer = journal.reserve(1, 1, nullptr).error(); });
  std::this_thread::sleep_for(100ms);
  CHECK_EQ(answer.load(), -1);
  CHECK(journal.release(journal.last_seq()).ok());
  patient.join();
  CHECK_EQ(answer.load(), 0);
}

struct WaitCounter final : Runner {
  WaitCounter() { Waiting::run_by(this); }
  ~WaitCounter() override { Waiting::run_by(nullptr); }
  void begin_waiting() override { ++waits; }
  void end_waiting() override {}
  unsigned waits = 0;
};

TEST("no reservation waits below three quarters of the hard limit; from there on each does, a little") {
  const TempDirectory store;
  journal::Options options = options_for(store / "journal");
  options.backlog_hard_bytes = 40 << 20;
  Journal journal(options);
  CHECK(journal.open().ok());
  WaitCounter counter;
  for (int i = 0; i < 29; ++i) append(journal, kMegabyte);
  CHECK_EQ(counter.waits, 0u);
  for (int i = 0; i < 3; ++i) append(journal, kMegabyte);
  counter.waits = 0;
  for (int i = 0; i < 7; ++i) append(journal, kMegabyte);
  CHECK_EQ(counter.waits, 7u);
}

TEST("a disk that does not answer when it is asked for its room keeps nobody from appending") {
  const TempDirectory store;
  FaultyIo io;
  Journal journal(options_for(store / "journal"), io);
  CHECK(journal.open().ok());
  io.free_delay_us = 3'000'000;
  while (io.asked_free == 0) std::this_thread::sleep_for(1ms);
  const auto begin = std::chrono::steady_clock::now();
  append(journal, "record");
  CHECK(std::chrono::steady_clock::now() - begin < 1s);
  io.free_delay_us = 0;
}

TEST("closing wakes those who wait for room") {
  const TempDirectory store;
  journal::Options options = options_for(store / "journal");
  options.backlog_hard_bytes = 2;
  Journal journal(options);
  CHECK(journal.open().ok());
  append(journal, "record");
  std::atomic<int> answer{-1};
  std::thread waiting([&] { answer = journal.reserve(1, 1, nullptr).error(); });
  std::this_thread::sleep_for(50ms);
  CHECK(journal.close().ok());
  waiting.join();
  CHECK_EQ(answer.load(), ESHUTDOWN);
}

}  // namespace
}  // namespace rewindfs::test

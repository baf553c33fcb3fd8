// A scripted life of a journal, in which the n-th call to the disk goes wrong: for every n, and every way to go wrong.
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "journal_fixture.h"

namespace rewindfs::test {
namespace {

using journal::Journal;

enum class Fault { kEio, kEnospc, kShort };

// Fails one call, by its number; the disk is well before and after. What is all zeroes is not written: segments are.
class OnceFaultyIo final : public FileIo {
 public:
  OnceFaultyIo(uint64_t nth, Fault fault) : nth_(nth), fault_(fault) {}
  uint64_t calls() const { return calls_.load(); }
  // Calls that do not count do not fail.
  void count(bool counting) { counting_ = counting; }

  Result<UniqueFd> open(const std::string& path, int flags, mode_t mode) override {
    if (const int error = due()) return Errno{error};
    return FileIo::open(path, flags, mode);
  }
  Result<size_t> pwritev(int fd, const iovec* parts, int count, uint64_t offset) override {
    size_t whole = 0;
    bool zeroes = true;
    for (int i = 0; i < count; ++i) {
      whole += parts[i].iov_len;
      zeroes = zeroes && is_zero(parts[i]);
    }
    const int error = due(true);
    if (error == kShortWrite) {
      const iovec part{parts->iov_base, std::max<size_t>(1, parts->iov_len / 2)};
      return FileIo::pwritev(fd, &part, 1, offset);
    }
    if (error != 0) return Errno{error};
    if (zeroes) return whole;
    return FileIo::pwritev(fd, parts, zeroes_from(parts, count), offset);
  }
  Result<void> allocate(int fd, uint64_t bytes) override {
    if (const int error = due()) return Errno{error};
    if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) return last_errno();  // holes take no time
    return {};
  }
  Result<void> fdatasync(int fd) override {
    if (const int error = due()) return Errno{error};
    return FileIo::fdatasync(fd);
  }
  Result<void> fsync(int fd) override {
    if (const int error = due()) return Errno{error};
    return FileIo::fsync(fd);
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    if (const int error = due()) return Errno{error};
    return FileIo::rename(from, to);
  }
  Result<void> unlink(const std::string& path) override {
    if (const int error = due()) return Errno{error};
    return FileIo::unlink(path);
  }
  Result<uint64_t> free_bytes(const std::string&) override { return UINT64_MAX; }

 private:
  static constexpr int kShortWrite = -1;
  static bool is_zero(const iovec& part) {
    const auto* bytes = static_cast<const char*>(part.iov_base);
    return std::all_of(bytes, bytes + part.iov_len, [](char byte) { return byte == 0; });
  }
  // A payload of zeroes lies there already: a write ends before it, and the rest of it is written when it comes alone.
  static int zeroes_from(const iovec* parts, int count) {
    for (int i = 1; i < count; ++i) if (is_zero(parts[i])) return i;
    return count;
  }
  int due(bool write = false) {
    if (!counting_ || ++calls_ != nth_) return 0;
    if (fault_ == Fault::kShort && write) return kShortWrite;
    return fault_ == Fault::kEnospc ? ENOSPC : EIO;
  }

  const uint64_t nth_;
  const Fault fault_;
  std::atomic<uint64_t> calls_{0};
  std::atomic<bool> counting_{true};
};

const std::string kZeroes(1 << 20, '\0');

struct Life {
  uint64_t acknowledged = 0;  // the last seq that an append answered
  uint64_t released = 0;
  bool opened = false;
};

// Of the large records that fill a segment, the first and those about the rotation; the others are as the first.
constexpr int kAtEnds = 3;

// Small records and large ones, over a rotation, with syncs and a release in between. Goes on after a failure as the
// engine does: nothing is appended without a reservation.
Life live(const std::string& directory, OnceFaultyIo& io) {
  Life life;
  journal::Options options = options_for(directory);
  Journal journal(options, io);
  auto opened = journal.open();
  life.opened = opened.ok();
  if (!opened.ok()) return life;
  const auto put = [&](std::string_view payload) {
    const volatile bool never = false;
    const auto reservation = journal.reserve(payload.size(), 1, &never);
    if (!reservation.ok()) return;
    journal::Draft draft;
    draft.kind = journal::Kind::kWrite;
    draft.payload = bytes_of(payload);
    draft.length = payload.size();
    if (const auto appended = journal.append(draft); appended.ok()) life.acknowledged = *appended;
  };
  put("first");
  (void)journal.sync();
  for (int i = 0; i < 66; ++i) {
    io.count(i < kAtEnds || i >= 63 - kAtEnds);
    put(kZeroes);
  }
  (void)journal.sync();
  if (life.acknowledged > 3 && journal.release(life.acknowledged - 1).ok()) life.released = life.acknowledged - 1;
  put("last");
  (void)journal.sync();
  (void)journal.close();
  return life;
}

// Whole, from what was not released on, with all that was acknowledged; and it can be gone on with.
void check_restart(const std::string& directory, const Life& life, uint64_t nth) {
  journal::Options options = options_for(directory);
  options.next_seq = life.released + 1;
  Journal journal(options);
  auto opened = journal.open();
  if (!opened.ok()) fail(__FILE__, __LINE__, "call " + std::to_string(nth) + ": " + opened.failure().detail + " " + opened.failure().path);
  if (opened->last_seq < life.acknowledged) fail(__FILE__, __LINE__, "call " + std::to_string(nth) + ": acknowledged records are gone");
  const auto records = read_records(journal, opened->first_seq);
  CHECK_EQ(records.size(), opened->last_seq + 1 - opened->first_seq);
  CHECK_EQ(append(journal, "after"), opened->last_seq + 1);
  CHECK(journal.sync().ok());
}

void every_call(Fault fault) {
  uint64_t calls = 1;
  for (uint64_t nth = 0; nth <= calls; ++nth) {
    const TempDirectory store;
    OnceFaultyIo io(nth, fault);
    const Life life = live(store / "journal", io);
    if (nth == 0) CHECK(life.opened && life.acknowledged == 68);
    // The preparer's calls fall where they fall; the last numbers may not be reached every time.
    if (nth == 0) calls = io.calls();
    check_restart(store / "journal", life, nth);
  }
  CHECK(calls > 25);
}

TEST("EIO at any one call to the disk loses no acknowledged record, and the next start is clean") { every_call(Fault::kEio); }
TEST("ENOSPC at any one call to the disk loses no acknowledged record, and the next start is clean") { every_call(Fault::kEnospc); }
TEST("a short write at any one call, and EIO where there is nothing to write, loses no acknowledged record") { every_call(Fault::kShort); }

}  // namespace
}  // namespace rewindfs::test

// What a record costs on the way of a small write: no memory from the heap, and one pwritev(2).
#include <cstdlib>
#include <new>

#include "faulty_io.h"
#include "journal_fixture.h"

namespace {
thread_local uint64_t allocations = 0;
}

// Counts for all tests of this program.
void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace rewindfs::test {
namespace {

TEST("a small write's record takes nothing from the heap and is one pwritev") {
  const TempDirectory store;
  FaultyIo io;
  journal::Journal journal(options_for(store / "journal"), io);
  CHECK(journal.open().ok());
  journal.on_append([] {});
  const std::string data(4096, 'd');
  const journal::Attr attr{0100644, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
  const unsigned writes = io.writes;
  const uint64_t before = allocations;
  constexpr unsigned kRecords = 1000;
  for (unsigned i = 0; i < kRecords; ++i) {
    const auto reservation = journal.reserve(data.size(), 2, nullptr);
    journal::Draft draft;
    draft.kind = journal::Kind::kWrite;
    draft.ino = 7;
    draft.attr = &attr;
    draft.offset = i;
    draft.length = data.size();
    draft.payload = bytes_of(data);
    if (!reservation.ok() || !journal.append(draft).ok()) CHECK(false);
  }
  CHECK_EQ(allocations - before, 0u);
  CHECK_EQ(io.writes - writes, kRecords);
  const auto counted = std::make_unique<int>(1);  // the counter counts
  CHECK_EQ(allocations - before, 1u);
}

}  // namespace
}  // namespace rewindfs::test

// Damage in the middle of a journal's newest segment, where a torn tail could be as well: what was acknowledged is never
// taken for the trace of a crash.
#include "journal_fixture.h"

namespace rewindfs::test {
namespace {

using journal::Journal;

constexpr uint64_t kRecord = 96 + 8;  // no sections, no names, a payload of 6 bytes

enum class Before { kSynced, kKilled, kMachineStopped };

// Ten records; the third is damaged. `before`: how the process that wrote them ended.
struct Damaged {
  explicit Damaged(Before before) {
    journal::Options options = options_for(store / "journal");
    Journal journal(options);
    CHECK(journal.open().ok());
    for (int i = 0; i < 10; ++i) append(journal, "record");
    CHECK(journal.close().ok());
    if (before != Before::kSynced) {
      auto marks = journal::open_marks(FileIo::system(), options.directory);
      const std::string boot = before == Before::kKilled ? options.boot_id : "another boot";
      CHECK(journal::write_mark(FileIo::system(), marks->get(), options.store_id, boot, 0).ok());
    }
    damage(3);
  }
  void damage(uint64_t seq) const { overwrite(path(), 64 + (seq - 1) * kRecord + 30, "damage"); }
  std::string path() const { return store / "journal/0000000000000001.seg"; }
  journal::Options options(uint64_t next_seq = 1) const {
    journal::Options options = options_for(store / "journal");
    options.next_seq = next_seq;
    return options;
  }
  TempDirectory store;
};

void check_refused(const Damaged& damaged, uint64_t next_seq, uint64_t missing) {
  const std::string before = read_file(damaged.path());
  Journal journal(damaged.options(next_seq));
  const auto opened = journal.open();
  CHECK(!opened.ok());
  CHECK_EQ(opened.failure().code, "ERR_JOURNAL_CORRUPT");
  CHECK_EQ(opened.failure().path, damaged.path());
  CHECK_EQ(opened.failure().offset, static_cast<int64_t>(64 + (missing - 1) * kRecord));
  CHECK(read_file(damaged.path()) == before);
  CHECK_EQ(files_in(damaged.store / "journal").size(), 1u);
}

TEST("records behind a damaged one were written after it: a killed process leaves no such thing, nothing is cut") {
  check_refused(Damaged(Before::kKilled), 1, 3);
}

TEST("a record that was on stable storage and is not whole is damage, whether or not one follows") {
  check_refused(Damaged(Before::kSynced), 1, 3);
  const Damaged last(Before::kSynced);
  for (uint64_t seq = 4; seq <= 10; ++seq) last.damage(seq);
  check_refused(last, 1, 3);
}

TEST("after a crash of the machine history goes on before the break, and what lies behind it is kept aside") {
  const Damaged damaged(Before::kMachineStopped);
  const std::string before = read_file(damaged.path(), 64 + 10 * kRecord);
  Journal journal(damaged.options());
  auto opened = journal.open();
  CHECK(opened.ok());
  CHECK_EQ(opened->last_seq, 2u);
  CHECK_EQ(opened->stranded.first_seq, 4u);
  CHECK_EQ(opened->stranded.last_seq, 10u);
  CHECK_EQ(opened->cut_bytes, 8 * kRecord - 2);  // the last two bytes are padding
  CHECK_EQ(opened->kept, damaged.store / "journal/0000000000000003.cut");
  CHECK(read_file(opened->kept) == before.substr(64 + 2 * kRecord, 8 * kRecord - 2));
  CHECK_EQ(append(journal, "record"), 3u);
  CHECK_EQ(read_records(journal, 1).size(), 3u);
}

TEST("pages that never reached the disk, with later ones that did, are a break like another") {
  const Damaged damaged(Before::kMachineStopped);
  overwrite(damaged.path(), 64 + 2 * kRecord, std::string(2 * kRecord, '\0'));
  Journal journal(damaged.options());
  auto opened = journal.open();
  CHECK(opened.ok() && opened->last_seq == 2 && opened->stranded.first_seq == 5);
}

TEST("a damaged record that history holds already loses nothing: the journal goes on behind it") {
  for (const Before before : {Before::kSynced, Before::kKilled, Before::kMachineStopped}) {
    const Damaged damaged(before);
    for (int session = 0; session < 2; ++session) {
      Journal journal(damaged.options(6));  // history holds five
      auto opened = journal.open();
      CHECK(opened.ok());
      CHECK_EQ(opened->last_seq, 10u + static_cast<uint64_t>(session));
      CHECK_EQ(opened->cut_bytes, 0u);
      CHECK_EQ(read_records(journal, 6).size(), 5u + static_cast<uint64_t>(session));
      CHECK_EQ(journal.read(3, 1000).failure().code, "ERR_JOURNAL_CORRUPT");
      CHECK_EQ(append(journal, "record"), 11u + static_cast<uint64_t>(session));
    }
  }
}

TEST("a damaged record at the beginning of a segment that history holds loses nothing") {
  const Damaged damaged(Before::kKilled);
  damaged.damage(1);
  damaged.damage(2);
  Journal journal(damaged.options(5));
  auto opened = journal.open();
  CHECK(opened.ok() && opened->last_seq == 10);
  CHECK_EQ(read_records(journal, 5).size(), 6u);
  CHECK_EQ(journal.read(1, 1000).failure().code, "ERR_JOURNAL_CORRUPT");
}

TEST("damage on both sides of where history ends is damage, and drops nothing") {
  const Damaged damaged(Before::kKilled);
  damaged.damage(7);
  check_refused(damaged, 6, 7);
}

TEST("history that got further than the disk before the machine stopped goes on; what it cannot reach is kept") {
  const Damaged damaged(Before::kMachineStopped);
  for (uint64_t seq = 3; seq <= 8; ++seq) damaged.damage(seq);
  Journal journal(damaged.options(6));
  auto opened = journal.open();
  CHECK(opened.ok());
  CHECK_EQ(opened->last_seq, 5u);
  CHECK_EQ(opened->stranded.first_seq, 9u);
  CHECK_EQ(append(journal, "record"), 6u);
  CHECK(std::filesystem::exists(opened->kept));
}

TEST("who only looks is told the same, and changes nothing") {
  const Damaged damaged(Before::kMachineStopped);
  const std::string before = read_file(damaged.path());
  journal::Options options = damaged.options();
  options.read_only = true;
  Journal journal(options);
  auto opened = journal.open();
  CHECK(opened.ok() && opened->last_seq == 2 && opened->stranded.first_seq == 4 && opened->kept.empty());
  CHECK(read_file(damaged.path()) == before);
}

TEST("content that looks like records of a journal is not taken for some") {
  const TempDirectory store;
  journal::Options options = options_for(store / "journal");
  {
    Journal journal(options);
    CHECK(journal.open().ok());
    for (int i = 0; i < 10; ++i) append(journal, "record");
    // A copy of the journal itself, as a program may write it to the tree: all older than the record that holds it.
    append(journal, read_file(store / "journal/0000000000000001.seg", 64 + 10 * kRecord));
    CHECK(journal.close().ok());
  }
  auto marks = journal::open_marks(FileIo::system(), options.directory);
  CHECK(journal::write_mark(FileIo::system(), marks->get(), options.store_id, options.boot_id, 0).ok());
  overwrite(store / "journal/0000000000000001.seg", 64 + 10 * kRecord + 30, "torn");
  Journal journal(options);
  auto opened = journal.open();
  CHECK(opened.ok());
  CHECK_EQ(opened->last_seq, 10u);
  CHECK_EQ(opened->stranded.first_seq, 0u);
  CHECK_EQ(files_in(store / "journal").size(), 1u);
}

TEST("a mark of another store, or a torn one, says nothing") {
  const Damaged damaged(Before::kSynced);
  overwrite(damaged.store / "journal/synced", 20, "x");
  Journal journal(damaged.options());
  auto opened = journal.open();
  CHECK(opened.ok() && opened->last_seq == 2);
}

}  // namespace
}  // namespace rewindfs::test

// How far the journal is known to be on stable storage, kept beside the segments: without it, a record that the disk has
// lost could not be told from one that never reached it.
//
// Guarantee: what a mark says was so when it was written, in that boot of the machine. It may say less than is so: it is
// not synced itself. Layout in docs/journal.md.
#pragma once
#include <cstdint>
#include <string>

#include "journal/segment.h"

namespace rewindfs::journal {

struct SyncMark {
  std::string boot_id;
  uint64_t synced_seq = 0;
};

// Of the running kernel; empty when it does not say.
std::string this_boot();

// A mark that is missing, torn or another store's says nothing.
SyncMark read_mark(FileIo& io, const std::string& directory, const StoreId& store);

// Opens the file of the marks, and makes it when it is missing.
Outcome<UniqueFd> open_marks(FileIo& io, const std::string& directory);
Result<void> write_mark(FileIo& io, int fd, const StoreId& store, const std::string& boot, uint64_t synced_seq);

}  // namespace rewindfs::journal

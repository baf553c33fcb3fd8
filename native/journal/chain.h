// What lies in a journal's directory, looked at and not changed.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "journal/segment.h"

namespace rewindfs::journal {

// Whole records that cannot be reached, because one before them is missing that history does not hold.
struct Stranded {
  uint64_t first_seq = 0;  // 0: there are none
  uint64_t last_seq = 0;
};

struct Chain {
  std::vector<std::shared_ptr<Segment>> segments;  // oldest first; what belongs to the journal
  ScanEnd end;                                     // of the last one: where the journal goes on
  Stranded stranded;
  std::vector<std::string> unused;    // spares that hold nothing
  std::vector<std::string> cut_off;   // spares that do not go on where the journal ends
};

// Checks every record. What history holds, all before `wanted_seq`, need not be whole: the chain goes on behind it.
// ERR_JOURNAL_CORRUPT when a segment with a name does not follow the one before it.
Outcome<Chain> read_chain(FileIo& io, const std::string& directory, const StoreId& store, uint64_t wanted_seq, int flags);

}  // namespace rewindfs::journal

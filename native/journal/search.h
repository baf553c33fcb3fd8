// Finding the way on behind a place where the records of a segment break off.
//
// A segment file is never used twice and begins as zeroes, so a whole record that lies there was appended to this journal,
// unless it is content: a program may have written a copy of some journal to the tree. Hence more is asked of it than its
// checksums: so many records must fit between the break and it, and time must not go back.
#pragma once
#include <cstdint>

#include "journal/segment.h"

namespace rewindfs::journal {

struct Later {
  uint64_t seq = 0;  // 0: nothing follows
  uint64_t offset = 0;
};

// The first whole record behind `end`, up to `limit`, that is later than the one that is missing there.
Outcome<Later> find_later(FileIo& io, const Segment& segment, const ScanEnd& end, uint64_t limit);

}  // namespace rewindfs::journal

// Cutting the end of a journal. What is more than a torn record is kept aside first, in files `<seq>.cut` beside the
// segments: the bytes from the break on, or a whole spare. Nothing reads them again but a person.
#pragma once
#include <string>
#include <vector>

#include "journal/segment.h"

namespace rewindfs::journal {

// Copies what is not zero from `offset` on into a file of its own, on stable storage when this returns: its path.
Outcome<std::string> keep_tail(FileIo& io, const std::string& directory, const Segment& segment, uint64_t offset,
                               uint64_t seq);
Outcome<Done> keep_spare(FileIo& io, const std::string& directory, const std::string& path, uint64_t seq);

// Zeroes everything from `offset` on; resolves to the bytes up to the last that was not zero there.
Outcome<uint64_t> cut_tail(FileIo& io, const Segment& segment, uint64_t offset);

}  // namespace rewindfs::journal

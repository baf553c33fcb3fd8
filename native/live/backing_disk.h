// The backing directory's disk itself: reading what it has, whatever the kernel remembers of it, and syncing it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "os/result.h"

namespace rewindfs::live {

class Tree;

struct BackingPiece {
  std::vector<std::byte> data;  // shorter than was asked for at the file's end
  uint64_t size = 0;            // of the whole file
  uint64_t ino = 0;
  int64_t ctime_ns = 0;         // after the data was read
  unsigned writers = 0;         // that have the file open through the mount
};

// path: from the root of the tree; no symlink is followed. What is clean in the page cache is read anew. EINVAL for
// anything but a regular file.
Result<BackingPiece> read_backing(Tree& tree, const std::string& path, uint64_t offset, size_t length);

// Returns after the whole file system of the backing directory is on stable storage.
Result<void> sync_backing(Tree& tree);

}  // namespace rewindfs::live

// Descriptors of directories that are read piece by piece. The kernel opens directories without asking (OPENDIR is
// answered ENOSYS once): what it reads names a directory and an offset, and any descriptor that stands there will do.
#pragma once
#include <deque>

#include "live/inode.h"

namespace rewindfs::live {

class Streams {
 public:
  struct Stream {
    uint64_t id;     // of the directory's inode
    int64_t offset;  // where the descriptor stands
    UniqueFd fd;
  };

  // One that stands at offset; at 0 always a new one, which shows the directory as it is now.
  Result<Stream> take(const Inode& dir, int64_t offset) EXCLUDES(mutex_);
  // Somebody will go on from there; the ones that were kept longest make room.
  void keep(Stream stream) EXCLUDES(mutex_);
  void clear() EXCLUDES(mutex_);

 private:
  static constexpr size_t kKept = 32;
  Mutex mutex_;
  std::deque<Stream> kept_ GUARDED_BY(mutex_);
};

}  // namespace rewindfs::live

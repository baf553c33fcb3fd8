#include "live/streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace rewindfs::live {

Result<Streams::Stream> Streams::take(const Inode& dir, int64_t offset) {
  if (offset != 0) {
    const MutexLock lock(mutex_);
    const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const Stream& one) { return one.id == dir.id && one.offset == offset; });
    if (found != kept_.end()) {
      Stream stream = std::move(*found);
      kept_.erase(found);
      return stream;
    }
  }
  Stream stream{dir.id, offset, UniqueFd(openat(dir.path().get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))};
  if (!stream.fd.valid() || (offset != 0 && lseek(stream.fd.get(), offset, SEEK_SET) < 0)) return last_errno();
  return stream;
}

void Streams::keep(Stream stream) {
  const MutexLock lock(mutex_);
  kept_.push_back(std::move(stream));
  if (kept_.size() > kKept) kept_.pop_front();
}

void Streams::clear() {
  const MutexLock lock(mutex_);
  kept_.clear();
}

}  // namespace rewindfs::live

// FileIo that fails on demand, and one that drops what was not synced.
#pragma once
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>

#include "os/file_io.h"

namespace rewindfs::test {

class FaultyIo final : public FileIo {
 public:
  std::atomic<int> fail_write{0};      // errno of the next writes
  std::atomic<int> fail_read{0};
  std::atomic<int> fail_allocate{0};
  std::atomic<int> fail_sync{0};
  std::atomic<uint64_t> short_write{0};  // at most so many bytes a call, 0 = all
  std::atomic<uint64_t> free{UINT64_MAX};
  std::atomic<unsigned> sync_delay_us{0}, free_delay_us{0};
  std::atomic<unsigned> asked_free{0};  // calls that were delayed
  std::atomic<unsigned> writes{0}, syncs{0};

  Result<size_t> pwritev(int fd, const iovec* parts, int count, uint64_t offset) override {
    ++writes;
    if (const int error = fail_write.load()) return Errno{error};
    const uint64_t limit = short_write.load();
    if (limit == 0) return FileIo::pwritev(fd, parts, count, offset);
    const iovec one{parts->iov_base, std::min<size_t>(parts->iov_len, limit)};
    return FileIo::pwritev(fd, &one, 1, offset);
  }
  Result<size_t> pread(int fd, void* buffer, size_t bytes, uint64_t offset) override {
    if (const int error = fail_read.load()) return Errno{error};
    return FileIo::pread(fd, buffer, bytes, offset);
  }
  Result<void> allocate(int fd, uint64_t bytes) override {
    if (const int error = fail_allocate.load()) return Errno{error};
    return FileIo::allocate(fd, bytes);
  }
  Result<void> fdatasync(int fd) override {
    ++syncs;
    if (const unsigned delay = sync_delay_us.load()) usleep(delay);
    if (const int error = fail_sync.load()) return Errno{error};
    return FileIo::fdatasync(fd);
  }
  Result<uint64_t> free_bytes(const std::string& path) override {
    if (const unsigned delay = free_delay_us.load()) {
      ++asked_free;
      usleep(delay);
    }
    const uint64_t given = free.load();
    if (given != UINT64_MAX) return given;
    return FileIo::free_bytes(path);
  }
};

}  // namespace rewindfs::test

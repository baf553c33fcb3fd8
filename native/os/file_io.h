// The one seam for the journal's file I/O: tests put another FileIo in its place to inject ENOSPC, EIO and short writes.
// Every method fails with an errno; EINTR is retried inside, short transfers are the caller's to see.
#pragma once
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "os/result.h"
#include "os/unique_fd.h"

namespace rewindfs {

class FileIo {
 public:
  virtual ~FileIo() = default;
  virtual Result<UniqueFd> open(const std::string& path, int flags, mode_t mode);
  virtual Result<size_t> pwritev(int fd, const iovec* parts, int count, uint64_t offset);
  virtual Result<size_t> pread(int fd, void* buffer, size_t bytes, uint64_t offset);
  // Allocates [0, bytes) as zeroes; a file system without fallocate(2) gets a sparse file of that size.
  virtual Result<void> allocate(int fd, uint64_t bytes);
  virtual Result<void> fdatasync(int fd);
  virtual Result<void> fsync(int fd);
  virtual Result<void> rename(const std::string& from, const std::string& to);
  virtual Result<void> unlink(const std::string& path);
  virtual Result<uint64_t> size(int fd);
  // The first offset at or after `from` that may hold anything but zeroes; the file's size when there is none.
  virtual Result<uint64_t> next_data(int fd, uint64_t from);
  // Bytes free for this process on the file system of the path.
  virtual Result<uint64_t> free_bytes(const std::string& path);
  virtual Result<std::vector<std::string>> list(const std::string& directory);

  static FileIo& system();
};

// All of it or an error: a file that ends before is ENODATA.
Result<void> read_all(FileIo& io, int fd, void* buffer, size_t bytes, uint64_t offset);
// All of it, over as many calls as it takes; changes the parts. A call that writes nothing is EIO.
Result<void> write_all(FileIo& io, int fd, iovec* parts, int count, uint64_t offset);

}  // namespace rewindfs

#include "os/file_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <cstdio>

#include <memory>

namespace rewindfs {
namespace {

template <typename Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

Result<void> check(int result) {
  if (result != 0) return last_errno();
  return {};
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

FileIo& FileIo::system() {
  static FileIo io;
  return io;
}

Result<UniqueFd> FileIo::open(const std::string& path, int flags, mode_t mode) {
  UniqueFd fd(retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }));
  if (!fd.valid()) return last_errno();
  return fd;
}

Result<size_t> FileIo::pwritev(int fd, const iovec* parts, int count, uint64_t offset) {
  const ssize_t written = retry([&] { return ::pwritev(fd, parts, count, static_cast<off_t>(offset)); });
  if (written < 0) return last_errno();
  return static_cast<size_t>(written);
}

Result<size_t> FileIo::pread(int fd, void* buffer, size_t bytes, uint64_t offset) {
  const ssize_t got = retry([&] { return ::pread(fd, buffer, bytes, static_cast<off_t>(offset)); });
  if (got < 0) return last_errno();
  return static_cast<size_t>(got);
}

Result<void> FileIo::allocate(int fd, uint64_t bytes) {
  if (retry([&] { return ::fallocate(fd, 0, 0, static_cast<off_t>(bytes)); }) == 0) return {};
  if (errno != EOPNOTSUPP && errno != ENOSYS) return last_errno();
  struct stat status{};
  if (::fstat(fd, &status) != 0) return last_errno();
  if (static_cast<uint64_t>(status.st_size) >= bytes) return {};
  return check(retry([&] { return ::ftruncate(fd, static_cast<off_t>(bytes)); }));
}

Result<void> FileIo::fdatasync(int fd) {
  return check(retry([&] { return ::fdatasync(fd); }));
}
Result<void> FileIo::fsync(int fd) {
  return check(retry([&] { return ::fsync(fd); }));
}
Result<void> FileIo::rename(const std::string& from, const std::string& to) {
  return check(::rename(from.c_str(), to.c_str()));
}
Result<void> FileIo::unlink(const std::string& path) { return check(::unlink(path.c_str())); }

Result<uint64_t> FileIo::size(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return last_errno();
  return static_cast<uint64_t>(status.st_size);
}

Result<uint64_t> FileIo::next_data(int fd, uint64_t from) {
  const off_t found = ::lseek(fd, static_cast<off_t>(from), SEEK_DATA);
  if (found >= 0) return static_cast<uint64_t>(found);
  return errno == ENXIO ? size(fd) : Result<uint64_t>(from);
}

Result<uint64_t> FileIo::free_bytes(const std::string& path) {
  struct statvfs status{};
  if (retry([&] { return ::statvfs(path.c_str(), &status); }) != 0) return last_errno();
  return static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
}

Result<std::vector<std::string>> FileIo::list(const std::string& path) {
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
  if (!directory) return last_errno();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  if (errno != 0) return last_errno();
  return names;
}

Result<void> read_all(FileIo& io, int fd, void* buffer, size_t bytes, uint64_t offset) {
  auto* to = static_cast<std::byte*>(buffer);
  while (bytes > 0) {
    const Result<size_t> got = io.pread(fd, to, bytes, offset);
    if (!got.ok()) return Errno{got.error()};
    if (*got == 0) return Errno{ENODATA};
    to += *got;
    offset += *got;
    bytes -= *got;
  }
  return {};
}

Result<void> write_all(FileIo& io, int fd, iovec* parts, int count, uint64_t offset) {
  while (count > 0) {
    const Result<size_t> written = io.pwritev(fd, parts, count, offset);
    if (!written.ok()) return Errno{written.error()};
    size_t left = *written;
    if (left == 0) return Errno{EIO};
    offset += left;
    while (count > 0 && left >= parts->iov_len) {
      left -= parts->iov_len;
      ++parts;
      --count;
    }
    if (count > 0) {
      parts->iov_base = static_cast<std::byte*>(parts->iov_base) + left;
      parts->iov_len -= left;
    }
  }
  return {};
}

}  // namespace rewindfs

#include "log.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace rewindfs::disk {

Log::Log(const std::string& path) : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600)) {
  if (fd_.valid()) return;
  std::perror(path.c_str());
  std::exit(1);
}

void Log::add(Kind kind, uint16_t disk, uint64_t offset, std::span<const std::byte> data) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  Entry entry{static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec), offset,
              static_cast<uint32_t>(data.size()), disk, kind};
  const iovec parts[2] = {{&entry, sizeof entry}, {const_cast<std::byte*>(data.data()), data.size()}};
  const auto whole = static_cast<ssize_t>(sizeof entry + data.size());
  if (writev(fd_.get(), parts, data.empty() ? 1 : 2) == whole) return;
  std::perror("the log of the disks");
  std::exit(1);
}

}  // namespace rewindfs::disk

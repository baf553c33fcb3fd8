// Reading an object of which a hook of the baseline has a descriptor.
#pragma once
#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <memory>
#include <string>

#include "os/unique_fd.h"

namespace rewindfs::live {

// The hooks' descriptors of a child are O_PATH: reading needs one of its own.
inline UniqueFd reopen(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  UniqueFd opened(open(path.c_str(), O_RDONLY | O_NOATIME | O_NONBLOCK | O_CLOEXEC));
  if (!opened.valid() && errno == EPERM) opened.reset(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  return opened;
}

inline bool is_empty(int fd) {
  UniqueFd readable = reopen(fd);
  const auto close = [](DIR* directory) { closedir(directory); };
  const std::unique_ptr<DIR, decltype(close)> directory(readable.valid() ? fdopendir(readable.get()) : nullptr, close);
  if (!directory) return false;
  (void)readable.release();
  int entries = 0;
  while (entries <= 2 && readdir(directory.get())) ++entries;
  return entries <= 2;
}

}  // namespace rewindfs::live

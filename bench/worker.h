// What the parts of the benchmark's client share.
#pragma once
#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace bench {

using Clock = std::chrono::steady_clock;

struct Done {
  double rate;          // a second
  double done;          // how many
  double evenness = 1;  // of several clients: what the slowest did, as a share of their mean
};

[[noreturn]] inline void fail(const char* what, const std::string& path) {
  fprintf(stderr, "%s %s: %s\n", what, path.c_str(), strerror(errno));
  exit(1);
}

inline int open_or_fail(const std::string& path, int flags) {
  int fd = open(path.c_str(), flags, 0644);
  if (fd < 0) fail("open", path);
  return fd;
}

inline double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Two processes, each with a file of its own, that write 100 bytes 20,000 times a second between them, COUNT times in all.
Done paced(const std::string& dir, long count);

// COUNT processes at once, each in a directory of its own, for a fixed time: create, write 4 KiB, read back, unlink.
Done clients(const std::string& dir, long count);

}  // namespace bench

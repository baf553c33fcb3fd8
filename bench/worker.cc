// The benchmark's client: plain system calls, one thread (`clients`: one process each). `bench-worker TEST DIR COUNT`
// does COUNT times what TEST names in DIR, or as many as fit into its time, and prints how many (or how many MiB) a
// second that was, and how many it did.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "worker.h"

namespace bench {
namespace {

constexpr double kSecondsAtMost = 3.0;
constexpr int kFilesPerDirectory = 1000;

std::string file_name(const std::string& dir, long i, const char* prefix = "f") {
  return dir + "/d" + std::to_string(i / kFilesPerDirectory) + "/" + prefix + std::to_string(i);
}

// How often `once` could be done: up to `count` times, and not longer than the limit.
template <typename F>
Done rate(long count, F once) {
  auto start = Clock::now();
  long done = 0;
  double seconds = 0;
  while (done < count) {
    once(done++);
    if (done % 64 == 0 || done == count) {
      seconds = seconds_since(start);
      if (seconds > kSecondsAtMost) break;
    }
  }
  return {static_cast<double>(done) / seconds, static_cast<double>(done)};
}

void make_directories(const std::string& dir, long count) {
  for (long i = 0; i < count; i += kFilesPerDirectory) mkdir((dir + "/d" + std::to_string(i / kFilesPerDirectory)).c_str(), 0755);
}

Done small_writes(const std::string& dir, long count) {
  std::vector<char> block(4096, 'w');
  int fd = open_or_fail(dir + "/written", O_RDWR | O_CREAT);
  Done result = rate(count, [&](long i) {
    block[0] = static_cast<char>(i);
    if (pwrite(fd, block.data(), block.size(), (i % 4096) * 4096) != 4096) fail("pwrite", dir);
  });
  close(fd);
  return result;
}

// COUNT writes of 100 bytes without a limit of time: what memory is measured after.
Done tiny_writes(const std::string& dir, long count) {
  char block[100];
  memset(block, 't', sizeof block);
  int fd = open_or_fail(dir + "/tiny", O_RDWR | O_CREAT);
  auto start = Clock::now();
  for (long i = 0; i < count; i++)
    if (pwrite(fd, block, sizeof block, (i % 10'000) * 100) != 100) fail("pwrite", dir);
  close(fd);
  const auto done = static_cast<double>(count);
  return {done / seconds_since(start), done};
}

Done creates(const std::string& dir, long count) {
  make_directories(dir, count);
  return rate(count, [&](long i) { close(open_or_fail(file_name(dir, i), O_CREAT | O_EXCL | O_WRONLY)); });
}

// Files with 4 KiB, for what follows; not measured.
Done prepare(const std::string& dir, long count) {
  std::vector<char> block(4096, 'p');
  make_directories(dir, count);
  for (long i = 0; i < count; i++) {
    int fd = open_or_fail(file_name(dir, i), O_CREAT | O_TRUNC | O_WRONLY);
    if (write(fd, block.data(), block.size()) != 4096) fail("write", dir);
    close(fd);
  }
  return {0, static_cast<double>(count)};
}

Done stats(const std::string& dir, long count) {
  struct stat st {};
  return rate(count, [&](long i) {
    if (lstat(file_name(dir, i).c_str(), &st) != 0) fail("lstat", file_name(dir, i));
  });
}

Done reads(const std::string& dir, long count) {
  std::vector<char> block(4096);
  return rate(count, [&](long i) {
    int fd = open_or_fail(file_name(dir, i), O_RDONLY);
    if (read(fd, block.data(), block.size()) < 0) fail("read", dir);
    close(fd);
  });
}

Done renames(const std::string& dir, long count) {
  return rate(count, [&](long i) {
    if (rename(file_name(dir, i).c_str(), file_name(dir, i, "r").c_str()) != 0) fail("rename", file_name(dir, i));
  });
}

Done unlinks(const std::string& dir, long count) {
  return rate(count, [&](long i) {
    std::string path = file_name(dir, i);
    if (unlink(path.c_str()) != 0 && unlink(file_name(dir, i, "r").c_str()) != 0) fail("unlink", path);
  });
}

// COUNT MiB; `sync`: until it is on stable storage.
Done sequential(const std::string& dir, long count, bool sync) {
  std::vector<char> block(1 << 20);
  unsigned x = 1;
  for (char& c : block) c = static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  int fd = open_or_fail(dir + "/sequential", O_CREAT | O_TRUNC | O_WRONLY);
  auto start = Clock::now();
  for (long i = 0; i < count; i++) {
    memcpy(block.data(), &i, sizeof i);
    if (write(fd, block.data(), block.size()) != static_cast<ssize_t>(block.size())) fail("write", dir);
  }
  if (sync && fdatasync(fd) != 0) fail("fdatasync", dir);
  const double seconds = seconds_since(start);
  close(fd);
  return {static_cast<double>(count) / seconds, static_cast<double>(count)};
}

// Reads DIR (a file here) to its end, COUNT times (once, when 0): MiB a second.
Done read_all(const std::string& path, long count) {
  std::vector<char> block(1 << 20);
  int fd = open_or_fail(path, O_RDONLY);
  auto start = Clock::now();
  double bytes = 0;
  for (long pass = 0; pass < std::max(count, 1L); pass++) {
    lseek(fd, 0, SEEK_SET);
    while (ssize_t got = read(fd, block.data(), block.size())) {
      if (got < 0) fail("read", path);
      bytes += static_cast<double>(got);
    }
  }
  const double seconds = seconds_since(start);
  close(fd);
  return {bytes / 1048576 / seconds, bytes / 1048576};
}

// Reads of 4 KiB all over DIR (a file here).
Done preads(const std::string& path, long count) {
  char block[4096];
  int fd = open_or_fail(path, O_RDONLY);
  const off_t blocks = lseek(fd, 0, SEEK_END) / 4096;
  Done result = rate(count, [&](long i) {
    if (pread(fd, block, sizeof block, (i * 7919 % blocks) * 4096) != sizeof block) fail("pread", path);
  });
  close(fd);
  return result;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  if (argc != 4) {
    fprintf(stderr, "usage: bench-worker TEST DIR COUNT\n");
    return 2;
  }
  std::string dir = argv[2];
  long count = atol(argv[3]);
  std::map<std::string_view, Done (*)(const std::string&, long)> tests = {
      {"small-writes", small_writes}, {"tiny-writes", tiny_writes}, {"creates", creates}, {"prepare", prepare}, {"stats", stats},
      {"reads", reads}, {"renames", renames}, {"unlinks", unlinks}, {"read-all", read_all}, {"preads", preads},
      {"paced", paced}, {"clients", clients},
      {"sequential", [](const std::string& d, long n) { return sequential(d, n, false); }},
      {"sequential-synced", [](const std::string& d, long n) { return sequential(d, n, true); }}};
  auto it = tests.find(argv[1]);
  if (it == tests.end()) {
    fprintf(stderr, "no such test: %s\n", argv[1]);
    return 2;
  }
  const Done done = it->second(dir, count);
  printf("%.1f %.0f %.4f\n", done.rate, done.done, done.evenness);
  return 0;
}

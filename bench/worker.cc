// The benchmark's client: one process, one thread, plain system calls. `bench-worker TEST DIR COUNT` does COUNT times
// what TEST names in DIR, or as many as fit into its time, and prints operations (or bytes) a second.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSecondsAtMost = 3.0;
constexpr int kFilesPerDirectory = 1000;

[[noreturn]] void fail(const char* what, const std::string& path) {
  fprintf(stderr, "%s %s: %s\n", what, path.c_str(), strerror(errno));
  exit(1);
}

std::string file_name(const std::string& dir, long i, const char* prefix = "f") {
  return dir + "/d" + std::to_string(i / kFilesPerDirectory) + "/" + prefix + std::to_string(i);
}

// How often `once` could be done: up to `count` times, and not longer than the limit.
template <typename F>
double rate(long count, F once) {
  auto start = Clock::now();
  long done = 0;
  double seconds = 0;
  while (done < count) {
    once(done++);
    if (done % 64 == 0 || done == count) {
      seconds = std::chrono::duration<double>(Clock::now() - start).count();
      if (seconds > kSecondsAtMost) break;
    }
  }
  return static_cast<double>(done) / seconds;
}

int open_or_fail(const std::string& path, int flags) {
  int fd = open(path.c_str(), flags, 0644);
  if (fd < 0) fail("open", path);
  return fd;
}

void make_directories(const std::string& dir, long count) {
  for (long i = 0; i < count; i += kFilesPerDirectory) mkdir((dir + "/d" + std::to_string(i / kFilesPerDirectory)).c_str(), 0755);
}

double small_writes(const std::string& dir, long count) {
  std::vector<char> block(4096, 'w');
  int fd = open_or_fail(dir + "/written", O_RDWR | O_CREAT);
  double result = rate(count, [&](long i) {
    block[0] = static_cast<char>(i);
    if (pwrite(fd, block.data(), block.size(), (i % 4096) * 4096) != 4096) fail("pwrite", dir);
  });
  close(fd);
  return result;
}

// COUNT writes of 100 bytes without a limit of time: what memory is measured after.
double tiny_writes(const std::string& dir, long count) {
  char block[100];
  memset(block, 't', sizeof block);
  int fd = open_or_fail(dir + "/tiny", O_RDWR | O_CREAT);
  auto start = Clock::now();
  for (long i = 0; i < count; i++)
    if (pwrite(fd, block, sizeof block, (i % 10'000) * 100) != 100) fail("pwrite", dir);
  close(fd);
  return static_cast<double>(count) / std::chrono::duration<double>(Clock::now() - start).count();
}

double creates(const std::string& dir, long count) {
  make_directories(dir, count);
  return rate(count, [&](long i) { close(open_or_fail(file_name(dir, i), O_CREAT | O_EXCL | O_WRONLY)); });
}

// Files with 4 KiB, for what follows; not measured.
double prepare(const std::string& dir, long count) {
  std::vector<char> block(4096, 'p');
  make_directories(dir, count);
  for (long i = 0; i < count; i++) {
    int fd = open_or_fail(file_name(dir, i), O_CREAT | O_TRUNC | O_WRONLY);
    if (write(fd, block.data(), block.size()) != 4096) fail("write", dir);
    close(fd);
  }
  return static_cast<double>(count);
}

double stats(const std::string& dir, long count) {
  struct stat st {};
  return rate(count, [&](long i) {
    if (lstat(file_name(dir, i).c_str(), &st) != 0) fail("lstat", file_name(dir, i));
  });
}

double reads(const std::string& dir, long count) {
  std::vector<char> block(4096);
  return rate(count, [&](long i) {
    int fd = open_or_fail(file_name(dir, i), O_RDONLY);
    if (read(fd, block.data(), block.size()) < 0) fail("read", dir);
    close(fd);
  });
}

double renames(const std::string& dir, long count) {
  return rate(count, [&](long i) {
    if (rename(file_name(dir, i).c_str(), file_name(dir, i, "r").c_str()) != 0) fail("rename", file_name(dir, i));
  });
}

double unlinks(const std::string& dir, long count) {
  return rate(count, [&](long i) {
    std::string path = file_name(dir, i);
    if (unlink(path.c_str()) != 0 && unlink(file_name(dir, i, "r").c_str()) != 0) fail("unlink", path);
  });
}

// COUNT MiB; `sync`: until it is on stable storage.
double sequential(const std::string& dir, long count, bool sync) {
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
  double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  close(fd);
  return static_cast<double>(count) / seconds;
}

// Reads DIR (a file here) to its end: MiB a second.
double read_all(const std::string& path) {
  std::vector<char> block(1 << 20);
  int fd = open_or_fail(path, O_RDONLY);
  auto start = Clock::now();
  double bytes = 0;
  while (ssize_t got = read(fd, block.data(), block.size())) {
    if (got < 0) fail("read", path);
    bytes += static_cast<double>(got);
  }
  close(fd);
  return bytes / 1048576 / std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: bench-worker TEST DIR COUNT\n");
    return 2;
  }
  std::string dir = argv[2];
  long count = atol(argv[3]);
  std::map<std::string_view, double (*)(const std::string&, long)> tests = {
      {"small-writes", small_writes}, {"tiny-writes", tiny_writes}, {"creates", creates}, {"prepare", prepare}, {"stats", stats},
      {"reads", reads}, {"renames", renames}, {"unlinks", unlinks},
      {"sequential", [](const std::string& d, long n) { return sequential(d, n, false); }},
      {"sequential-synced", [](const std::string& d, long n) { return sequential(d, n, true); }},
      {"read-all", [](const std::string& d, long) { return read_all(d); }}};
  auto it = tests.find(argv[1]);
  if (it == tests.end()) {
    fprintf(stderr, "no such test: %s\n", argv[1]);
    return 2;
  }
  printf("%.1f\n", it->second(dir, count));
  return 0;
}

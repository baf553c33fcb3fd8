// Load that is more than one call after another: a steady pace, and many clients at once.
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "worker.h"

namespace bench {
namespace {

constexpr double kClientSeconds = 3.0;
constexpr int kRecordsPerSecond = 20'000;

void one_client(const std::string& dir, Clock::time_point start, volatile long* done) {
  char block[4096];
  memset(block, 'c', sizeof block);
  mkdir(dir.c_str(), 0755);
  for (long i = 0; seconds_since(start) < kClientSeconds; i++) {
    const std::string path = dir + "/f" + std::to_string(i);
    int fd = open_or_fail(path, O_CREAT | O_EXCL | O_RDWR);
    if (pwrite(fd, block, sizeof block, 0) != sizeof block) fail("pwrite", path);
    close(fd);
    fd = open_or_fail(path, O_RDONLY);
    if (pread(fd, block, sizeof block, 0) != sizeof block) fail("pread", path);
    close(fd);
    if (unlink(path.c_str()) != 0) fail("unlink", path);
    *done = *done + 1;
  }
}

}  // namespace

Done paced(const std::string& dir, long count) {
  char block[100];
  memset(block, 'p', sizeof block);
  int fd = open_or_fail(dir + "/paced", O_RDWR | O_CREAT);
  const auto start = Clock::now();
  for (long i = 0; i < count; i++) {
    if (i % 20 == 0) std::this_thread::sleep_until(start + std::chrono::microseconds(i * 1'000'000 / kRecordsPerSecond));
    if (pwrite(fd, block, sizeof block, (i % 10'000) * 100) != sizeof block) fail("pwrite", dir);
  }
  const double seconds = seconds_since(start);
  close(fd);
  return {static_cast<double>(count) / seconds, static_cast<double>(count)};
}

Done clients(const std::string& dir, long count) {
  const size_t bytes = static_cast<size_t>(count) * sizeof(long);
  void* shared = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) fail("mmap", dir);
  auto* counts = static_cast<long*>(shared);
  const auto start = Clock::now();
  for (long i = 0; i < count; i++) {
    if (fork() != 0) continue;
    one_client(dir + "/client" + std::to_string(i), start, &counts[i]);
    _exit(0);
  }
  int status = 0;
  while (wait(&status) > 0) {
    if (status != 0) exit(1);  // the client has said why
  }
  double sum = 0;
  for (long i = 0; i < count; i++) sum += static_cast<double>(counts[i]);
  const double least = static_cast<double>(*std::min_element(counts, counts + count));
  return {sum / kClientSeconds, sum, least / (sum / static_cast<double>(count))};
}

}  // namespace bench

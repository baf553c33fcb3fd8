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
constexpr int kPacedWriters = 2;  // one alone is bound by its own round trips

// `act(i)` in a process of its own for each i below `count`; ends when all have ended.
template <typename F>
void in_processes(long count, F act) {
  for (long i = 0; i < count; i++) {
    const pid_t child = fork();
    if (child < 0) fail("fork", std::to_string(i));
    if (child > 0) continue;
    act(i);
    _exit(0);
  }
  int status = 0;
  while (wait(&status) > 0) {
    if (status != 0) exit(1);  // the process has said why
  }
}

void one_paced(const std::string& path, Clock::time_point start, long count) {
  char block[100];
  memset(block, 'p', sizeof block);
  int fd = open_or_fail(path, O_RDWR | O_CREAT);
  for (long i = 0; i < count; i++) {
    if (i % 20 == 0) std::this_thread::sleep_until(start + std::chrono::microseconds(i * 1'000'000 * kPacedWriters / kRecordsPerSecond));
    if (pwrite(fd, block, sizeof block, (i % 10'000) * 100) != sizeof block) fail("pwrite", path);
  }
  close(fd);
}

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
  const auto start = Clock::now();
  in_processes(kPacedWriters, [&](long writer) { one_paced(dir + "/paced" + std::to_string(writer), start, count / kPacedWriters); });
  return {static_cast<double>(count) / seconds_since(start), static_cast<double>(count)};
}

Done clients(const std::string& dir, long count) {
  const size_t bytes = static_cast<size_t>(count) * sizeof(long);
  void* shared = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) fail("mmap", dir);
  auto* counts = static_cast<long*>(shared);
  const auto start = Clock::now();
  in_processes(count, [&](long i) { one_client(dir + "/client" + std::to_string(i), start, &counts[i]); });
  double sum = 0;
  for (long i = 0; i < count; i++) sum += static_cast<double>(counts[i]);
  const double least = static_cast<double>(*std::min_element(counts, counts + count));
  return {sum / kClientSeconds, sum, least / (sum / static_cast<double>(count))};
}

}  // namespace bench

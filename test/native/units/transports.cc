// The transports on a real mount: who waits, and for whom nobody else waits; what is told when io_uring is refused.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "fuse/uring_transport.h"
#include "mounted_engine.h"

namespace rewindfs::test {
namespace {

using namespace std::chrono_literals;
using fuse::Over;

constexpr int kWriters = 40;  // more than either transport begins with workers

// Asks about names that the kernel does not know yet, so that each question is a request, and lists the tree.
void look_around(const MountedEngine& mount, int round) {
  for (int i = 0; i < 50; ++i) {
    struct stat status;
    (void)::stat((mount / ("missing-" + std::to_string(round * 100 + i))).c_str(), &status);
  }
  CHECK(std::distance(std::filesystem::directory_iterator(mount.root), {}) >= kWriters);
}

void writers_at_the_limit(Over over) {
  const TempDirectory store;
  journal::Options options = options_for(store / "journal");
  options.backlog_hard_bytes = 4 << 20;
  MountedEngine mount(options, [&](live::EngineOptions& with) { with.over = over; });
  std::atomic<bool> enough{false};
  std::vector<std::thread> writers;
  std::atomic<int> open_files{0};
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&, i] {
      const UniqueFd fd(open((mount / ("f" + std::to_string(i))).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
      CHECK(fd.valid());
      ++open_files;
      while (open_files < kWriters) std::this_thread::sleep_for(1ms);
      const std::string data(256 << 10, 'w');
      while (!enough) CHECK_EQ(write(fd.get(), data.data(), data.size()), static_cast<ssize_t>(data.size()));
    });
  }
  uint64_t before = 0;
  for (uint64_t now = 1; now != before || now < options.backlog_hard_bytes; now = mount.journal->stats().backlog_bytes) {
    before = now;
    std::this_thread::sleep_for(200ms);
  }
  auto looking = std::async(std::launch::async, [&] { for (int round = 0; round < 3; ++round) look_around(mount, round); });
  const bool answered = looking.wait_for(20s) == std::future_status::ready;
  const uint64_t after = mount.journal->stats().backlog_bytes;
  enough = true;
  std::atomic<bool> done{false};
  std::thread history([&] {
    while (!done) {
      CHECK(mount.journal->release(mount.journal->last_seq()).ok());
      std::this_thread::sleep_for(5ms);
    }
  });
  for (std::thread& writer : writers) writer.join();
  looking.wait();
  done = true;
  history.join();
  CHECK(mount.journal->release(mount.journal->last_seq()).ok());  // what was written last: the unmount needs room for its record
  CHECK_EQ(std::string(mount.engine->transport()), over == Over::kUring ? "io_uring" : "/dev/fuse");
  CHECK(answered);
  CHECK_EQ(after, before);  // the writers did wait meanwhile
}

TEST("transports: over /dev/fuse, questions are answered while more writers than workers wait for history") { writers_at_the_limit(Over::kDev); }
TEST("transports: over io_uring, questions are answered while more writers than workers wait for history") { writers_at_the_limit(Over::kUring); }

// The kernel offers io_uring, and then takes no entry.
class RefusedRings final : public fuse::Transport {
 public:
  explicit RefusedRings(std::unique_ptr<fuse::DevTransport> dev) : dev_(std::move(dev)) { dev_->keep(1); }
  const char* name() const override { return "io_uring"; }
  unsigned workers() const override { return 1; }
  unsigned groups() const override { return 1; }
  unsigned group(unsigned) const override { return 0; }
  Result<unsigned> add(unsigned) override { return Errno{ENOSPC}; }
  bool passes_by_added() const override { return false; }
  int fd() const override { return dev_->fd(); }
  Result<void> attach(unsigned) override { return Errno{EPERM}; }
  Result<fuse::Received> receive(unsigned worker) override { return dev_->receive(worker); }
  void reply(unsigned worker, uint64_t unique, int error, std::span<const std::byte> body) override { dev_->reply(worker, unique, error, body); }
  void close() override { dev_->close(); }

 private:
  std::unique_ptr<fuse::DevTransport> dev_;
};

TEST("transports: where the kernel refuses io_uring after offering it, it is /dev/fuse, and the kernel's reason is told") {
  const TempDirectory store;
  const MountedEngine mount(options_for(store / "journal"), [](live::EngineOptions& with) {
    with.rings = [](std::unique_ptr<fuse::DevTransport>& dev) -> Result<std::unique_ptr<fuse::Transport>> {
      return std::unique_ptr<fuse::Transport>(std::make_unique<RefusedRings>(std::move(dev)));
    };
  });
  CHECK_EQ(std::string(mount.engine->transport()), "/dev/fuse");
  CHECK_EQ(mount.engine->transport_reason(), "the kernel offers io_uring and refused it: Operation not permitted");
  struct stat status;
  CHECK_EQ(::stat((mount / "missing").c_str(), &status), -1);
  CHECK_EQ(errno, ENOENT);
}

}  // namespace
}  // namespace rewindfs::test

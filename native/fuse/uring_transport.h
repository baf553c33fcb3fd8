// FUSE over io_uring (kernel 6.14, fuse.enable_uring): one system call a request, which hands over the answer and waits
// for the next request, on the processor that the caller runs on.
//
// The kernel has one queue for each processor and gives a request to the entry of that queue that became free last.
// Here each worker has a ring of its own with one entry, several workers to a queue: a worker that blocks (fsync) keeps
// nobody else waiting, and a lone client is always served by the same, warm thread. Worker 0 reads /dev/fuse, by which
// interrupts and forgets still come. (Facts: linux/fuse.h 7.42, Documentation/filesystems/fuse/fuse-io-uring.rst.)
#pragma once
#include <sys/uio.h>

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "fuse/dev_transport.h"
#include "os/io_ring.h"

namespace rewindfs::fuse {

class UringTransport final : public Transport {
 public:
  // Takes what it needs from the machine; the kernel's connection is not touched before attach(). dev is only taken on
  // success. EPERM: io_uring is forbidden; ENOSYS, EINVAL: too old a kernel.
  static Result<std::unique_ptr<Transport>> prepare(std::unique_ptr<DevTransport>& dev);

  const char* name() const override { return "io_uring"; }
  unsigned workers() const override { return 1 + count_.load(std::memory_order_acquire); }
  // A group is a queue; worker 0 is one of its own, which nobody joins.
  unsigned groups() const override { return queues_ + 1; }
  unsigned group(unsigned worker) const override { return worker == 0 ? queues_ : workers_[worker - 1].queue; }
  Result<unsigned> add(unsigned group) override;
  // The kernel gives what waits in a queue to an entry that answers, not to one that is new.
  bool passes_by_added() const override { return true; }
  int fd() const override { return dev_->fd(); }
  Result<void> attach(unsigned worker) override;
  Result<Received> receive(unsigned worker) override;
  void reply(unsigned worker, uint64_t unique, int error, std::span<const std::byte> body) override;
  void close() override;

 private:
  struct Worker {
    IoRing ring;
    uint16_t queue;
    Mapping memory;  // a page with the kernel's header and the frame's head, then the payload
    std::vector<std::byte> scratch;
    iovec parts[2];
    uint64_t commit = 0;
  };

  UringTransport() = default;
  static Result<Worker> make_worker(unsigned queue);
  void command(Worker& worker, uint32_t op);
  std::optional<Received> take(Worker& worker);

  std::unique_ptr<DevTransport> dev_;
  unsigned queues_ = 0;
  size_t most_ = 0;
  std::vector<Worker> workers_;  // with room for the most, so that none ever moves
  std::atomic<unsigned> count_{0};
  std::atomic<bool> closed_{false};
};

}  // namespace rewindfs::fuse

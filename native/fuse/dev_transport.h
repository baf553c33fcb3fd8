// /dev/fuse: a cloned descriptor for each worker, so that workers do not contend for one queue of replies.
//
// The kernel wakes the worker that has waited longest. With all of them waiting, each request of a lone client would go to
// the next, cold one; so only a few wait there, and the others stay aside until those are busy. No lock is taken for that.
#pragma once
#include <atomic>
#include <memory>
#include <vector>

#include "fuse/transport.h"
#include "os/mapping.h"
#include "os/unique_fd.h"

namespace rewindfs::fuse {

class DevTransport final : public Transport {
 public:
  // fd: the descriptor of the mounted connection.
  static Result<std::unique_ptr<DevTransport>> open(UniqueFd fd, unsigned workers);
  const char* name() const override { return "/dev/fuse"; }
  unsigned workers() const override { return count_.load(std::memory_order_acquire); }
  unsigned groups() const override { return 1; }
  unsigned group(unsigned) const override { return 0; }
  Result<unsigned> add(unsigned group) override;
  bool passes_by_added() const override { return false; }
  int fd() const override { return workers_[0].fd.get(); }
  Result<void> attach(unsigned) override { return {}; }
  Result<Received> receive(unsigned worker) override;
  void reply(unsigned worker, uint64_t unique, int error, std::span<const std::byte> body) override;
  void close() override;
  // Before anybody receives: leaves this many workers, and none can be added.
  void keep(unsigned workers);

 private:
  struct Worker {
    UniqueFd fd;
    Mapping in, out;
  };
  DevTransport() = default;
  static Result<Worker> make_worker(UniqueFd fd);
  bool step_forward();
  void step_back();

  size_t most_ = 0;
  std::vector<Worker> workers_;  // with room for the most, so that none ever moves
  std::atomic<unsigned> count_{0};
  // Workers that wait in read(2), or are about to; and whether it was closed.
  static constexpr uint32_t kClosed = 1u << 31;
  std::atomic<uint32_t> waiting_{0};
};

}  // namespace rewindfs::fuse

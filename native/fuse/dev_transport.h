// /dev/fuse: a cloned descriptor for each worker, so that workers do not contend for one queue of replies.
//
// The kernel wakes the worker that has waited longest. With all of them waiting, each request of a lone client would go to
// the next, cold one; so only a few wait there, and the others stay aside until those are busy.
#pragma once
#include <atomic>
#include <memory>
#include <vector>

#include "fuse/transport.h"
#include "os/mutex.h"
#include "os/unique_fd.h"

namespace rewindfs::fuse {

class DevTransport final : public Transport {
 public:
  // fd: the descriptor of the mounted connection.
  static Result<std::unique_ptr<DevTransport>> open(UniqueFd fd, unsigned workers);
  const char* name() const override { return "/dev/fuse"; }
  unsigned workers() const override { return static_cast<unsigned>(workers_.size()); }
  int fd() const override { return workers_[0].fd.get(); }
  Result<void> attach(unsigned) override { return {}; }
  Result<Received> receive(unsigned worker) override;
  void reply(unsigned worker, uint64_t unique, int error, std::span<const std::byte> body) override;
  void close() override EXCLUDES(mutex_);
  // Leaves this many workers.
  void keep(unsigned workers) { workers_.resize(workers); }

 private:
  struct Worker {
    UniqueFd fd;
    std::vector<std::byte> in, out;
  };
  DevTransport() = default;
  bool step_forward() EXCLUDES(mutex_);
  void step_back() EXCLUDES(mutex_);

  std::vector<Worker> workers_;
  std::atomic<bool> closed_{false};
  Mutex mutex_;
  CondVar aside_;
  unsigned waiting_ GUARDED_BY(mutex_) = 0;  // workers that wait in read(2), or are about to
};

}  // namespace rewindfs::fuse

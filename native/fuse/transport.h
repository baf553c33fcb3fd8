// How requests come from the kernel and answers go back: one small interface, so that another transport can take the
// place of /dev/fuse. A worker is a thread; each calls receive and reply with its own number.
#pragma once
#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "os/result.h"
#include "os/unique_fd.h"

namespace rewindfs::fuse {

class Transport {
 public:
  virtual ~Transport() = default;
  virtual const char* name() const = 0;

  // Waits for one whole request. ENODEV: the connection has ended (unmounted or aborted), or close() was called.
  virtual Result<size_t> receive(unsigned worker, std::span<std::byte> buffer) = 0;

  // parts: an OutHeader (its len set) and the body. ENOENT: the kernel does not wait for it any more. Any thread.
  virtual Result<void> reply(unsigned worker, std::span<const iovec> parts) = 0;

  // From now on receive() answers ENODEV; a worker that waits in it must be woken by a signal.
  virtual void close() = 0;
};

// /dev/fuse: a cloned descriptor for each worker, so that workers do not contend for one queue of replies.
class DevTransport final : public Transport {
 public:
  // fd: the descriptor of the mounted connection.
  static Result<std::unique_ptr<DevTransport>> open(UniqueFd fd, unsigned workers);
  const char* name() const override { return "/dev/fuse"; }
  Result<size_t> receive(unsigned worker, std::span<std::byte> buffer) override;
  Result<void> reply(unsigned worker, std::span<const iovec> parts) override;
  void close() override { closed_.store(true, std::memory_order_relaxed); }

 private:
  explicit DevTransport(std::vector<UniqueFd> fds) : fds_(std::move(fds)) {}
  const std::vector<UniqueFd> fds_;
  std::atomic<bool> closed_{false};
};

}  // namespace rewindfs::fuse

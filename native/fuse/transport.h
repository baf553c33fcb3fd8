// How requests come from the kernel and answers go back: one small interface over /dev/fuse and io_uring. A worker is a
// thread; each calls attach, receive and reply with its own number, below workers().
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "os/result.h"

namespace rewindfs::fuse {

// One whole request, and where the body of its answer is best built: room for the largest that it can have.
struct Received {
  std::span<const std::byte> frame;
  std::span<std::byte> out;
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual const char* name() const = 0;
  virtual unsigned workers() const = 0;
  // The connection's descriptor, for ioctl.
  virtual int fd() const = 0;

  // By the worker's own thread, once, before it receives.
  virtual Result<void> attach(unsigned worker) = 0;

  // Waits for a request; what it answers is valid until the worker's next call. ENODEV: the connection has ended
  // (unmounted or aborted), or close() was called.
  virtual Result<Received> receive(unsigned worker) = 0;

  // To what this worker received last, when it wants an answer. error: 0 or a positive errno, then without a body.
  virtual void reply(unsigned worker, uint64_t unique, int error, std::span<const std::byte> body) = 0;

  // From now on receive() answers ENODEV; a worker that waits in it must be woken by a signal.
  virtual void close() = 0;
};

}  // namespace rewindfs::fuse

// How requests come from the kernel and answers go back: one small interface over /dev/fuse and io_uring. A worker is a
// thread; each calls attach, receive and reply with its own number, below workers(). Workers of one group stand in for each
// other: whatever one of them could receive, any of them can.
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

// Workers that can be added to those that a transport begins with. Each waits for one caller, so that so many callers can
// be kept waiting before one that need not wait is.
inline constexpr unsigned kMostAdded = 256;

class Transport {
 public:
  virtual ~Transport() = default;
  virtual const char* name() const = 0;
  virtual unsigned workers() const = 0;
  virtual unsigned groups() const = 0;
  // Below groups().
  virtual unsigned group(unsigned worker) const = 0;
  // One more worker; answers its number. Not by two threads at once. ENOSPC: kMostAdded were added.
  virtual Result<unsigned> add(unsigned group) = 0;
  // Do requests that wait already stay where they are when a worker is added, until another request of its group was
  // answered?
  virtual bool passes_by_added() const = 0;
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

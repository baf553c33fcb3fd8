// One io_uring whose entries are commands to a driver (128 bytes each), for one thread: raw system calls, because
// nothing else of a ring is needed here.
//
// Guarantees: the ring begins disabled; the thread that calls enable() is the only one that may use it afterwards.
#pragma once
#include <linux/io_uring.h>

#include <cstddef>
#include <cstdint>

#include "os/mapping.h"
#include "os/result.h"
#include "os/unique_fd.h"

namespace rewindfs {

class IoRing {
 public:
  // entries: a power of two. EPERM: forbidden on this machine; ENOSYS: not in this kernel; EINVAL: kernel before 6.1.
  static Result<IoRing> create(unsigned entries);

  Result<void> enable();

  // The next entry to fill, zeroed; at most `entries` between two calls of submit().
  io_uring_sqe& next();

  // Hands over the entries filled since, and waits until `wait` completions are there. EINTR: by a signal, before that.
  Result<void> submit(unsigned wait);

  // The oldest completion not yet taken, or null.
  const io_uring_cqe* peek() const;
  void take();

 private:
  IoRing() = default;
  uint32_t& at(const Mapping& mapping, uint32_t offset) const;

  UniqueFd fd_;
  io_uring_params params_{};
  Mapping submissions_, completions_, entries_;
};

}  // namespace rewindfs

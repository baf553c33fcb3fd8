// One io_uring whose entries are commands to a driver (128 bytes each), for one thread: raw system calls, because
// nothing else of a ring is needed here.
//
// Guarantees: the ring begins disabled; the thread that calls enable() is the only one that may use it afterwards.
#pragma once
#include <linux/io_uring.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "os/result.h"
#include "os/unique_fd.h"

namespace rewindfs {

// Sole owner of mapped memory.
class Mapping {
 public:
  // Anonymous memory, or what fd has at offset.
  static Result<Mapping> create(size_t bytes, int fd = -1, uint64_t offset = 0);
  Mapping() = default;
  Mapping(Mapping&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping();

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  Mapping(std::byte* data, size_t size) : data_(data), size_(size) {}
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

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

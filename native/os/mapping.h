// Sole owner of mapped memory: of pages that cost nothing before they are touched.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

#include "os/result.h"

namespace rewindfs {

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

}  // namespace rewindfs

// One request being answered: typed reading of its body, and its answer. Reading past the end gives null and the
// dispatcher answers EINVAL; nothing here trusts a length that it has not checked.
#pragma once
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>

#include "fuse/wire.h"

namespace rewindfs::fuse {

class Call {
 public:
  // out: room for the answer's body, at least kMaxWriteBytes. interrupted: set when the caller was interrupted meanwhile.
  Call(const InHeader& header, std::span<const std::byte> body, std::span<const std::byte> extensions,
       std::span<std::byte> out, const volatile bool* interruption)
      : head(header), interrupted(interruption), body_(body), extensions_(extensions), out_(out) {}

  const InHeader& head;
  const volatile bool* const interrupted;

  template <typename T>
  const T* take() {
    if (body_.size() < sizeof(T)) return nullptr;
    const auto* value = reinterpret_cast<const T*>(body_.data());
    body_ = body_.subspan(sizeof(T));
    return value;
  }
  // A NUL-terminated string; its view is followed by the NUL. data() is null when there is none.
  std::string_view take_string() {
    const void* end = body_.empty() ? nullptr : std::memchr(body_.data(), 0, body_.size());
    if (end == nullptr) return {};
    const auto* begin = reinterpret_cast<const char*>(body_.data());
    const auto length = static_cast<size_t>(static_cast<const char*>(end) - begin);
    body_ = body_.subspan(length + 1);
    return {begin, length};
  }
  std::span<const std::byte> rest() const { return body_; }
  std::span<const std::byte> extensions() const { return extensions_; }

  void fail(int error) {
    error_ = error;
    size_ = 0;
  }
  void ok() { fail(0); }
  template <typename T>
  void ok(const T& value) {
    error_ = 0;
    size_ = sizeof value;
    std::memcpy(out_.data(), &value, sizeof value);
  }
  // The answer is the first `size` bytes of out().
  void ok_bytes(size_t size) {
    error_ = 0;
    size_ = size;
  }
  void no_answer() { silent_ = true; }

  std::span<std::byte> out() { return out_; }
  int error() const { return error_; }
  bool silent() const { return silent_; }
  std::span<const std::byte> answer() const { return out_.first(size_); }

 private:
  std::span<const std::byte> body_, extensions_;
  std::span<std::byte> out_;
  size_t size_ = 0;
  int error_ = 0;
  bool silent_ = false;
};

}  // namespace rewindfs::fuse

// A value or an errno. Nothing in native/ throws; native/addon/ is the only place that turns an errno into a JavaScript error.
#pragma once
#include <cerrno>
#include <optional>
#include <utility>

namespace rewindfs {

struct [[nodiscard]] Errno {
  int value = 0;  // positive
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Errno error) : error_(error.value) {}

  bool ok() const { return error_ == 0; }
  int error() const { return error_; }  // 0 when ok
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  int error_ = 0;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Errno error) : error_(error.value) {}
  bool ok() const { return error_ == 0; }
  int error() const { return error_; }

 private:
  int error_ = 0;
};

inline Errno last_errno() { return Errno{errno}; }

}  // namespace rewindfs

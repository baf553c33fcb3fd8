// A failure with all that an error message needs, for calls that JavaScript makes. The hot paths use Result.
#pragma once
#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace rewindfs {

struct Failure {
  int error = EIO;       // positive errno
  std::string syscall;   // what was tried
  std::string path{};    // on what, empty when there is no path
  std::string code{};    // a code of lib/errors.ts; empty: the name of the errno
  std::string detail{};  // what was expected and what came; empty: the text of the errno
  int64_t offset = -1;   // where in the file, -1 when that says nothing
};

struct Done {};

template <typename T>
class [[nodiscard]] Outcome {
 public:
  Outcome(T value) : state_(std::move(value)) {}
  Outcome(Failure failure) : state_(std::move(failure)) {}
  bool ok() const { return state_.index() == 0; }
  T& operator*() { return std::get<0>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  const Failure& failure() const { return std::get<1>(state_); }

 private:
  std::variant<T, Failure> state_;
};

}  // namespace rewindfs

// Tests of the native code that need no JavaScript: each TEST is one line of `build/native-tests --list`, run by
// test/native/suite.ts in a process of its own.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace rewindfs::test {

struct Case {
  const char* title;
  std::function<void()> run;
};
std::vector<Case>& cases();

struct Register {
  Register(const char* title, std::function<void()> run) { cases().push_back({title, std::move(run)}); }
};

#define TEST_JOIN2(a, b) a##b
#define TEST_JOIN(a, b) TEST_JOIN2(a, b)
#define TEST(title)                                                                                \
  static void TEST_JOIN(test_, __LINE__)();                                                        \
  static const ::rewindfs::test::Register TEST_JOIN(register_, __LINE__)(title, TEST_JOIN(test_, __LINE__)); \
  static void TEST_JOIN(test_, __LINE__)()

// Ends the process with exit code 1: each test has its own.
[[noreturn]] void fail(const char* file, int line, const std::string& message);

#define CHECK(condition) \
  do {                   \
    if (!(condition)) ::rewindfs::test::fail(__FILE__, __LINE__, "not so: " #condition); \
  } while (false)

#define CHECK_EQ(actual, wanted)                                                                   \
  do {                                                                                             \
    const auto actual_value = (actual);                                                            \
    const auto wanted_value = (wanted);                                                            \
    if (!(actual_value == wanted_value)) {                                                         \
      std::ostringstream message;                                                                  \
      message << #actual << " is " << actual_value << ", expected " << wanted_value;               \
      ::rewindfs::test::fail(__FILE__, __LINE__, message.str());                                   \
    }                                                                                              \
  } while (false)

// A directory of its own, gone with the test; in $TMPDIR or /tmp.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Printed, so that a failure can be repeated: REWIND_SEED=<n> in the environment sets it.
uint64_t seed();

}  // namespace rewindfs::test

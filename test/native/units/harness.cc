#include "harness.h"

namespace rewindfs::test {

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

void fail(const char* file, int line, const std::string& message) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message.c_str());
  std::fflush(stderr);
  std::_Exit(1);
}

TempDirectory::TempDirectory() {
  const char* base = std::getenv("TMPDIR");
  std::string name = std::string(base && *base ? base : "/tmp") + "/rewindfs-native-XXXXXX";
  if (!mkdtemp(name.data())) fail(__FILE__, __LINE__, "mkdtemp " + name);
  path_ = name;
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

uint64_t seed() {
  const char* given = std::getenv("REWIND_SEED");
  const uint64_t value = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("REWIND_SEED=%llu\n", static_cast<unsigned long long>(value));
  std::fflush(stdout);
  return value;
}

}  // namespace rewindfs::test

#include "harness.h"

int main(int argc, char** argv) {
  using rewindfs::test::cases;
  const std::string wanted = argc > 1 ? argv[1] : "";
  if (wanted == "--list") {
    for (const auto& test : cases()) std::puts(test.title);
    return 0;
  }
  bool found = false;
  for (const auto& test : cases()) {
    if (!wanted.empty() && wanted != test.title) continue;
    found = true;
    test.run();
    std::printf("ok %s\n", test.title);
    std::fflush(stdout);
  }
  return found ? 0 : 2;
}

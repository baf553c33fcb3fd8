// The rules: what is decided of a name from what was decided of its directory is what the whole path gives.
#include "live/policy.h"

#include <random>
#include <string>

#include "harness.h"

namespace rewindfs::test {
namespace {

using live::Capture;
using live::Policy;
using live::PolicyRule;

PolicyRule by_name(std::string glob, bool directory, Capture capture) {
  return {{"**", std::move(glob)}, directory, capture, "", ""};
}

TEST("a decision in a directory is the decision of the path, where rules go by name") {
  std::mt19937 random(20261121);
  const auto pick = [&](auto&&... of) {
    const std::string all[] = {of...};
    return all[random() % std::size(all)];
  };
  size_t left_out = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<PolicyRule> rules;
    for (size_t n = 1 + random() % 4; n > 0; --n) {
      rules.push_back(by_name(pick("a", "b", "a*", "*.o", "cache"), random() % 2 == 0, static_cast<Capture>(random() % 3)));
    }
    const Policy policy(std::move(rules));
    CHECK(!policy.has_paths());
    std::string path;
    Policy::Decision parent{};
    for (int depth = 0; depth < 4; ++depth) {
      const bool directory = depth < 3 || random() % 2 == 0;
      const std::string name = pick("a", "b", "ab", "x.o", "cache", "c");
      const Policy::Decision decision = policy.decide_in(parent, name, directory);
      path += (path.empty() ? "" : "/") + name;
      const Policy::Decision whole = policy.decide(path, directory);
      CHECK_EQ(decision.rule, whole.rule);
      CHECK(decision.capture == whole.capture);
      left_out += decision.capture != Capture::kEachWrite;
      parent = decision;
    }
  }
  CHECK(left_out > 500);
}

}  // namespace
}  // namespace rewindfs::test

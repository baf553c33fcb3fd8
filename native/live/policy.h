// The rules that say how the content of a path is captured. lib/policy compiles patterns to this form; only this code
// evaluates them, for the engine and for `rewind policy check` alike.
//
// Guarantees: immutable, so that any thread may ask; the last rule that matches decides; a rule matches what its pattern
// matches and everything below it. No allocation, no system call.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rewindfs::live {

// Rising: of two that apply to one object, the greater is the stricter.
enum class Capture : uint8_t { kNone = 0, kOnClose = 1, kEachWrite = 2 };

struct PolicyRule {
  std::vector<std::string> parts;  // one glob for each name of the path; "**" stands for any number of directories
  bool directory = false;          // matches directories only
  Capture capture = Capture::kEachWrite;
  std::string pattern;             // as it was written, and where: for gaps
  std::string by;
};

class Policy {
 public:
  static constexpr int kNoRule = -1;
  struct Decision {
    Capture capture = Capture::kEachWrite;
    int rule = kNoRule;
  };

  explicit Policy(std::vector<PolicyRule> rules);

  // path: relative to the root of the tree, without slashes at its ends; the root itself is "".
  Decision decide(std::string_view path, bool directory) const;
  // Of a name in a directory about which it was decided so. Only where no rule has_paths().
  Decision decide_in(const Decision& parent, std::string_view name, bool directory) const;
  // Every path is captured at each write.
  bool trivial() const { return trivial_; }
  // Has a rule that depends on more of a path than one name, so that moving a directory may change what lies deep in it.
  bool has_paths() const { return has_paths_; }
  const PolicyRule& rule(int index) const { return rules_[static_cast<size_t>(index)]; }
  // true for the first caller only: each rule that left something out says so once.
  // Until forget_uses().
  bool first_use(int index) const { return !used_[static_cast<size_t>(index)].exchange(true, std::memory_order_relaxed); }
  void forget_uses() const {
    for (size_t i = 0; i < rules_.size(); ++i) used_[i].store(false, std::memory_order_relaxed);
  }

 private:
  const std::vector<PolicyRule> rules_;
  const std::unique_ptr<std::atomic<bool>[]> used_;
  bool trivial_ = true;
  bool has_paths_ = false;
};

// One name against one glob: * ? [a-z] [!a-z] [[:alpha:]] and \ before a character, by bytes, as git matches them.
bool glob_matches(std::string_view glob, std::string_view name);

}  // namespace rewindfs::live

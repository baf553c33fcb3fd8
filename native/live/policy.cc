#include "live/policy.h"

#include <algorithm>
#include <array>
#include <span>

namespace rewindfs::live {
namespace {

constexpr size_t kMaxNames = 256;  // what lies deeper is captured at each write

bool in_class(std::string_view name, unsigned char c) {
  const bool digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
  const bool graph = c > 0x20 && c < 0x7f;
  if (name == "alnum") return digit || upper || lower;
  if (name == "alpha") return upper || lower;
  if (name == "blank") return c == ' ' || c == '\t';
  if (name == "cntrl") return c < 0x20 || c == 0x7f;
  if (name == "digit") return digit;
  if (name == "graph") return graph;
  if (name == "lower") return lower;
  if (name == "print") return graph || c == ' ';
  if (name == "punct") return graph && !digit && !upper && !lower;
  if (name == "space") return c == ' ' || (c >= '\t' && c <= '\r');
  if (name == "upper") return upper;
  if (name == "xdigit") return digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  return false;
}

// One character of a set, after an escape if there is one.
unsigned char set_char(std::string_view glob, size_t& at) {
  if (glob[at] == '\\' && at + 1 < glob.size()) ++at;
  return static_cast<unsigned char>(glob[at++]);
}

// The set that begins at glob[at] == '['; at is left behind its ']'. A set that does not end matches nothing.
bool set_matches(std::string_view glob, size_t& at, unsigned char c) {
  ++at;
  const bool negated = at < glob.size() && (glob[at] == '!' || glob[at] == '^');
  if (negated) ++at;
  bool found = false;
  for (bool first = true; at < glob.size() && (first || glob[at] != ']'); first = false) {
    const size_t end = glob.substr(at, 2) == "[:" ? glob.find(":]", at + 2) : std::string_view::npos;
    if (end != std::string_view::npos) {
      found |= in_class(glob.substr(at + 2, end - at - 2), c);
      at = end + 2;
      continue;
    }
    const unsigned char low = set_char(glob, at);
    unsigned char high = low;
    if (at + 1 < glob.size() && glob[at] == '-' && glob[at + 1] != ']') high = set_char(glob, ++at);
    found |= c >= low && c <= high;
  }
  if (at >= glob.size()) return false;
  ++at;
  return found != negated;
}

// Is the path `names` what the pattern `parts` says?
bool path_matches(std::span<const std::string> parts, std::span<const std::string_view> names) {
  while (!parts.empty()) {
    if (parts[0] == "**") {
      if (parts.size() == 1) return !names.empty();
      for (size_t skip = 0; skip < names.size(); ++skip) {
        if (path_matches(parts.subspan(1), names.subspan(skip))) return true;
      }
      return false;
    }
    if (names.empty() || !glob_matches(parts[0], names[0])) return false;
    parts = parts.subspan(1);
    names = names.subspan(1);
  }
  return names.empty();
}

bool rule_matches(const PolicyRule& rule, std::span<const std::string_view> names, bool directory) {
  const bool by_name = rule.parts.size() == 2 && rule.parts[0] == "**";
  for (size_t length = 1; length <= names.size(); ++length) {
    if (rule.directory && !directory && length == names.size()) break;
    if (by_name ? glob_matches(rule.parts[1], names[length - 1]) : path_matches(rule.parts, names.first(length))) return true;
  }
  return false;
}

}  // namespace

bool glob_matches(std::string_view glob, std::string_view name) {
  size_t g = 0, n = 0, star = std::string_view::npos, star_name = 0;
  while (n < name.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = ++g;
      star_name = n;
      continue;
    }
    bool same = false;
    if (g < glob.size()) {
      if (glob[g] == '?') {
        same = true;
        ++g;
      } else if (glob[g] == '[') {
        same = set_matches(glob, g, static_cast<unsigned char>(name[n]));
      } else {
        if (glob[g] == '\\' && g + 1 < glob.size()) ++g;
        same = glob[g++] == name[n];
      }
    }
    if (same) {
      ++n;
    } else if (star != std::string_view::npos) {  // the last star takes one more
      g = star;
      n = ++star_name;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

Policy::Policy(std::vector<PolicyRule> rules)
    : rules_(std::move(rules)), used_(std::make_unique<std::atomic<bool>[]>(rules_.size())) {
  for (const PolicyRule& rule : rules_) {
    trivial_ = trivial_ && rule.capture == Capture::kEachWrite;
    has_paths_ = has_paths_ || !(rule.parts.size() == 2 && rule.parts[0] == "**");
  }
}

Policy::Decision Policy::decide(std::string_view path, bool directory) const {
  if (path.empty()) return {};
  std::array<std::string_view, kMaxNames> names;
  size_t count = 0;
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    if (count == kMaxNames) return {};
    names[count++] = path.substr(at, end - at);
    at = end + 1;
  }
  for (size_t i = rules_.size(); i-- > 0;) {
    if (rule_matches(rules_[i], std::span(names).first(count), directory)) return {rules_[i].capture, static_cast<int>(i)};
  }
  return {};
}

Policy::Decision Policy::decide_in(const Decision& parent, std::string_view name, bool directory) const {
  const Decision own = decide(name, directory);
  return own.rule > parent.rule ? own : parent;
}

}  // namespace rewindfs::live

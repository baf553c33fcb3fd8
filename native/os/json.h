// Writes one flat JSON object. Text that is not UTF-8 gets U+FFFD in place of each byte that does not fit.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rewindfs {

class JsonObject {
 public:
  void number(std::string_view key, uint64_t value);
  void boolean(std::string_view key, bool value);
  void text(std::string_view key, std::string_view value);
  void texts(std::string_view key, const std::vector<std::string>& values);
  // The object, as text; nothing may be added any more.
  std::string finish();

 private:
  void key(std::string_view name);
  std::string text_ = "{";
};

// With quotes.
std::string json_string(std::string_view text);

}  // namespace rewindfs

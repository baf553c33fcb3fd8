#include "os/json.h"

#include <cstdio>

namespace rewindfs {
namespace {

bool continues(std::string_view text, size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

// Bytes of the UTF-8 sequence at the start, 0 when it is none (overlong forms and surrogates are none).
size_t sequence_bytes(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const auto second = text.size() > 1 ? static_cast<unsigned char>(text[1]) : 0;
  if (first >= 0xc2 && first <= 0xdf) return continues(text, 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
    return continues(text, 1) && continues(text, 2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
    return continues(text, 1) && continues(text, 2) && continues(text, 3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text[0]);
    size_t bytes = 1;
    if (byte == '"' || byte == '\\') {
      quoted.append({'\\', text[0]});
    } else if (byte < 0x20 || byte == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      quoted += escape;
    } else if (byte < 0x80) {
      quoted += text[0];
    } else if ((bytes = sequence_bytes(text)) > 0) {
      quoted.append(text.substr(0, bytes));
    } else {
      quoted += "\\ufffd";
      bytes = 1;
    }
    text.remove_prefix(bytes);
  }
  return quoted + "\"";
}

void JsonObject::key(std::string_view name) {
  if (text_.size() > 1) text_ += ',';
  text_.append(json_string(name)).append(":");
}

void JsonObject::number(std::string_view name, uint64_t value) {
  key(name);
  text_ += std::to_string(value);
}

void JsonObject::boolean(std::string_view name, bool value) {
  key(name);
  text_ += value ? "true" : "false";
}

void JsonObject::text(std::string_view name, std::string_view value) {
  key(name);
  text_ += json_string(value);
}

void JsonObject::texts(std::string_view name, const std::vector<std::string>& values) {
  key(name);
  text_ += '[';
  for (const std::string& value : values) {
    if (text_.back() != '[') text_ += ',';
    text_ += json_string(value);
  }
  text_ += ']';
}

std::string JsonObject::finish() { return text_ + "}"; }

}  // namespace rewindfs

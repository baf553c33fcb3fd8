// The driver's loop: read a line, look the operation up, execute it, answer.
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>

#include "session.h"

namespace driver {

std::string escape(std::string_view bytes) {
  if (bytes.empty()) return "%";
  static constexpr std::string_view kPlain = "_./,:=+@#-";
  std::string out;
  for (unsigned char c : bytes) {
    if (isalnum(c) || kPlain.find(static_cast<char>(c)) != std::string_view::npos) {
      out += static_cast<char>(c);
    } else {
      char hex[4];
      snprintf(hex, sizeof hex, "%%%02x", c);
      out += hex;
    }
  }
  return out;
}

std::string unescape(std::string_view token) {
  if (token == "%") return {};
  std::string out;
  for (size_t i = 0; i < token.size(); i++) {
    if (token[i] == '%' && i + 2 < token.size()) {
      out += static_cast<char>(std::stoi(std::string(token.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += token[i];
    }
  }
  return out;
}

// Not cryptographic: two states that differ by a bug of ours do not collide.
uint64_t hash(uint64_t seed, const char* data, size_t bytes) {
  uint64_t h = seed ^ 0x9e3779b97f4a7c15ull;
  for (; bytes >= 8; data += 8, bytes -= 8) {
    uint64_t word;
    memcpy(&word, data, 8);
    h = (h ^ word) * 0xff51afd7ed558ccdull;
    h ^= h >> 32;
  }
  for (; bytes > 0; data++, bytes--) {
    h = (h ^ static_cast<unsigned char>(*data)) * 0xff51afd7ed558ccdull;
    h ^= h >> 29;
  }
  return h;
}

namespace {

Reply run(const Table& table, Session& session, const std::string& line) {
  std::istringstream in(line);
  std::string op, token;
  in >> op;
  Args args;
  while (in >> token) args.push_back(unescape(token));
  auto it = table.find(op);
  if (it == table.end()) return {ENOSYS, {}};
  try {
    return it->second(session, args);
  } catch (const std::exception&) {  // a malformed line of the test itself: vector::at, stoll
    return {EBADMSG, {}};
  }
}

}  // namespace
}  // namespace driver

int main() {
  driver::Table table;
  driver::add_name_ops(table);
  driver::add_data_ops(table);
  driver::add_attribute_ops(table);
  driver::add_process_ops(table);
  driver::add_kernel_ops(table);
  driver::add_snapshot_ops(table);
  driver::Session session;
  std::ios::sync_with_stdio(false);
  std::string line;
  while (std::getline(std::cin, line)) {
    driver::Reply reply = driver::run(table, session, line);
    if (reply.error != 0) {
      const char* name = strerrorname_np(reply.error);
      std::cout << "err " << (name ? name : "?");
    } else {
      std::cout << "ok";
      if (!reply.text.empty()) std::cout << ' ' << reply.text;
    }
    std::cout << std::endl;
  }
  return 0;
}

// The test driver: executes system calls that Node has no call for, one a line, and answers with the result or the
// errno. It is what the conformance cases and the oracle speak to; it knows nothing of rewindfs.
//
// A line is `op arg arg ...`; bytes outside [A-Za-z0-9_./,:=+@#-] are written %XX, the empty string is `%`. The answer is
// `ok[ value ...]` or `err ENAME`. Paths are relative to the directory of the last `base`.
#pragma once
#include <dirent.h>

#include <cerrno>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace driver {

using Args = std::vector<std::string>;

struct Reply {
  int error = 0;
  std::string text;
};

// Descriptors and mappings by the slot numbers that the other side chose.
struct Session {
  struct Mapping {
    char* data;
    size_t bytes;
  };
  std::map<int, int> files;
  std::map<int, Mapping> maps;
  std::map<int, pid_t> children;

  // -1 (and so EBADF from any call) when the slot is empty.
  int fd(const std::string& slot) const {
    auto it = files.find(std::stoi(slot));
    return it == files.end() ? -1 : it->second;
  }
};

struct CloseDirectory {
  void operator()(DIR* dir) const { closedir(dir); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

using Handler = Reply (*)(Session&, const Args&);
using Table = std::map<std::string_view, Handler>;

void add_name_ops(Table& table);
void add_data_ops(Table& table);
void add_attribute_ops(Table& table);
void add_process_ops(Table& table);
void add_kernel_ops(Table& table);
void add_snapshot_ops(Table& table);

std::string escape(std::string_view bytes);
std::string unescape(std::string_view token);
uint64_t hash(uint64_t seed, const char* data, size_t bytes);

inline Reply done(long result) { return result < 0 ? Reply{errno, {}} : Reply{}; }
inline Reply value(long long result) {
  return result < 0 ? Reply{errno, {}} : Reply{0, std::to_string(result)};
}
inline long long number(const std::string& text) { return std::stoll(text, nullptr, 0); }

}  // namespace driver

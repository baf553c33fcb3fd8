#include "live/process_info.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace rewindfs::live {
namespace {

constexpr size_t kMaxArgumentBytes = 8192;
constexpr size_t kMaxEnvironmentBytes = 256 << 10;
constexpr int kMaxAncestors = 64;
constexpr char kSessionVariable[] = "REWIND_SESSION=";

std::string proc(pid_t pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

// At most `limit` bytes, empty when it cannot be read.
std::string read_proc(pid_t pid, const char* name, size_t limit = 4096) {
  const UniqueFd fd(open(proc(pid, name).c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(limit, '\0');
  size_t filled = 0;
  while (fd.valid() && filled < limit) {
    const ssize_t got = read(fd.get(), text.data() + filled, limit - filled);
    if (got <= 0) break;
    filled += static_cast<size_t>(got);
  }
  text.resize(filled);
  return text;
}

// The number after "\nKey:\t", -1 when there is none.
long number_after(const std::string& text, const char* key) {
  const size_t at = text.find(key);
  return at == std::string::npos ? -1 : std::strtol(text.c_str() + at + std::strlen(key), nullptr, 10);
}

// The field of /proc/PID/stat with this number (from the fourth on: a number), 0 when there is none.
uint64_t stat_field(const std::string& stat, int number) {
  // The second field is a name in parentheses that may hold anything; the third follows its last ')'.
  size_t at = stat.rfind(')');
  for (int field = 3; field <= number && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  return at == std::string::npos ? 0 : std::strtoull(stat.c_str() + at + 1, nullptr, 10);
}

}  // namespace

std::optional<ProcessIds> process_of(pid_t thread) {
  const std::string status = read_proc(thread, "status", 1024);
  const long pid = number_after(status, "\nTgid:");
  const long parent = number_after(status, "\nPPid:");
  if (pid <= 0) return std::nullopt;
  return ProcessIds{static_cast<pid_t>(pid), static_cast<pid_t>(parent < 0 ? 0 : parent)};
}

uint64_t start_time(pid_t pid) { return stat_field(read_proc(pid, "stat", 1024), 22); }

std::string executable(pid_t pid) {
  char target[PATH_MAX];
  const ssize_t got = readlink(proc(pid, "exe").c_str(), target, sizeof target);
  return got > 0 ? std::string(target, static_cast<size_t>(got)) : std::string();
}

std::vector<std::string> command_line(pid_t pid) {
  const std::string text = read_proc(pid, "cmdline", kMaxArgumentBytes);
  std::vector<std::string> arguments;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\0', at), text.size());
    arguments.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return arguments;
}

std::string control_group(pid_t pid) {
  const std::string text = read_proc(pid, "cgroup");
  const size_t unified = text.find("0::");
  if (unified == std::string::npos) return {};
  return text.substr(unified + 3, text.find('\n', unified) - unified - 3);
}

std::vector<std::string> ancestors(pid_t parent) {
  std::vector<std::string> chain;
  for (pid_t pid = parent; pid > 1 && chain.size() < kMaxAncestors;) {
    const std::string stat = read_proc(pid, "stat", 1024);
    if (stat.empty()) break;
    chain.push_back(std::to_string(pid) + ":" + std::to_string(stat_field(stat, 22)));
    pid = static_cast<pid_t>(stat_field(stat, 4));
  }
  return chain;
}

std::string run_session(pid_t pid) {
  const std::string text = read_proc(pid, "environ", kMaxEnvironmentBytes);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\0', at), text.size());
    if (text.compare(at, sizeof kSessionVariable - 1, kSessionVariable) == 0) {
      at += sizeof kSessionVariable - 1;
      return text.substr(at, end - at);
    }
    at = end + 1;
  }
  return {};
}

// /proc/PID/pagemap stays bound to the memory that the process had when it was opened, and reads as empty once nobody
// runs on it. It is the cheapest file of that kind: page 0 is never mapped, so that there is nothing to look up.
Program Program::of(pid_t pid) {
  Program program;
  program.pages_.reset(open(proc(pid, "pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  return program;
}

bool Program::still_runs() const {
  uint64_t page;
  return pages_.valid() && pread(pages_.get(), &page, sizeof page, 0) == sizeof page;
}

bool shares_memory(pid_t pid, pid_t other) {
  return other > 0 && syscall(SYS_kcmp, pid, other, KCMP_VM, 0, 0) == 0;
}

}  // namespace rewindfs::live

// What /proc tells of a process.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "os/unique_fd.h"

namespace rewindfs::live {

struct ProcessIds {
  pid_t pid;
  pid_t parent;
};

// The process that a thread belongs to; nothing when it is gone or not visible from here (another pid namespace).
std::optional<ProcessIds> process_of(pid_t thread);

// Start time in clock ticks since boot (field 22 of /proc/PID/stat), 0 when it is gone.
uint64_t start_time(pid_t pid);

std::string executable(pid_t pid);  // empty when it cannot be read
std::vector<std::string> command_line(pid_t pid);
std::string control_group(pid_t pid);
// The parent, its parent and so on, the nearest first, as "PID:START" (START as start_time): a process that never wrote
// has no record of its own, and the chain from a writer up to who started it must not break there.
std::vector<std::string> ancestors(pid_t parent);
// REWIND_SESSION of the environment that it was exec'd with, empty without: `rewind run` sets it, and processes that
// outlive their parents keep it.
std::string run_session(pid_t pid);

// The program that a process runs, from one exec to the next.
class Program {
 public:
  // Not valid() for a kernel thread or a process of somebody else.
  static Program of(pid_t pid);
  bool valid() const { return pages_.valid(); }
  // false once it exec'd or exited. Also false when it cannot be known.
  bool still_runs() const;

 private:
  UniqueFd pages_;
};

// The child of a vfork(2) runs on its parent's memory until it execs, so that Program cannot see that exec.
bool shares_memory(pid_t pid, pid_t other);

}  // namespace rewindfs::live

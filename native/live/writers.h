// Who makes a change: a thread id from a request's header -> the seq of a kWriter record.
//
// resolve() reads /proc while the process still lives, caches by (pid, start time, executable), and appends a kWriter
// record the first time a writer is seen in this session. It answers 0 only for pid 0 (kernel writeback).
// It must cost well under a microsecond when the same thread asked a moment ago.
//
// A family is a process and all that it started, as they were when each of them was first seen.
#pragma once
#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "journal/recorder.h"

namespace rewindfs::live {

class Writers {
 public:
  explicit Writers(journal::Recorder& recorder);
  ~Writers();
  uint64_t resolve(uint32_t tid, uint32_t uid, uint32_t gid);

  // Families that may change nothing from now on, each as "PID:START" of its first process. Never this process itself.
  void block(std::set<std::string> families);
  // Does the thread belong to one of them? Costs nothing while there are none.
  bool refuses(uint32_t tid, uint32_t uid, uint32_t gid);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rewindfs::live

// Who makes a change: a thread id from a request's header -> the seq of a kWriter record.
//
// resolve() reads /proc while the process still lives, caches by (pid, start time, executable), and appends a kWriter
// record the first time a writer is seen in this session. It answers 0 only for pid 0 (kernel writeback).
// It must cost well under a microsecond when the same thread asked a moment ago.
#pragma once
#include <cstdint>
#include <memory>

#include "journal/recorder.h"

namespace rewindfs::live {

class Writers {
 public:
  explicit Writers(journal::Recorder& recorder);
  ~Writers();
  uint64_t resolve(uint32_t tid, uint32_t uid, uint32_t gid);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rewindfs::live

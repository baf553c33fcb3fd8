// A thread with a table of descriptors of its own, for work in a file system that this very process serves. Threads that share
// their descriptors keep those of the server open until the last of them has ended; one that waits for an answer of the server
// ends only once they are closed. A process that is killed at such a moment would never end.
//
// What a job opens is valid in its thread only, and must be closed by a job.
#pragma once
#include <functional>
#include <thread>

#include "os/mutex.h"

namespace rewindfs {

class OwnFilesThread {
 public:
  OwnFilesThread() : thread_([this] { loop(); }) {}
  ~OwnFilesThread();
  OwnFilesThread(const OwnFilesThread&) = delete;
  OwnFilesThread& operator=(const OwnFilesThread&) = delete;

  // Returns once the job has ended; one at a time.
  void run(const std::function<void()>& job) EXCLUDES(mutex_);

 private:
  void loop() EXCLUDES(mutex_);

  Mutex mutex_;
  CondVar changed_;
  const std::function<void()>* job_ GUARDED_BY(mutex_) = nullptr;
  bool ending_ GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace rewindfs

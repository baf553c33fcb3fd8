// After rules or names have changed: captures, in the background, what was left out before and is not to be left out any
// more.
//
// Guarantees: takes one inode's lock at a time, for one file; a file that is written meanwhile is captured by its handle.
// A descriptor that cannot be opened is a gap. What is not reached before the unmount is found at the next mount: history
// knows which files it lacks.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "live/policy.h"
#include "os/mutex.h"
#include "os/result.h"

namespace rewindfs::live {

class Tree;

class Recapture {
 public:
  explicit Recapture(Tree& tree) : tree_(tree) {}
  ~Recapture() { stop(); }

  // The tree below `path` ("" is all of it) was under `before` at the path `was`.
  void enqueue(std::string path, std::string was, std::shared_ptr<const Policy> before);
  bool busy();
  void stop();

 private:
  struct Job {
    std::string path, was;
    std::shared_ptr<const Policy> before;
  };
  void run();
  void walk(const Job& job);
  bool directory(const Job& job, const std::string& below, std::deque<std::string>& more);
  void file(int dir, const char* name);
  bool stopping();

  Tree& tree_;
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool working_ GUARDED_BY(mutex_) = false;
  std::deque<Job> jobs_ GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace rewindfs::live

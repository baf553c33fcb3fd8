// Lets changes pass, or keeps them out while something must be done between two of them.
//
// Guarantees: after close() none is inside, and none enters until open(); who waits outside keeps no worker busy
// (os/waiting.h). Passing costs two atomic additions. Not recursive: a thread passes once.
#pragma once
#include <atomic>

#include "os/mutex.h"
#include "os/waiting.h"

namespace rewindfs {

class Gate {
 public:
  class Pass {
   public:
    explicit Pass(Gate& gate) : gate_(gate) { gate_.enter(); }
    ~Pass() { gate_.leave(); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    Gate& gate_;
  };

  void close() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (closed_.load()) changed_.wait(mutex_);
    closed_.store(true);
    while (inside_.load() != 0) changed_.wait(mutex_);
  }
  void open() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    closed_.store(false);
    changed_.notify_all();
  }

 private:
  // The counter first, then the look: close() does it the other way round, so that one of the two sees the other.
  void enter() EXCLUDES(mutex_) {
    while (true) {
      inside_.fetch_add(1);
      if (!closed_.load()) return;
      leave();
      const Waiting waiting;
      const MutexLock lock(mutex_);
      while (closed_.load()) changed_.wait(mutex_);
    }
  }
  void leave() EXCLUDES(mutex_) {
    if (inside_.fetch_sub(1) != 1 || !closed_.load()) return;
    const MutexLock lock(mutex_);
    changed_.notify_all();
  }

  std::atomic<unsigned> inside_{0};
  std::atomic<bool> closed_{false};
  Mutex mutex_;
  CondVar changed_;
};

}  // namespace rewindfs

// Lets changes pass, or keeps them out while something must be done between two of them.
//
// Guarantees: after close() none is inside, and none enters until open(); who waits outside keeps no worker busy
// (os/waiting.h). Passing costs two stores to a line of the thread's own and one load of a line that hardly ever changes, no
// locked instruction: close() pays for that with membarrier(2). Not recursive: a thread is in one gate, once.
#pragma once
#include <atomic>

#include "os/mutex.h"

namespace rewindfs {

class Gate {
 public:
  Gate();

  class Pass {
   public:
    explicit Pass(Gate& gate) : place_(here()) { gate.enter(place_); }
    ~Pass() { place_.inside.store(nullptr, std::memory_order_release); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    friend class Gate;
    struct alignas(64) Place {  // of a thread, for as long as it lives
      Place();
      ~Place();
      Place(const Place&) = delete;
      Place& operator=(const Place&) = delete;
      std::atomic<const Gate*> inside{nullptr};
    };
    static Place& here();
    Place& place_;
  };

  void close() EXCLUDES(mutex_);
  void open() EXCLUDES(mutex_);

 private:
  friend class Pass;

  // The place first, then the look: close() does it the other way round, so that one of the two sees the other.
  void enter(Pass::Place& place) {
    while (true) {
      if (lazy_) {
        place.inside.store(this, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);  // the processor is told by close()
      } else {
        place.inside.store(this, std::memory_order_seq_cst);
      }
      if (!closed_.load(lazy_ ? std::memory_order_acquire : std::memory_order_seq_cst)) return;
      place.inside.store(nullptr, std::memory_order_release);
      wait();
    }
  }
  void wait() EXCLUDES(mutex_);
  bool anyone_inside() const;

  std::atomic<bool> closed_{false};
  const bool lazy_;  // the kernel has membarrier(2)
  Mutex mutex_;
  CondVar opened_;
};

}  // namespace rewindfs

// Who was told an object's attributes lately. The kernel keeps such an answer for long, and it does so when the thread that
// asked gets to run: on a busy machine after a change that another thread has long been told is done. It would then show
// what was before until something else changes. For changes of content and mode the kernel knows by itself which answer is
// older; for those of names and extended attributes it has to be told (FUSE_NOTIFY_INVAL_INODE) that what is still on its
// way is old.
//
// Guarantee: an answer that was looked up before such a change is either looked up again, or the change knows of it.
#pragma once
#include <time.h>

#include <atomic>
#include <cstdint>

namespace rewindfs::live {

class Onlookers {
 public:
  // To this thread. True: it changes just now, and what was looked up before this call may be old.
  bool told(uint32_t thread) {
    const uint32_t now = now_ms();
    const uint64_t last = last_.load(std::memory_order_relaxed);
    if (thread_of(last) != thread && is_recent(time_of(last), now)) several_.store(now);
    last_.store(uint64_t{thread} << 32 | now);
    return is_recent(changed_.load(), now);
  }

  // By this thread, and done. True: others may have an older answer on their way.
  bool changed(uint32_t thread) {
    const uint32_t now = now_ms();
    changed_.store(now);
    const uint64_t last = last_.load();
    return (thread_of(last) != thread && is_recent(time_of(last), now)) || is_recent(several_.load(), now);
  }

 private:
  // Who has not run for so long after its answer is beyond help.
  static constexpr uint32_t kRecentMs = 2000;

  // Never zero, which is never.
  static uint32_t now_ms() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return static_cast<uint32_t>(now.tv_sec * 1000 + now.tv_nsec / 1'000'000) | 1;
  }
  static bool is_recent(uint32_t time, uint32_t now) { return time != 0 && now - time <= kRecentMs; }
  static uint32_t thread_of(uint64_t last) { return static_cast<uint32_t>(last >> 32); }
  static uint32_t time_of(uint64_t last) { return static_cast<uint32_t>(last); }

  std::atomic<uint64_t> last_{0};     // thread, time
  std::atomic<uint32_t> several_{0};  // when two threads had been told within that time
  std::atomic<uint32_t> changed_{0};
};

}  // namespace rewindfs::live

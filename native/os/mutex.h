// Mutexes that clang's -Wthread-safety understands: what a lock guards is declared (GUARDED_BY), not described.
#pragma once
#include <condition_variable>
#include <mutex>
#include <shared_mutex>

#if defined(__clang__)
#define REWINDFS_TSA(x) __attribute__((x))
#else
#define REWINDFS_TSA(x)
#endif
#define CAPABILITY(x) REWINDFS_TSA(capability(x))
#define SCOPED_CAPABILITY REWINDFS_TSA(scoped_lockable)
#define GUARDED_BY(x) REWINDFS_TSA(guarded_by(x))
#define PT_GUARDED_BY(x) REWINDFS_TSA(pt_guarded_by(x))
#define REQUIRES(...) REWINDFS_TSA(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) REWINDFS_TSA(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) REWINDFS_TSA(acquire_capability(__VA_ARGS__))
#define RELEASE(...) REWINDFS_TSA(release_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS REWINDFS_TSA(no_thread_safety_analysis)

namespace rewindfs {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }
  std::mutex& native() { return mutex_; }

 private:
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits with a Mutex that the caller holds.
class CondVar {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex) { cv_.wait(mutex); }
  template <typename Duration>
  bool wait_for(Mutex& mutex, Duration timeout) REQUIRES(mutex) {
    return cv_.wait_for(mutex, timeout) == std::cv_status::no_timeout;
  }
  void notify_one() { cv_.notify_one(); }
  void notify_all() { cv_.notify_all(); }

 private:
  std::condition_variable_any cv_;
};

}  // namespace rewindfs

#include "os/own_files_thread.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace rewindfs {
namespace {

constexpr unsigned kFirstOwn = 3;  // standard streams stay
constexpr unsigned kUnshare = 1u << 1;  // CLOSE_RANGE_UNSHARE

}  // namespace

OwnFilesThread::~OwnFilesThread() {
  {
    const MutexLock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void OwnFilesThread::run(const std::function<void()>& job) {
  const MutexLock lock(mutex_);
  while (job_ != nullptr) changed_.wait(mutex_);
  job_ = &job;
  changed_.notify_all();
  while (job_ == &job) changed_.wait(mutex_);
}

void OwnFilesThread::loop() {
  syscall(SYS_close_range, kFirstOwn, ~0u, kUnshare);
  const MutexLock lock(mutex_);
  for (;;) {
    while (job_ == nullptr && !ending_) changed_.wait(mutex_);
    if (job_ == nullptr) return;
    const std::function<void()>& job = *job_;
    mutex_.unlock();
    job();
    mutex_.lock();
    job_ = nullptr;
    changed_.notify_all();
  }
}

}  // namespace rewindfs

// A thread that may have to wait long (for history, for a disk) says so, and whoever runs it can have another thread do its
// work meanwhile. Costs next to nothing, and nothing happens on a thread that nobody runs so.
#pragma once
namespace rewindfs {

// Who runs a thread; both calls come from that thread, under whatever locks it holds: they must take none but their own.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual void begin_waiting() = 0;
  virtual void end_waiting() = 0;
};

// For the time of the wait.
class Waiting {
 public:
  // Of this thread, from now on; null: nobody.
  static void run_by(Runner* runner) { runner_ = runner; }

  Waiting() {
    if (runner_ != nullptr) runner_->begin_waiting();
  }
  ~Waiting() {
    if (runner_ != nullptr) runner_->end_waiting();
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  inline static thread_local Runner* runner_ = nullptr;
};

}  // namespace rewindfs

// Trouble with a backing file, told to whoever looks after recovery (lib/daemon/recovery.ts), who can answer a read in the
// file's place.
//
// Guarantees: while patience is zero nothing is told and nobody waits; a reader waits no longer than the patience, and not
// longer than its own caller; after stop() nobody waits any more. To be called under no lock of the engine.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "os/mutex.h"

namespace rewindfs::live {

struct Trouble {
  uint64_t id = 0;  // of a read that waits; 0: nobody does
  const char* what; // read, write, sync, close
  uint64_t ino = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  int error = 0;
  uint32_t thread = 0;  // whose call it was
};

class Rescue {
 public:
  // wake: called from any thread when there is something to take().
  void listen(std::function<void()> wake) EXCLUDES(mutex_);
  void set_patience(std::chrono::milliseconds patience) EXCLUDES(mutex_);

  // The bytes that the file should have given, as many as there are; nothing when nobody can tell.
  std::optional<size_t> read(Trouble trouble, std::span<std::byte> into, const volatile bool* interrupted) EXCLUDES(mutex_);
  // Nobody waits for this.
  void report(const Trouble& trouble) EXCLUDES(mutex_);

  std::vector<Trouble> take() EXCLUDES(mutex_);
  // The answer to a read: bytes, or none. Too late, and it is dropped.
  void answer(uint64_t id, std::optional<std::span<const std::byte>> bytes) EXCLUDES(mutex_);
  void stop() EXCLUDES(mutex_);

 private:
  struct Waiter {
    std::span<std::byte> into;
    bool answered = false;
    std::optional<size_t> got;
  };
  static constexpr size_t kMostPending = 1024;

  // false: nobody listens, or too much is pending.
  bool tell(const Trouble& trouble) REQUIRES(mutex_);

  Mutex mutex_;
  CondVar answered_;
  std::function<void()> wake_ GUARDED_BY(mutex_);
  std::chrono::milliseconds patience_ GUARDED_BY(mutex_){0};
  uint64_t next_ GUARDED_BY(mutex_) = 1;
  std::vector<Trouble> pending_ GUARDED_BY(mutex_);
  std::map<uint64_t, Waiter*> waiting_ GUARDED_BY(mutex_);
};

}  // namespace rewindfs::live

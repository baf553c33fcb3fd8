#include "os/gate.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "os/waiting.h"

namespace rewindfs {
namespace {

constexpr auto kLook = std::chrono::microseconds(200);  // how often who closes looks whether the last one has left

bool membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

// Of all threads that ever passed a gate and still live.
struct Places {
  Mutex mutex;
  std::vector<const std::atomic<const Gate*>*> all GUARDED_BY(mutex);

  static Places& get() {
    static Places* places = new Places;  // outlives every thread
    return *places;
  }
};

}  // namespace

Gate::Pass::Place::Place() {
  Places& places = Places::get();
  const MutexLock lock(places.mutex);
  places.all.push_back(&inside);
}

Gate::Pass::Place::~Place() {
  Places& places = Places::get();
  const MutexLock lock(places.mutex);
  std::erase(places.all, &inside);
}

Gate::Pass::Place& Gate::Pass::here() {
  static thread_local Place place;
  return place;
}

Gate::Gate() : lazy_(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)) {}

void Gate::close() {
  const MutexLock lock(mutex_);
  while (closed_.load()) opened_.wait(mutex_);
  closed_.store(true);
  if (lazy_) (void)membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  while (anyone_inside()) opened_.wait_for(mutex_, kLook);
}

void Gate::open() {
  const MutexLock lock(mutex_);
  closed_.store(false);
  opened_.notify_all();
}

void Gate::wait() {
  const Waiting waiting;
  const MutexLock lock(mutex_);
  while (closed_.load()) opened_.wait(mutex_);
}

bool Gate::anyone_inside() const {
  Places& places = Places::get();
  const MutexLock lock(places.mutex);
  return std::ranges::any_of(places.all, [this](const auto* inside) { return inside->load(std::memory_order_acquire) == this; });
}

}  // namespace rewindfs

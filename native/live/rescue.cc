#include "live/rescue.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "os/waiting.h"

namespace rewindfs::live {
namespace {

constexpr auto kLook = std::chrono::milliseconds(100);  // how often a waiting reader asks whether it was interrupted

}  // namespace

void Rescue::listen(std::function<void()> wake) {
  const MutexLock lock(mutex_);
  wake_ = std::move(wake);
}

void Rescue::set_patience(std::chrono::milliseconds patience) {
  const MutexLock lock(mutex_);
  patience_ = patience;
}

bool Rescue::tell(const Trouble& trouble) {
  if (!wake_ || patience_.count() == 0 || pending_.size() >= kMostPending) return false;
  pending_.push_back(trouble);
  wake_();  // only queues a call
  return true;
}

std::optional<size_t> Rescue::read(Trouble trouble, std::span<std::byte> into, const volatile bool* interrupted) {
  const Waiting waiting;
  const MutexLock lock(mutex_);
  Waiter waiter{into, false, {}};
  trouble.id = next_++;
  if (!tell(trouble)) return {};
  waiting_[trouble.id] = &waiter;
  const auto until = std::chrono::steady_clock::now() + patience_;
  while (!waiter.answered && std::chrono::steady_clock::now() < until && !(interrupted != nullptr && *interrupted)) {
    answered_.wait_for(mutex_, kLook);
  }
  waiting_.erase(trouble.id);
  return waiter.got;
}

void Rescue::report(const Trouble& trouble) {
  const MutexLock lock(mutex_);
  (void)tell(trouble);
}

std::vector<Trouble> Rescue::take() {
  const MutexLock lock(mutex_);
  return std::exchange(pending_, {});
}

void Rescue::answer(uint64_t id, std::optional<std::span<const std::byte>> bytes) {
  const MutexLock lock(mutex_);
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;
  Waiter& waiter = *found->second;
  if (bytes) {
    waiter.got = std::min(bytes->size(), waiter.into.size());
    std::memcpy(waiter.into.data(), bytes->data(), *waiter.got);
  }
  waiter.answered = true;
  answered_.notify_all();
}

void Rescue::stop() {
  const MutexLock lock(mutex_);
  patience_ = std::chrono::milliseconds(0);
  for (const auto& [id, waiter] : waiting_) waiter->answered = true;
  answered_.notify_all();
}

}  // namespace rewindfs::live

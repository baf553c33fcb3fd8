#include "live/baseline_state.h"

#include <algorithm>

namespace rewindfs::live {

void Ranges::add(uint64_t begin, uint64_t end) {
  if (begin >= end) return;
  auto next = ranges_.upper_bound(begin);
  if (next != ranges_.begin() && std::prev(next)->second >= begin) --next;
  while (next != ranges_.end() && next->first <= end) {
    begin = std::min(begin, next->first);
    end = std::max(end, next->second);
    next = ranges_.erase(next);
  }
  ranges_.emplace_hint(next, begin, end);
}

std::pair<uint64_t, uint64_t> Ranges::next_missing(uint64_t begin, uint64_t end) const {
  auto next = ranges_.upper_bound(begin);
  if (next != ranges_.begin()) begin = std::max(begin, std::prev(next)->second);
  if (next != ranges_.end()) end = std::min(end, next->first);
  return {begin, std::max(begin, end)};
}

// Open addressing with linear probing; 0 is no inode number and marks a free slot.
size_t InodeSet::slot(uint64_t ino) const {
  size_t at = (ino * 0x9e3779b97f4a7c15ull >> 20) & (capacity_ - 1);
  while (slots_[at] != 0 && slots_[at] != ino) at = (at + 1) & (capacity_ - 1);
  return at;
}

bool InodeSet::contains(uint64_t ino) const { return capacity_ != 0 && slots_[slot(ino)] == ino; }

void InodeSet::insert(uint64_t ino) {
  if ((count_ + 1) * 4 > capacity_ * 3) grow();
  uint64_t& at = slots_[slot(ino)];
  if (at == 0) ++count_;
  at = ino;
}

void InodeSet::grow() {
  const std::unique_ptr<uint64_t[]> old = std::move(slots_);
  const size_t old_capacity = capacity_;
  capacity_ = std::max<size_t>(16, capacity_ * 2);
  slots_ = std::make_unique<uint64_t[]>(capacity_);
  for (size_t i = 0; i < old_capacity; ++i) {
    if (old[i] != 0) slots_[slot(old[i])] = old[i];
  }
}

std::shared_ptr<BaseInode> InodeStates::get(uint64_t ino) {
  Shard& home = shard(ino);
  const MutexLock lock(home.mutex);
  if (home.settled.contains(ino)) return nullptr;
  std::shared_ptr<BaseInode>& state = home.begun[ino];
  if (!state) state = std::make_shared<BaseInode>();
  return state;
}

void InodeStates::settle(uint64_t ino) {
  Shard& home = shard(ino);
  const MutexLock lock(home.mutex);
  home.settled.insert(ino);
  home.begun.erase(ino);
}

bool InodeStates::settle_untouched(uint64_t ino) {
  Shard& home = shard(ino);
  const MutexLock lock(home.mutex);
  if (home.begun.contains(ino)) return false;
  home.settled.insert(ino);
  return true;
}

void InodeStates::clear() {
  for (Shard& home : shards_) {
    const MutexLock lock(home.mutex);
    home.begun.clear();
    home.settled.clear();
  }
}

void Moved::add(uint64_t ino) {
  const MutexLock lock(mutex_);
  inodes_.insert(ino);
  count_.store(inodes_.size(), std::memory_order_relaxed);
}

void Moved::remove(uint64_t ino) {
  if (size() == 0) return;
  const MutexLock lock(mutex_);
  inodes_.erase(ino);
  count_.store(inodes_.size(), std::memory_order_relaxed);
}

bool Moved::contains(uint64_t ino) {
  if (size() == 0) return false;
  const MutexLock lock(mutex_);
  return inodes_.contains(ino);
}

}  // namespace rewindfs::live

// Taking several inodes' locks in the one order that cannot deadlock (inode.h): by address, each once.
#pragma once
#include <array>
#include <initializer_list>

#include "live/inode.h"

namespace rewindfs::live {

// Holds the state (or the names) of up to four inodes; null and repeated ones are left out.
template <Mutex Inode::*kWhich>
class LockSet {
 public:
  LockSet(std::initializer_list<Inode*> inodes) NO_THREAD_SAFETY_ANALYSIS {
    for (Inode* inode : inodes) add(inode);
    for (size_t i = 0; i < count_; ++i) (held_[i]->*kWhich).lock();
  }
  ~LockSet() NO_THREAD_SAFETY_ANALYSIS {
    while (count_ > 0) (held_[--count_]->*kWhich).unlock();
  }
  LockSet(const LockSet&) = delete;
  LockSet& operator=(const LockSet&) = delete;

 private:
  void add(Inode* inode) {
    size_t at = 0;
    while (at < count_ && held_[at] < inode) ++at;
    if (inode == nullptr || (at < count_ && held_[at] == inode)) return;
    for (size_t i = count_++; i > at; --i) held_[i] = held_[i - 1];
    held_[at] = inode;
  }

  std::array<Inode*, 4> held_{};
  size_t count_ = 0;
};
using NamesLock = LockSet<&Inode::names>;
using StateLock = LockSet<&Inode::state>;

}  // namespace rewindfs::live

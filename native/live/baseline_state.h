// What is known of each inode while the baseline is made. Three states: not looked at (in no table), begun (an entry in
// `begun`), settled (a number in `settled`: whatever history needs of it is in the journal).
//
// Lock order: a BaseInode's mutex before a shard's; no two of a kind together.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "journal/format.h"
#include "os/mutex.h"

namespace rewindfs::live {

// Disjoint ranges of a file.
class Ranges {
 public:
  void add(uint64_t begin, uint64_t end);
  // The first stretch in [begin, end) that is in no range; empty (begin == end) when there is none.
  std::pair<uint64_t, uint64_t> next_missing(uint64_t begin, uint64_t end) const;

 private:
  std::map<uint64_t, uint64_t> ranges_;  // begin -> end
};

struct BaseInode {
  Mutex mutex;
  bool settled GUARDED_BY(mutex) = false;
  bool node_known GUARDED_BY(mutex) = false;     // attr is set, and in the journal unless history had it
  bool history_has_it GUARDED_BY(mutex) = false; // attributes and content are as expected
  bool assert_whole GUARDED_BY(mutex) = false;   // history may hold other content: holes must be recorded too
  bool late GUARDED_BY(mutex) = false;           // nothing changed while unmounted: only its content was not captured before
  journal::Attr attr GUARDED_BY(mutex){};        // as at the mount
  Ranges captured GUARDED_BY(mutex);
  std::unordered_set<std::string> touched GUARDED_BY(mutex);  // directories: names that a hook has dealt with

  // Is all said of this name in it? A directory that went is settled: what gets a name in it afterwards is not of the mount.
  bool dealt_with(const std::string& name) const REQUIRES(mutex) { return settled || touched.contains(name); }
};

// A set of inode numbers in 8 to 16 bytes each.
class InodeSet {
 public:
  bool contains(uint64_t ino) const;
  void insert(uint64_t ino);
  void clear() { *this = InodeSet(); }

 private:
  size_t slot(uint64_t ino) const;
  void grow();
  std::unique_ptr<uint64_t[]> slots_;
  size_t capacity_ = 0;
  size_t count_ = 0;
};

class InodeStates {
 public:
  // Its state, begun if need be; null when it is settled.
  std::shared_ptr<BaseInode> get(uint64_t ino);
  void settle(uint64_t ino);
  // Settles it if nobody has begun with it.
  bool settle_untouched(uint64_t ino);
  void clear();

 private:
  static constexpr size_t kShards = 64;
  struct Shard {
    Mutex mutex;
    std::unordered_map<uint64_t, std::shared_ptr<BaseInode>> begun GUARDED_BY(mutex);
    InodeSet settled GUARDED_BY(mutex);
  };
  Shard& shard(uint64_t ino) { return shards_[(ino * 0x9e3779b97f4a7c15ull) >> 58]; }
  std::array<Shard, kShards> shards_;
};

// Objects that lost a name before the walk reached them and live on under another: the walk may already be past it.
class Moved {
 public:
  void add(uint64_t ino);
  void remove(uint64_t ino);
  bool contains(uint64_t ino);
  size_t size() const { return count_.load(std::memory_order_relaxed); }

 private:
  Mutex mutex_;
  std::unordered_set<uint64_t> inodes_ GUARDED_BY(mutex_);
  std::atomic<size_t> count_{0};
};

}  // namespace rewindfs::live

// Objects and open files that the kernel knows, by the numbers it knows them by.
//
// Guarantees: an id is never used again, and an unknown one (a forged or late request) finds nothing. An Inode means
// one object for as long as it lives: the object is pinned by a descriptor, or, when there are more objects than
// descriptors (PathCache), named by its file handle, which a reused inode number does not fit.
//
// Lock order: Inode::names (one directory, or two by address), then Inode::state (any number, by address), then the
// locks of Baseline, then the journal's. Tables' own locks are leaves.
#pragma once
#include <sys/stat.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "journal/recorder.h"
#include "os/mutex.h"
#include "os/result.h"
#include "live/onlookers.h"
#include "live/path_cache.h"
#include "live/policy.h"
#include "os/unique_fd.h"

namespace rewindfs::live {

// Something about an object that costs a system call to find out, and that every change to it passes by.
enum class Known : uint8_t { kNot, kNo, kYes };

struct Deferred;

struct Inode {
  Inode(uint64_t nodeid, uint64_t number, dev_t device, mode_t mode, PathCache& paths, UniqueFd fd)
      : id(nodeid), ino(number), dev(device), type(mode & S_IFMT), paths_(paths), holder_(paths.hold(std::move(fd))) {}

  const uint64_t id;    // the kernel's nodeid
  const uint64_t ino;   // on the backing file system
  const dev_t dev;
  const mode_t type;    // S_IFMT

  Mutex names;          // a directory's entries
  Mutex state;          // data and attributes: from before the change until its record is appended

  // O_PATH, held for as long as the Path lives.
  Path path() const { return paths_.open(holder_); }
  // Its last name is going: only a descriptor keeps it now.
  void keep_path() const { paths_.keep(holder_); }
  void keep_path_removed() const { paths_.keep_removed(holder_); }

  // To read content without moving the access time, where we may; invalid, and errno, when it cannot be opened.
  UniqueFd open_unnoticed() const;

  // For clang, where the lock was taken through a LockSet.
  void assert_state() const REWINDFS_TSA(assert_capability(state)) {}

  std::atomic<unsigned> open_for_writing{0};  // handles
  mutable Onlookers onlookers;
  Known capability GUARDED_BY(state) = Known::kNot;  // security.capability

  // Belong to Captures: what the policy says, as of which generation of it; how many handles there are, and how they are
  // open; what is not recorded at each write; pages that the kernel keeps may be older than the file; it may change without
  // a request.
  std::atomic<uint64_t> decided{0};
  std::atomic<uint32_t> opened{0};
  std::shared_ptr<Deferred> deferred GUARDED_BY(state);
  std::atomic<bool> stale_pages{false};
  std::atomic<bool> changes_unseen{false};

  bool is_directory() const { return type == S_IFDIR; }
  bool is_regular() const { return type == S_IFREG; }

 private:
  friend class InodeTable;
  PathCache& paths_;
  const PathHolderPtr holder_;
  uint64_t lookups_ = 0;  // guarded by the table's lock
};
using InodePtr = std::shared_ptr<Inode>;

class InodeTable {
 public:
  explicit InodeTable(size_t max_descriptors) : paths(max_descriptors) {}

  PathCache paths;

  // The root gets id 1 and is never forgotten.
  void set_root(InodePtr root);
  InodePtr root() const { return root_; }

  InodePtr find(uint64_t id) EXCLUDES(mutex_);
  // Known object of that number, if any; does not count as a lookup.
  InodePtr find_object(dev_t dev, uint64_t ino) EXCLUDES(mutex_);
  // The Inode of the object behind fd (made when it is new), counted as one lookup by the kernel when `counted`.
  // An Inode that is not counted is forgotten with its last pointer.
  InodePtr intern(UniqueFd fd, const struct statx& stat, bool counted) EXCLUDES(mutex_);
  // One more lookup of an object that the kernel knows already.
  void count(const InodePtr& inode) EXCLUDES(mutex_);
  void forget(uint64_t id, uint64_t lookups) EXCLUDES(mutex_);
  size_t size() EXCLUDES(mutex_);

 private:
  struct Key {
    dev_t dev;
    uint64_t ino;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const { return (key.ino * 0x9e3779b97f4a7c15ull) ^ key.dev; }
  };

  InodePtr root_;
  Mutex mutex_;
  uint64_t next_id_ GUARDED_BY(mutex_) = 16;  // below: the root and synthetic objects
  std::unordered_map<uint64_t, InodePtr> by_id_ GUARDED_BY(mutex_);
  std::unordered_map<Key, std::weak_ptr<Inode>, KeyHash> by_object_ GUARDED_BY(mutex_);
};

struct Handle {
  InodePtr inode;
  UniqueFd fd;
  bool writable = false;
  bool readable = true;
  Capture capture = Capture::kEachWrite;    // never changes once it is registered
  bool counted = false;                     // in Inode::opened
  int32_t backing_id = 0;                   // > 0: the kernel does not ask us to read or write
  uint64_t writer = 0;
  uint64_t save = 0;                        // seq of the record that opened it for writing
  journal::Reservation room_to_close;       // the record that ends the save must not fail for want of room
};
using HandlePtr = std::shared_ptr<Handle>;

class HandleTable {
 public:
  uint64_t add(HandlePtr handle) EXCLUDES(mutex_);
  HandlePtr find(uint64_t fh) EXCLUDES(mutex_);
  HandlePtr remove(uint64_t fh) EXCLUDES(mutex_);
  std::vector<HandlePtr> all() EXCLUDES(mutex_);
  size_t size() EXCLUDES(mutex_);
  void clear() EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  uint64_t next_ GUARDED_BY(mutex_) = 1;
  std::unordered_map<uint64_t, HandlePtr> handles_ GUARDED_BY(mutex_);
};

}  // namespace rewindfs::live

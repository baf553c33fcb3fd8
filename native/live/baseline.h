// The baseline: what the tree held at this session's mount becomes history, by a walk in the background; whatever is
// about to change before the walk reached it is captured first (invariant I9). Once the walk is complete every hook is
// one relaxed atomic load.
//
// Lock rules: the hooks are called by an operation that already holds its own lock of the inode (before_data,
// before_attr) or of the directory or directories (before_name) concerned, before it applies the change. The walk takes
// no lock of the engine: it reads, then claims under a lock of its own that each hook also takes, and what a hook claimed
// first it drops. A hook that fails (ENOSPC, EIO) makes the operation fail unapplied.
//
// Identity is the inode number on the backing file system.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "journal/recorder.h"
#include "os/mutex.h"
#include "os/result.h"

namespace rewindfs::live {

// What the walk needs to know of the tree.
class TreeAccess {
 public:
  virtual ~TreeAccess() = default;
  virtual int root_fd() const = 0;  // of the backing directory
  virtual uint64_t root_ino() const = 0;
};

class Baseline {
 public:
  Baseline(journal::Recorder& recorder, TreeAccess& tree);
  ~Baseline();

  bool pending() const { return pending_.load(std::memory_order_relaxed); }

  // Content in [offset, offset + length) of the file is about to change (write, truncate: up to its old end; punch ...).
  // fd: readable, of the file.
  Result<void> before_data(uint64_t ino, int fd, uint64_t offset, uint64_t length);
  // Attributes, xattrs or link count of the object are about to change. fd: O_PATH or better.
  Result<void> before_attr(uint64_t ino, int fd);
  // dir/name is about to be made, removed, replaced or moved. child_fd: O_PATH of what lies there now, -1 for nothing.
  // child_goes: its last name is going, so its whole content must be captured too.
  Result<void> before_name(uint64_t dir_ino, int dir_fd, std::string_view name, uint64_t child_ino, int child_fd, bool child_goes);
  // Made in this session, and not in the journal yet: everything about it is recorded from birth.
  Result<void> born(uint64_t ino);

  // Before the tree is mounted: the first walk was never complete, and began at this time (BaselineCapture::go_on).
  void go_on(int64_t since_ns);
  // Before start(): what the policy leaves out (BaselineCapture::Excluded).
  void exclude(std::function<bool(int fd, uint32_t nlink)> excluded);

  // Everything from the beginning, as at a mount: what was changed meanwhile is not in the journal. No hook may be under way,
  // nor come before it returns. What go_on said counts for the walk before only.
  void restart();

  // From the daemon (lib/native.ts Engine.expect, startBaseline, baselineDone).
  void expect(std::span<const std::byte> entries);
  void start();
  void stop();  // ends the walk early (unmount); harmless: the next mount goes on
  // Called once the walk has ended: with 0 when it is complete, else with the errno that it failed with (ECANCELED: stop).
  void on_done(std::function<void(int error)> callback);

  struct Progress {
    int state;  // 0 loading, 1 walking, 2 done, 3 failed
    uint64_t directories, files, bytes, differences;
  };
  Progress progress() const;

 private:
  struct Impl;
  Impl& impl() const { return *current_.load(); }  // for the hooks
  std::shared_ptr<Impl> latest() const EXCLUDES(mutex_);
  void begin(std::shared_ptr<Impl> walk) EXCLUDES(mutex_);

  journal::Recorder& recorder_;
  TreeAccess& tree_;
  mutable Mutex mutex_;
  std::shared_ptr<Impl> latest_ GUARDED_BY(mutex_);
  std::atomic<Impl*> current_;  // the same
  std::atomic<bool> pending_{true};
};

}  // namespace rewindfs::live

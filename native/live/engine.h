// A live tree from mount to unmount: the backing directory, the connection, the threads, the records that frame it.
//
// Guarantees: the mount record is appended before the first request is answered, and the unmount record after the last.
#pragma once
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "fuse/dispatcher.h"
#include "fuse/session.h"
#include "live/tree.h"
#include "os/failure.h"

namespace rewindfs::live {

struct EngineOptions {
  std::string backing, mountpoint, fsname, boot_id, version;
  std::string purpose;              // what the mount is for, and free words: kept with its records
  std::vector<std::string> tags;
  Snapshots snapshots;
  fuse::Over over = fuse::Over::kAuto;
  fuse::MakeRings rings = fuse::kernel_rings();
  unsigned threads = 8;
  bool clean = true;
  std::string unrecorded;           // of a gap in which the last session ended, as JSON; empty: it did not
  int64_t baseline_since_ns = 0;    // when the first walk began that was never complete; 0: there is none
};

struct Started {
  uint64_t mount_seq;
  uint64_t root_ino;
};

class Engine {
 public:
  // gone: the connection ended without stop(); from a thread of the engine.
  Engine(EngineOptions options, std::shared_ptr<journal::Recorder> recorder, std::function<void()> gone);
  ~Engine();

  Outcome<Started> start();
  Outcome<Done> stop(bool lazy, const std::string& reason);
  // After gone: waits for the threads and appends the unmount record.
  void finish(const std::string& reason, unsigned patience_ms = 0) EXCLUDES(mutex_);

  // What was not recorded for a while is from here on: a new session of the journal begins, with a mount record that says
  // so and a baseline of its own. unfinished_since_ns: as baseline_since_ns. Fails while the journal cannot.
  Outcome<Started> resume(int64_t unfinished_since_ns) EXCLUDES(mutex_);

  // Before start(), or while the tree is mounted: what was left out and is not any more is captured in the background.
  void set_policy(std::shared_ptr<const Policy> policy, unsigned interval_s);
  // The same for writers that may change nothing (writers.h).
  void block(std::set<std::string> families);
  Tree* tree() { return tree_.get(); }
  const char* transport() const { return session_ ? session_->transport() : ""; }
  std::string transport_reason() const { return session_ ? session_->transport_reason() : ""; }
  void count_requests(const std::function<void(const char*, uint64_t)>& visit) const;

 private:
  Outcome<Done> open_tree();
  Outcome<Done> connect(fuse::Over over, const std::string& why_dev = "asked for");
  Outcome<Done> serve();
  std::string describe_mount(const std::string& unrecorded) const;
  Result<void> append_first_root(uint64_t mount_seq);
  Result<uint64_t> append_json(journal::Kind kind, uint64_t ino, const std::string& json);
  void ended();

  const EngineOptions options_;
  std::shared_ptr<const Policy> first_policy_;
  unsigned first_interval_s_ = 10;
  std::set<std::string> first_blocked_;
  const std::shared_ptr<journal::Recorder> recorder_;
  const std::function<void()> gone_;
  std::unique_ptr<Tree> tree_;
  std::unique_ptr<fuse::Dispatcher<Tree>> dispatcher_;
  std::unique_ptr<fuse::Session> session_;
  std::atomic<bool> stopping_{false};
  Mutex mutex_;
  bool finished_ GUARDED_BY(mutex_) = false;
};

}  // namespace rewindfs::live

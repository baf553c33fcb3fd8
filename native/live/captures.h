// How the content of each file is captured (policy.h), decided when it is first opened and kept until its last close:
// the kernel does not mix opens that go through us with opens that it passes on to the backing file.
//
// Guarantees: a decision costs an open nothing but a load once it was made; a write never asks. A file with several names
// counts as each-write, since another name may lie where that applies. A file under `on-close` is captured before every
// record about it, at fsync, in intervals while it is open, and at its last close; one under `none` is marked uncaptured
// in history from the call that opens it on. Attributes of a file that the kernel or a mapping writes without us are never
// older than the question.
//
// Lock order: Inode::state before the locks of this class, which are leaves.
#pragma once
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fuse/wire.h"
#include "live/inode.h"
#include "live/policy.h"
#include "os/mutex.h"

namespace rewindfs::live {

class Tree;

// What is known of a file that is open and not captured at each write.
struct Deferred {
  unsigned handles = 0;
  unsigned writers = 0;
  int32_t backing_id = 0;   // > 0: the kernel passes reads and writes on to the backing file
  bool tried = false;       // to have it passed on, in this time of being open
  bool lingering = false;   // closed, and not found at rest since: a mapping may still write
  bool watched = false;     // in the list of what is looked at in intervals
  bool lost = false;        // what was written could not be captured, and a gap says so
  bool several = false;     // more than one process had it open for writing since it was captured
  uint64_t save = 0, writer = 0;  // of the newest open for writing
  unsigned session = 0;           // as of which `lost` and `captured` are true
  struct statx captured {};       // what history has, or what was there when it was opened (none)
};

class Captures {
 public:
  explicit Captures(Tree& tree);
  ~Captures();

  // From now on. interval_s: how often content of open files is captured.
  void set(std::shared_ptr<const Policy> policy, unsigned interval_s);
  std::shared_ptr<const Policy> policy() const { return policy_.load(std::memory_order_acquire); }
  // The connection whose kernel may pass opens on; -1: none may.
  void connect(int connection_fd) { connection_fd_.store(connection_fd); }

  bool passes_on() const { return connection_fd_.load() >= 0; }

  Policy::Decision of(Inode& inode);
  // For a name that is about to be made.
  Policy::Decision of_new(Inode& dir, std::string_view name, bool directory);
  // For whatever lies behind a descriptor (O_PATH will do); several: it has more than one name.
  Policy::Decision of_fd(int fd, bool directory, bool several);
  // Of a directory, from the root of the tree; "" when it cannot be told.
  std::string path(const Inode& inode);
  // Something was left out because of this rule: recorded as a gap when it is the first (I10). Under no lock.
  void note_gap(const Policy::Decision& decision);

  // One more handle; answers how all handles of the file are open.
  Capture begin_open(Inode& inode);
  void begin_open(Inode& inode, const Policy::Decision& decision);
  // Under the inode's lock, when begin_open answered none or on-close.
  void opened(const InodePtr& inode, Handle& handle) REQUIRES(inode->state);
  // Under the inode's lock, once the save and the writer of an open for writing are known.
  void opened_by(const Handle& handle);
  // The flags of the answer to an open.
  void answer_open(Handle& handle, fuse::OpenOut& out);
  // The last reference to a handle is gone.
  void closed(Handle& handle);

  // Captures what history does not have of a file that is open under on-close. A failure is the journal's.
  Result<void> settle(Inode& inode) REQUIRES(inode.state);
  // How long the kernel may keep its attributes: not at all while it is written without us.
  static uint64_t attr_valid(const Inode& inode);

  // The content that the file has now could not be captured: a gap says so (I10), and history knows it no more.
  Result<void> lost(Inode& inode, int error) REQUIRES(inode.state);
  // Is its content, as far as times and size tell, another than history has (none: than when it was opened)?
  bool changed(const Inode& inode) REQUIRES(inode.state);
  // A record that was just appended has the file's attributes, and everything before it was settled under the same lock.
  void recorded(Inode& inode) REQUIRES(inode.state);
  // The same with a content that history lacks, for what it may have left out before.
  Result<void> capture_whole(Inode& inode) REQUIRES(inode.state);

  // Names moved: decisions for what lies below are made anew.
  void forget_decisions() { generation_.fetch_add(1, std::memory_order_acq_rel); }
  // What the kernel has of its attributes, and answers that are still on their way, are old.
  void invalidate(const Inode& inode);
  // A session begins, and with it another baseline: what was recorded of open files, or left out, counts no more.
  void begin_anew();
  // How an inode is open now; each-write when it is not.
  static Capture open_mode(const Inode& inode);
  // Captures what is still open and ends the thread.
  void stop();

 private:
  // What is known of an open file, as of this session.
  Deferred& known(const Inode& inode) REQUIRES(inode.state);
  bool pass_on(Inode& inode, Deferred& deferred) REQUIRES(inode.state);
  Result<void> capture(Inode& inode, uint64_t save, uint64_t writer, bool uncertain, bool whole, struct statx* captured)
      REQUIRES(inode.state);
  // Once for each file, whatever the number of its opens.
  void watch(const InodePtr& inode) REQUIRES(inode->state);
  void run();
  void settle_watched(bool last);
  void look_at(const InodePtr& inode, bool last) REQUIRES(inode->state);
  bool path_of(int fd, std::array<char, 4096>& room, std::string_view& path);

  Tree& tree_;
  std::atomic<std::shared_ptr<const Policy>> policy_;
  std::atomic<uint32_t> generation_{1};
  std::atomic<int> connection_fd_{-1};
  std::atomic<unsigned> interval_s_{10};
  std::atomic<unsigned> session_{0};
  std::string root_;  // of the backing directory, as /proc names it

  Mutex mutex_;
  CondVar wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::weak_ptr<Inode>> watched_ GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace rewindfs::live

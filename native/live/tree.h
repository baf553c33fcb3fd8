// The live tree: what the operations (one file a family) work on, and what they share.
//
// Guarantees (I1, I2): an operation that changes something holds the locks of what it changes from before the change
// until its record is appended, reserves journal space first, and answers only afterwards.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "fuse/call.h"
#include "journal/recorder.h"
#include "live/attributes.h"
#include "live/baseline.h"
#include "live/captures.h"
#include "live/inode.h"
#include "live/recapture.h"
#include "live/rescue.h"
#include "live/streams.h"
#include "live/writers.h"
#include "os/gate.h"

namespace rewindfs::live {

// The one entry of the root that the backing directory does not have: the way to the views. A directory to mount them
// on, or a link to where they are mounted (a user's fusermount3 cannot reach into that user's own mount).
struct Snapshots {
  std::string name;
  std::string link;  // empty: a directory
};

class Tree final : public TreeAccess {
 public:
  static constexpr uint64_t kSnapshotsId = 2;
  static constexpr uint64_t kSnapshotsIno = 0xffffffffffffff01ull;

  static Result<std::unique_ptr<Tree>> open(UniqueFd root, journal::Recorder& recorder, Snapshots snapshots);

  // The root's descriptor is never given up.
  int root_fd() const override { return inodes.root()->path().get(); }
  uint64_t root_ino() const override { return inodes.root()->ino; }

  Gate changes;  // passed by whatever changes the tree or records it, before any lock
  InodeTable inodes;
  HandleTable handles;
  Streams streams;
  journal::Recorder& recorder;
  Writers writers;
  Baseline baseline;
  Captures captures;
  Recapture recapture;
  Rescue rescue;
  const Snapshots snapshots;

  bool is_snapshots(const Inode& dir, std::string_view name) const {
    return dir.id == fuse::kRootId && name == snapshots.name;
  }
  // The object at dir/name, counted as one lookup by the kernel, for a thread that is answered its attributes. EXDEV where
  // another file system, or a bind mount, begins.
  Result<InodePtr> enter(const Inode& dir, std::string_view name, struct statx& stat, uint32_t thread);
  // The same, not counted: for an operation that holds dir.names.
  Result<InodePtr> child(const Inode& dir, std::string_view name, struct statx& stat);

  fuse::EntryOut entry(const Inode& inode, const struct statx& stat) const;

 private:
  Tree(journal::Recorder& to, Snapshots of);
  Result<UniqueFd> open_child(const Inode& dir, std::string_view name, struct statx& stat);
};

// One record in the making: what it says is filled in as the change is made.
class Recording {
 public:
  Recording(Tree& tree, const fuse::Call& call, journal::Kind kind);
  // For what nobody waits for: no reserving.
  Recording(Tree& tree, journal::Kind kind, uint64_t writer);

  // Before any lock is taken: it may wait for the backlog. ENOSPC, EIO, EINTR, and EROFS for a writer that is blocked:
  // answer that and change nothing.
  Result<void> reserve(uint64_t payload_bytes, unsigned records = 1);

  // After the change, under the locks: the object's, the directories' and the replaced object's attributes. Answers with
  // older ones that are still on their way to other threads are made void.
  void object(uint64_t ino, const struct statx& stat);
  Result<struct statx> object(const Inode& inode);
  Result<void> parent(const Inode& dir, std::string_view name);
  Result<void> parent2(const Inode& dir, std::string_view name);
  Result<void> target(const Inode& inode);
  Result<uint64_t> append() { return tree_.recorder.append(draft); }

  journal::Draft draft;

 private:
  void supersede(const Inode& inode) const;

  Tree& tree_;
  const fuse::Call* const call_;
  journal::Reservation reservation_;
  journal::Attr attr_{}, parent_{};
  journal::InoAttr parent2_{}, target_{};
};

// A name that a directory can hold: not empty, no '/', neither "." nor "..".
bool is_plain_name(std::string_view name);

}  // namespace rewindfs::live

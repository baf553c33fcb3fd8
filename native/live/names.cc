// Changing names of what is there: link, unlink, rmdir, rename.
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <unistd.h>

#include "live/locks.h"
#include "live/operations.h"

namespace rewindfs::live {
namespace {

// What lies at dir/name now; null where nothing does.
struct Place {
  InodePtr dir;
  std::string_view name;
  InodePtr child;
  struct statx stat{};

  // Under the child's lock: another of its names may have gone since the look at this one.
  bool goes() const {
    if (child->is_directory()) return true;
    const auto now = stat_fd(child->path().get());
    return !now.ok() || now->stx_nlink <= 1;
  }
};

int look(Tree& tree, Place& place) {
  auto child = tree.child(*place.dir, place.name, place.stat);
  if (child.ok()) place.child = *child;
  return child.error();
}

Result<void> before_name(Tree& tree, const Place& place, bool goes) {
  if (!tree.baseline.pending()) return {};
  auto saved = tree.baseline.before_attr(place.dir->ino, place.dir->path().get());
  if (!saved.ok()) return saved;
  return tree.baseline.before_name(place.dir->ino, place.dir->path().get(), place.name, place.child ? place.child->ino : 0,
                                   place.child ? place.child->path().get() : -1, goes);
}

// What a file that is open under on-close holds is captured before a record tells its attributes.
Result<void> settle(Tree& tree, const InodePtr& child) {
  if (!child || Captures::open_mode(*child) != Capture::kOnClose) return {};
  child->assert_state();
  return tree.captures.settle(*child);
}

// What a record has told of it is no change that is still to be captured.
void told(Tree& tree, const InodePtr& child) {
  if (!child || Captures::open_mode(*child) != Capture::kOnClose) return;
  child->assert_state();
  tree.captures.recorded(*child);
}

int find_place(Tree& tree, uint64_t dir_id, std::string_view name, Place& place) {
  if (dir_id == Tree::kSnapshotsId) return EROFS;
  if (!is_plain_name(name)) return EINVAL;
  place.dir = tree.inodes.find(dir_id);
  place.name = name;
  if (!place.dir) return ESTALE;
  return tree.is_snapshots(*place.dir, name) ? EBUSY : 0;
}

int remove(Tree& tree, Call& call, journal::Kind kind, int flags) {
  Place place;
  if (const int error = find_place(tree, call.head.nodeid, call.take_string(), place); error != 0) return error;
  Recording recording(tree, call, kind);
  if (auto reserved = recording.reserve(0); !reserved.ok()) return reserved.error();
  const NamesLock names{place.dir.get()};
  if (const int error = look(tree, place); error != 0) return error;
  const StateLock state{place.dir.get(), place.child.get()};
  const bool goes = place.goes();
  if (auto saved = before_name(tree, place, goes); !saved.ok()) return saved.error();
  if (auto settled = settle(tree, place.child); !settled.ok()) return settled.error();
  if (goes) place.child->keep_path_removed();
  if (unlinkat(place.dir->path().get(), place.name.data(), flags) != 0) return errno;
  if (const auto after = recording.object(*place.child); !after.ok()) return after.error();
  if (const auto after = recording.parent(*place.dir, place.name); !after.ok()) return after.error();
  const auto appended = recording.append();
  told(tree, place.child);
  return appended.error();
}

// Renaming one name of an object to another of its names does nothing (rename(2)), and so is no change.
bool is_no_change(const Place& from, const Place& to, unsigned flags) {
  return to.child == from.child && !(flags & RENAME_EXCHANGE);
}

int record_rename(Tree& tree, Recording& recording, const Place& from, const Place& to, unsigned flags) {
  recording.draft.flags = static_cast<uint16_t>((flags & RENAME_EXCHANGE ? journal::kExchange : 0) |
                                                (flags & RENAME_NOREPLACE ? journal::kNoReplace : 0));
  if (const auto after = recording.object(*from.child); !after.ok()) return after.error();
  if (const auto after = recording.parent(*from.dir, from.name); !after.ok()) return after.error();
  if (const auto after = recording.parent2(*to.dir, to.name); !after.ok()) return after.error();
  if (to.child) {
    if (const auto after = recording.target(*to.child); !after.ok()) return after.error();
  }
  const auto appended = recording.append();
  told(tree, from.child);
  told(tree, to.child);
  return appended.error();
}

int rename(Tree& tree, Call& call, uint64_t new_dir, unsigned flags) {
  if (flags & ~static_cast<unsigned>(RENAME_NOREPLACE | RENAME_EXCHANGE)) return EINVAL;
  Place from, to;
  const std::string_view old_name = call.take_string(), new_name = call.take_string();
  if (const int error = find_place(tree, call.head.nodeid, old_name, from); error != 0) return error;
  if (const int error = find_place(tree, new_dir, new_name, to); error != 0) return error;
  Recording recording(tree, call, journal::Kind::kRename);
  if (auto reserved = recording.reserve(0); !reserved.ok()) return reserved.error();

  const NamesLock names{from.dir.get(), to.dir.get()};
  if (const int error = look(tree, from); error != 0) return error;
  if (const int error = look(tree, to); error != 0 && error != ENOENT) return error;
  CaptureMove move(tree, *from.child), back(tree, *(to.child && flags & RENAME_EXCHANGE ? to.child : from.child));
  const StateLock state{from.dir.get(), to.dir.get(), from.child.get(), to.child.get()};
  if (auto saved = before_name(tree, from, false); !saved.ok()) return saved.error();
  const bool replaced = to.child && to.child != from.child && !(flags & (RENAME_EXCHANGE | RENAME_NOREPLACE));
  const bool goes = replaced && to.goes();
  if (auto saved = before_name(tree, to, goes); !saved.ok()) return saved.error();
  if (auto settled = settle(tree, from.child); !settled.ok()) return settled.error();
  if (auto settled = settle(tree, to.child); !settled.ok()) return settled.error();
  if (goes) to.child->keep_path_removed();
  if (renameat2(from.dir->path().get(), from.name.data(), to.dir->path().get(), to.name.data(), flags) != 0) return errno;
  if (is_no_change(from, to, flags)) return 0;
  if (const int error = record_rename(tree, recording, from, to, flags); error != 0) return error;
  if (const int error = move.done(); error != 0) return error;
  return flags & RENAME_EXCHANGE ? back.done() : 0;
}

}  // namespace

void op_link(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::LinkIn>();
  if (in == nullptr) return call.fail(EINVAL);
  Place place;
  if (const int error = find_place(tree, call.head.nodeid, call.take_string(), place); error != 0) return call.fail(error == EBUSY ? EEXIST : error);
  const InodePtr inode = tree.inodes.find(in->nodeid);
  if (!inode) return call.fail(ESTALE);
  Recording recording(tree, call, journal::Kind::kLink);
  if (auto reserved = recording.reserve(0); !reserved.ok()) return call.fail(reserved.error());
  const NamesLock names{place.dir.get()};
  if (tree.baseline.pending() && stat_at(place.dir->path().get(), place.name).ok()) return call.fail(EEXIST);
  CaptureMove move(tree, *inode);
  const StateLock state{place.dir.get(), inode.get()};
  if (auto saved = tree.baseline.before_attr(inode->ino, inode->path().get()); !saved.ok()) return call.fail(saved.error());
  if (auto saved = before_name(tree, place, false); !saved.ok()) return call.fail(saved.error());
  if (auto settled = settle(tree, inode); !settled.ok()) return call.fail(settled.error());
  if (linkat(AT_FDCWD, inode->path().proc().c_str(), place.dir->path().get(), place.name.data(), AT_SYMLINK_FOLLOW) != 0) return call.fail(errno);
  const auto stat = recording.object(*inode);
  if (!stat.ok()) return call.fail(stat.error());
  if (const auto after = recording.parent(*place.dir, place.name); !after.ok()) return call.fail(after.error());
  if (const auto appended = recording.append(); !appended.ok()) return call.fail(appended.error());
  told(tree, inode);
  if (const int error = move.done(); error != 0) return call.fail(error);
  tree.inodes.count(inode);
  call.ok(tree.entry(*inode, *stat));
}

void op_unlink(Tree& tree, Call& call) { call.fail(remove(tree, call, journal::Kind::kUnlink, 0)); }
void op_rmdir(Tree& tree, Call& call) { call.fail(remove(tree, call, journal::Kind::kRmdir, AT_REMOVEDIR)); }

void op_rename(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::RenameIn>();
  call.fail(in == nullptr ? EINVAL : rename(tree, call, in->new_dir, 0));
}

void op_rename2(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::Rename2In>();
  call.fail(in == nullptr ? EINVAL : rename(tree, call, in->new_dir, in->flags));
}

}  // namespace rewindfs::live

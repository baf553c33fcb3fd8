// The operations by family, and the one table that says for each its handler and whether it is recorded.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fuse/dispatcher.h"
#include "live/tree.h"

namespace rewindfs::live {

using fuse::Call;

// lookup.cc
void op_lookup(Tree&, Call&);
void op_forget(Tree&, Call&);
void op_batch_forget(Tree&, Call&);
void op_getattr(Tree&, Call&);
void op_statx(Tree&, Call&);
void op_readlink(Tree&, Call&);
void op_statfs(Tree&, Call&);
// setattr.cc
void op_setattr(Tree&, Call&);
// create.cc
void op_mkdir(Tree&, Call&);
void op_mknod(Tree&, Call&);
void op_symlink(Tree&, Call&);
void op_create(Tree&, Call&);
void op_tmpfile(Tree&, Call&);
// names.cc
void op_link(Tree&, Call&);
void op_unlink(Tree&, Call&);
void op_rmdir(Tree&, Call&);
void op_rename(Tree&, Call&);
void op_rename2(Tree&, Call&);
// open.cc
void op_open(Tree&, Call&);
void op_release(Tree&, Call&);
void op_fsync(Tree&, Call&);
void op_fsyncdir(Tree&, Call&);
void op_syncfs(Tree&, Call&);
// data.cc
void op_read(Tree&, Call&);
void op_write(Tree&, Call&);
// extents.cc
void op_fallocate(Tree&, Call&);
void op_lseek(Tree&, Call&);
void op_copy_file_range(Tree&, Call&);
void op_copy_file_range_64(Tree&, Call&);
// directory.cc
void op_readdir(Tree&, Call&);
void op_readdirplus(Tree&, Call&);
// xattr.cc
void op_setxattr(Tree&, Call&);
void op_removexattr(Tree&, Call&);
void op_getxattr(Tree&, Call&);
void op_listxattr(Tree&, Call&);

std::span<const fuse::Operation<Tree>> operations();

// open.cc: keeps room for the record that ends the save of a handle.
Result<void> reserve_close(Tree& tree, Call& call, Handle& handle);
// open.cc: a handle for an open that was made, with its record when it is for writing.
fuse::OpenOut register_handle(Tree& tree, HandlePtr handle);
// open.cc: what is open for writing since a gap, in which no record opened it, gets one. Between two changes.
void open_anew(Tree& tree);
// open.cc, after captures.begin_open: the bookkeeping of a handle whose writes are not recorded one by one.
void begin_deferred(Tree& tree, Handle& handle);
// open.cc: I9 for a change through this handle.
Result<void> before_content(Tree& tree, Handle& handle, uint64_t offset, uint64_t length);
// capture_move.cc: an object gets another place, and with it another policy. What was left out before and is not to be
// left out any more is captured: a file at once, what lies in a directory by the background (recapture.h).
class CaptureMove {
 public:
  // Before the change.
  CaptureMove(Tree& tree, Inode& object);
  // After the change was recorded, under the object's lock; an errno.
  int done();

 private:
  Tree& tree_;
  Inode& object_;
  Policy::Decision before_;
  std::string path_;  // of a directory
};
// The flags for the backing file: what the kernel does itself is taken out, reading is added for before-images.
int backing_flags(uint32_t flags);

// xattr.cc: extended attributes that a change of something else made, changed or took away.
struct XattrChange {
  std::string name;
  std::optional<std::string> value;  // as it is now; none: it is gone
};
// What a new object got from its directory. path: to the object itself; opened: a descriptor of it that is open, or -1.
std::vector<XattrChange> inherited_xattrs(const std::string& path, int opened);
// Appends the recording and, as parts of the same call, the changes of extended attributes. Answers the seq of the first.
Result<uint64_t> append_with(Tree& tree, Recording& recording, std::span<const XattrChange> with);
// Does the file have security.capability? Its next change of content or owner takes that away.
bool had_capability(Inode& inode) REQUIRES(inode.state);
// After such a change: what is to be recorded with it.
std::vector<XattrChange> capability_lost(Inode& inode, bool had) REQUIRES(inode.state);
// The present value of one attribute, as a record: kSetxattr, or kRemovexattr when it is gone.
Result<void> record_present(Tree& tree, const journal::Draft& like, const std::string& path, std::string_view name);

}  // namespace rewindfs::live

// The operations by family, and the one table that says for each its handler and whether it is recorded.
#pragma once
#include <span>

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
void op_opendir(Tree&, Call&);
void op_readdir(Tree&, Call&);
void op_readdirplus(Tree&, Call&);
// xattr.cc
void op_setxattr(Tree&, Call&);
void op_removexattr(Tree&, Call&);
void op_getxattr(Tree&, Call&);
void op_listxattr(Tree&, Call&);

std::span<const fuse::Operation<Tree>> operations();

// open.cc: a handle for an open that was made, with its record when it is for writing.
fuse::OpenOut register_handle(Tree& tree, HandlePtr handle);
// The flags for the backing file: what the kernel does itself is taken out, reading is added for before-images.
int backing_flags(uint32_t flags);
// Does the file have a capability that its first write takes away?
bool has_capability(int fd);

// xattr.cc: the extended attributes that a new object got from its directory, as records.
Result<void> record_inherited(Tree& tree, const Recording& made, uint64_t ino, const std::string& path);
// The present value of one attribute, as a record: kSetxattr, or kRemovexattr when it is gone.
Result<void> record_present(Tree& tree, const journal::Draft& like, const std::string& path, std::string_view name);

}  // namespace rewindfs::live

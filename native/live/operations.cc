#include "live/operations.h"

namespace rewindfs::live {
namespace {

using fuse::Op;

// FLUSH is not here: a save ends at RELEASE, and the kernel stops asking after one ENOSYS. Nor is ACCESS: the kernel
// checks (default_permissions); nor OPENDIR and RELEASEDIR, of which the kernel thinks alike (streams.h).
constexpr fuse::Operation<Tree> kOperations[] = {
    {Op::kLookup, "lookup", false, op_lookup},
    {Op::kForget, "forget", false, op_forget},
    {Op::kBatchForget, "batch_forget", false, op_batch_forget},
    {Op::kGetattr, "getattr", false, op_getattr},
    {Op::kStatx, "statx", false, op_statx},
    {Op::kReadlink, "readlink", false, op_readlink},
    {Op::kStatfs, "statfs", false, op_statfs},
    {Op::kSetattr, "setattr", true, op_setattr},
    {Op::kMkdir, "mkdir", true, op_mkdir},
    {Op::kMknod, "mknod", true, op_mknod},
    {Op::kSymlink, "symlink", true, op_symlink},
    {Op::kCreate, "create", true, op_create},
    {Op::kTmpfile, "tmpfile", true, op_tmpfile},
    {Op::kLink, "link", true, op_link},
    {Op::kUnlink, "unlink", true, op_unlink},
    {Op::kRmdir, "rmdir", true, op_rmdir},
    {Op::kRename, "rename", true, op_rename},
    {Op::kRename2, "rename2", true, op_rename2},
    {Op::kOpen, "open", true, op_open},
    {Op::kRelease, "release", true, op_release},
    {Op::kFsync, "fsync", false, op_fsync},
    {Op::kFsyncdir, "fsyncdir", false, op_fsyncdir},
    {Op::kSyncfs, "syncfs", false, op_syncfs},
    {Op::kRead, "read", false, op_read},
    {Op::kWrite, "write", true, op_write},
    {Op::kFallocate, "fallocate", true, op_fallocate},
    {Op::kLseek, "lseek", false, op_lseek},
    {Op::kCopyFileRange, "copy_file_range", true, op_copy_file_range},
    {Op::kCopyFileRange64, "copy_file_range_64", true, op_copy_file_range_64},
    {Op::kReaddir, "readdir", false, op_readdir},
    {Op::kReaddirplus, "readdirplus", false, op_readdirplus},
    {Op::kSetxattr, "setxattr", true, op_setxattr},
    {Op::kRemovexattr, "removexattr", true, op_removexattr},
    {Op::kGetxattr, "getxattr", false, op_getxattr},
    {Op::kListxattr, "listxattr", false, op_listxattr},
};

}  // namespace

std::span<const fuse::Operation<Tree>> operations() { return kOperations; }

}  // namespace rewindfs::live

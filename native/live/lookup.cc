// Finding objects and asking about them: nothing here changes anything.
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstring>

#include "live/operations.h"

namespace rewindfs::live {
namespace {

struct statx snapshots_stat(const Tree& tree) {
  struct statx stat{};
  if (const auto root = stat_fd(tree.root_fd()); root.ok()) stat = *root;
  stat.stx_ino = Tree::kSnapshotsIno;
  const std::string& link = tree.snapshots.link;
  stat.stx_mode = link.empty() ? S_IFDIR | 0555 : S_IFLNK | 0777;
  stat.stx_nlink = link.empty() ? 2 : 1;
  stat.stx_size = link.size();
  stat.stx_blocks = 0;
  return stat;
}

// An object's attributes, and for how long the kernel may keep them.
struct Seen {
  struct statx stat;
  uint64_t valid;
};
Result<Seen> look(Tree& tree, const Call& call) {
  if (call.head.nodeid == Tree::kSnapshotsId) return Seen{snapshots_stat(tree), kForeverSeconds};
  const InodePtr inode = tree.inodes.find(call.head.nodeid);
  if (!inode) return Errno{ESTALE};
  (void)inode->onlookers.told(call.head.pid);
  const uint64_t valid = Captures::attr_valid(*inode);  // before the look: what changes after it is asked for again
  const auto stat = stat_fd(inode->path().get());
  if (!stat.ok()) return Errno{stat.error()};
  return Seen{*stat, valid};
}

void answer_snapshots(Tree& tree, Call& call) {
  fuse::EntryOut out{};
  out.nodeid = Tree::kSnapshotsId;
  out.entry_valid = out.attr_valid = kForeverSeconds;
  out.attr = wire_attr(snapshots_stat(tree));
  call.ok(out);
}

}  // namespace

void op_lookup(Tree& tree, Call& call) {
  const std::string_view name = call.take_string();
  if (!is_plain_name(name)) return call.fail(name.empty() ? ENOENT : EINVAL);
  if (call.head.nodeid == Tree::kSnapshotsId) return call.fail(ENOENT);
  const InodePtr dir = tree.inodes.find(call.head.nodeid);
  if (!dir) return call.fail(ESTALE);
  if (tree.is_snapshots(*dir, name)) return answer_snapshots(tree, call);
  struct statx stat;
  const auto inode = tree.enter(*dir, name, stat, call.head.pid);
  if (inode.error() == ENOENT) {  // an entry without a node: the kernel remembers that there is nothing
    fuse::EntryOut none{};
    none.entry_valid = kForeverSeconds;
    return call.ok(none);
  }
  if (!inode.ok()) return call.fail(inode.error());
  call.ok(tree.entry(**inode, stat));
}

void op_forget(Tree& tree, Call& call) {
  call.no_answer();
  if (const auto* in = call.take<fuse::ForgetIn>()) tree.inodes.forget(call.head.nodeid, in->nlookup);
}

void op_batch_forget(Tree& tree, Call& call) {
  call.no_answer();
  const auto* in = call.take<fuse::BatchForgetIn>();
  for (uint32_t i = 0; in != nullptr && i < in->count; ++i) {
    const auto* one = call.take<fuse::ForgetOne>();
    if (one == nullptr) return;
    tree.inodes.forget(one->nodeid, one->nlookup);
  }
}

void op_getattr(Tree& tree, Call& call) {
  const auto seen = look(tree, call);
  if (!seen.ok()) return call.fail(seen.error());
  fuse::AttrOut out{};
  out.attr_valid = seen->valid;
  out.attr = wire_attr(seen->stat);
  call.ok(out);
}

void op_statx(Tree& tree, Call& call) {
  const auto seen = look(tree, call);
  if (!seen.ok()) return call.fail(seen.error());
  fuse::StatxOut out{};
  out.attr_valid = seen->valid;
  out.stat = wire_statx(seen->stat);
  call.ok(out);
}

void op_readlink(Tree& tree, Call& call) {
  if (call.head.nodeid == Tree::kSnapshotsId) {
    const std::string& link = tree.snapshots.link;
    if (link.empty() || link.size() > call.out().size()) return call.fail(EINVAL);
    std::memcpy(call.out().data(), link.data(), link.size());
    return call.ok_bytes(link.size());
  }
  const InodePtr inode = tree.inodes.find(call.head.nodeid);
  if (!inode) return call.fail(ESTALE);
  const ssize_t size = readlinkat(inode->path().get(), "", reinterpret_cast<char*>(call.out().data()), call.out().size());
  if (size < 0) return call.fail(errno);
  call.ok_bytes(static_cast<size_t>(size));
}

void op_statfs(Tree& tree, Call& call) {
  struct statvfs stat;
  if (fstatvfs(tree.root_fd(), &stat) != 0) return call.fail(errno);
  fuse::StatfsOut out{};
  out.blocks = stat.f_blocks;
  out.bfree = stat.f_bfree;
  out.bavail = stat.f_bavail;
  out.files = stat.f_files;
  out.ffree = stat.f_ffree;
  out.bsize = static_cast<uint32_t>(stat.f_bsize);
  out.frsize = static_cast<uint32_t>(stat.f_frsize);
  out.namelen = static_cast<uint32_t>(stat.f_namemax);
  call.ok(out);
}

}  // namespace rewindfs::live

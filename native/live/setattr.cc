// Changing attributes: size, mode, owner, times; one request may ask for several.
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "live/caller.h"
#include "live/locks.h"
#include "live/lost_rights.h"
#include "live/operations.h"

namespace rewindfs::live {
namespace {

using fuse::SetattrIn;

timespec wanted_time(const SetattrIn& in, uint32_t set, uint32_t now, uint64_t seconds, uint32_t nanoseconds) {
  if (!(in.valid & set)) return {0, UTIME_OMIT};
  if (in.valid & now) return {0, UTIME_NOW};
  return {static_cast<time_t>(seconds), static_cast<long>(nanoseconds)};
}

int change_owner(const Inode& inode, const SetattrIn& in) {
  const uid_t uid = in.valid & fuse::kValidUid ? in.uid : static_cast<uid_t>(-1);
  const gid_t gid = in.valid & fuse::kValidGid ? in.gid : static_cast<gid_t>(-1);
  return fchownat(inode.path().get(), "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

int change_times(const Inode& inode, const SetattrIn& in) {
  const timespec times[2] = {
      wanted_time(in, fuse::kValidAtime, fuse::kValidAtimeNow, in.atime, in.atime_ns),
      wanted_time(in, fuse::kValidMtime, fuse::kValidMtimeNow, in.mtime, in.mtime_ns),
  };
  return utimensat(inode.path().get(), "", times, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

constexpr uint32_t kAttributes = fuse::kValidMode | fuse::kValidUid | fuse::kValidGid | fuse::kValidAtime | fuse::kValidMtime;

// A request for nothing is chown(2) with neither owner nor group, which still drops setuid and changes ctime.
bool asks_for_nothing(const SetattrIn& in) { return !(in.valid & (kAttributes | fuse::kValidSize | fuse::kValidKillSuidgid)); }
bool changes_owner(const SetattrIn& in) { return (in.valid & (fuse::kValidUid | fuse::kValidGid)) || asks_for_nothing(in); }

bool is_chown(long call) { return call == SYS_chown || call == SYS_fchown || call == SYS_lchown || call == SYS_fchownat; }

// The kernel lets everybody ask for nothing; dropping the bits by it is the owner's right only. It also asks so, in the very
// same words, before somebody's first write(2) to the file, who needs no such right.
int may_ask_for_nothing(const Call& call, const Inode& inode) {
  const auto stat = stat_fd(inode.path().get());
  if (!stat.ok()) return stat.error();
  const bool owner = is_privileged(call) || call.head.uid == stat->stx_uid;
  if (owner || bits_lost(call, *stat) == 0) return 0;
  return inode.open_for_writing > 0 && !is_chown(system_call_of(call)) ? 0 : EPERM;
}

// Mode after owner: changing the owner clears setuid and setgid. `done`: something was changed, also when the rest failed.
int change_attributes(const Call& call, const Inode& inode, const SetattrIn& in, LostRights& rights, bool& done) {
  if (asks_for_nothing(in)) {
    if (const int error = may_ask_for_nothing(call, inode); error != 0) return error;
  }
  if (changes_owner(in)) {
    if (const int error = change_owner(inode, in); error != 0) return error;
    done = true;
  }
  if (asks_for_nothing(in)) {  // done with our rights, that leaves setgid of a file that its group may not execute
    if (const int error = rights.take_bits(call); error != 0) return error;
  }
  if (in.valid & fuse::kValidMode) {
    if (chmod(inode.path().proc().c_str(), in.mode & 07777) != 0) return errno;
    done = true;
  } else if (in.valid & fuse::kValidKillSuidgid) {
    if (const int error = rights.take_bits(call); error != 0) return error;
    done = true;
  }
  if (!(in.valid & (fuse::kValidAtime | fuse::kValidMtime))) return 0;
  const int error = change_times(inode, in);
  done |= error == 0;
  return error;
}

uint32_t recorded_mask(const SetattrIn& in) {
  uint32_t mask = 0;
  if (in.valid & (fuse::kValidMode | fuse::kValidKillSuidgid)) mask |= journal::kSetMode;
  if (in.valid & fuse::kValidUid) mask |= journal::kSetUid;
  if (in.valid & fuse::kValidGid) mask |= journal::kSetGid;
  if (in.valid & fuse::kValidAtime) mask |= journal::kSetAtime;
  if (in.valid & fuse::kValidMtime) mask |= journal::kSetMtime;
  return mask;
}

// The handle's descriptor, or one opened for this.
Result<int> file_for_truncate(Tree& tree, const Inode& inode, const SetattrIn& in, HandlePtr& handle, UniqueFd& opened) {
  if (in.valid & fuse::kValidFh) {
    handle = tree.handles.find(in.fh);
    if (handle && handle->inode.get() == &inode && handle->writable) return handle->fd.get();
    handle.reset();
  }
  opened.reset(open(inode.path().proc().c_str(), backing_flags(O_WRONLY)));
  if (!opened.valid() && errno == EACCES) opened.reset(open(inode.path().proc().c_str(), O_WRONLY | O_CLOEXEC));
  if (!opened.valid()) return last_errno();
  return opened.get();
}

int truncate(Tree& tree, Call& call, Inode& inode, const SetattrIn& in) {
  HandlePtr handle;
  UniqueFd opened;
  const auto fd = file_for_truncate(tree, inode, in, handle, opened);
  if (!fd.ok()) return fd.error();
  if (in.size > INT64_MAX) return EFBIG;
  Recording recording(tree, call, journal::Kind::kTruncate);
  if (const auto reserved = recording.reserve(0, 2); !reserved.ok()) return reserved.error();
  const StateLock lock{&inode};
  inode.assert_state();
  const auto before = stat_fd(inode.path().get());
  if (!before.ok()) return before.error();
  const uint64_t old_size = before->stx_size;
  const Capture capture = inode.opened.load() == 0 ? tree.captures.of(inode).capture : Captures::open_mode(inode);
  if (const auto settled = tree.captures.settle(inode); !settled.ok()) return settled.error();
  if (const auto saved = tree.baseline.before_data(inode.ino, *fd, std::min(old_size, in.size),
                                                   old_size > in.size ? old_size - in.size : 0);
      !saved.ok()) {
    return saved.error();
  }
  LostRights rights(inode);
  if (in.valid & fuse::kValidKillSuidgid) {
    if (const int error = rights.take_bits(call); error != 0) return error;
  }
  if (handle) recording.draft.save = handle->save;
  if (ftruncate(*fd, static_cast<off_t>(in.size)) != 0) return rights.failed(tree, recording, errno);
  recording.draft.length = in.size;
  if (capture == Capture::kNone) recording.draft.flags = journal::kUncaptured;
  if (const auto after = recording.object(inode); !after.ok()) return after.error();
  const auto appended = append_with(tree, recording, rights.capability());
  tree.captures.recorded(inode);
  return appended.error();
}

int set_attributes(Tree& tree, Call& call, Inode& inode, const SetattrIn& in) {
  Recording recording(tree, call, journal::Kind::kSetattr);
  if (const auto reserved = recording.reserve(4096, 3); !reserved.ok()) return reserved.error();
  const StateLock lock{&inode};
  inode.assert_state();
  if (const auto saved = tree.baseline.before_attr(inode.ino, inode.path().get()); !saved.ok()) return saved.error();
  if (const auto settled = tree.captures.settle(inode); !settled.ok()) return settled.error();
  LostRights rights(inode, changes_owner(in));
  bool done = false;
  const int error = change_attributes(call, inode, in, rights, done);
  if (error != 0 && !done) return rights.failed(tree, recording, error);
  // A request for several things that failed in the middle still did the first: what is there now is recorded.
  recording.draft.aux = recorded_mask(in);
  if (const auto after = recording.object(inode); !after.ok()) return after.error();
  const auto appended = append_with(tree, recording, rights.capability());
  if (!appended.ok()) return appended.error();
  tree.captures.recorded(inode);
  if ((in.valid & fuse::kValidMode) && getxattr(inode.path().proc().c_str(), "system.posix_acl_access", nullptr, 0) > 0) {
    if (const auto said = record_present(tree, recording.draft, inode.path().proc(), "system.posix_acl_access"); !said.ok()) return said.error();
  }
  return error;
}

}  // namespace

void op_setattr(Tree& tree, Call& call) {
  const auto* in = call.take<SetattrIn>();
  if (in == nullptr) return call.fail(EINVAL);
  if (call.head.nodeid == Tree::kSnapshotsId) return call.fail(EROFS);
  const InodePtr inode = tree.inodes.find(call.head.nodeid);
  if (!inode) return call.fail(ESTALE);
  SetattrIn rest = *in;
  if (in->valid & fuse::kValidSize) {
    if (const int error = truncate(tree, call, *inode, *in); error != 0) return call.fail(error);
    rest.valid &= ~fuse::kValidKillSuidgid;
    // "now" beside a size is what ftruncate did.
    if (rest.valid & fuse::kValidMtimeNow) rest.valid &= ~(fuse::kValidMtime | fuse::kValidMtimeNow);
  }
  // It also asks so before a fallocate(2), which may turn out to be one that the file system below does not know.
  const bool comes_again = asks_for_nothing(*in) && inode->open_for_writing > 0 && system_call_of(call) == SYS_fallocate;
  if (!comes_again && (!(in->valid & fuse::kValidSize) || (rest.valid & (kAttributes | fuse::kValidKillSuidgid)))) {
    if (const int error = set_attributes(tree, call, *inode, rest); error != 0) return call.fail(error);
  }
  const auto stat = stat_fd(inode->path().get());
  if (!stat.ok()) return call.fail(stat.error());
  fuse::AttrOut out{};
  out.attr_valid = Captures::attr_valid(*inode);
  out.attr = wire_attr(*stat);
  call.ok(out);
}

}  // namespace rewindfs::live

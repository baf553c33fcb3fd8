// Making new objects: as the caller (caller.h), recorded with what the backing file system made of it.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <functional>

#include "live/caller.h"
#include "live/locks.h"
#include "live/operations.h"

namespace rewindfs::live {
namespace {

constexpr uint64_t kInheritedBytes = 8192;  // room for the records of inherited ACLs

struct Making {
  journal::Kind kind;
  std::string_view name;
  uint32_t umask = 0;
  std::span<const std::byte> payload{};
  uint16_t flags = 0;
  Capture capture = Capture::kEachWrite;
  std::function<int(int dir)> make;  // in the directory; an errno
  const UniqueFd* opened = nullptr;  // valid once it is made and open
};

struct Made {
  InodePtr inode;
  struct statx stat;
  uint64_t seq;
  uint64_t writer;
};

// I9 for a directory that gets a name: that the name was not there, and the directory's attributes before.
Result<void> before_new_name(Tree& tree, const Inode& dir, std::string_view name) {
  if (!tree.baseline.pending()) return {};
  if (stat_at(dir.path().get(), name).ok()) return Errno{EEXIST};
  if (auto saved = tree.baseline.before_name(dir.ino, dir.path().get(), name, 0, -1, false); !saved.ok()) return saved;
  return tree.baseline.before_attr(dir.ino, dir.path().get());
}

Result<Made> make_object(Tree& tree, Call& call, const Making& making) {
  const InodePtr dir = tree.inodes.find(call.head.nodeid);
  if (!dir) return Errno{call.head.nodeid == Tree::kSnapshotsId ? EROFS : ESTALE};
  if (!is_plain_name(making.name)) return Errno{EINVAL};
  if (tree.is_snapshots(*dir, making.name)) return Errno{EEXIST};
  Recording recording(tree, call, making.kind);
  if (auto reserved = recording.reserve(making.payload.size() + kInheritedBytes, 3); !reserved.ok()) return Errno{reserved.error()};

  const NamesLock names{dir.get()};
  const StateLock state{dir.get()};
  if (auto saved = before_new_name(tree, *dir, making.name); !saved.ok()) return Errno{saved.error()};
  {
    const AsCaller as_caller(call, making.umask);
    if (const int error = making.make(dir->path().get()); error != 0) return Errno{error};
  }
  struct statx stat;
  const auto inode = tree.enter(*dir, making.name, stat, call.head.pid);
  const auto unmake = [&](int error) {  // nothing may stay that is not recorded
    unlinkat(dir->path().get(), making.name.data(), making.kind == journal::Kind::kMkdir ? AT_REMOVEDIR : 0);
    return Errno{error};
  };
  if (!inode.ok()) return unmake(inode.error());  // no descriptor is left
  if (const auto born = tree.baseline.born(stat.stx_ino); !born.ok()) {
    tree.inodes.forget((*inode)->id, 1);
    return unmake(born.error());
  }
  recording.object(stat.stx_ino, stat);
  recording.draft.payload = making.payload;
  recording.draft.flags = static_cast<uint16_t>(making.flags | (making.capture == Capture::kNone ? journal::kUncaptured : 0));
  auto after = recording.parent(*dir, making.name);
  const auto seq = after.ok() ? append_with(tree, recording, inherited_xattrs((*inode)->path().proc(), making.opened ? making.opened->get() : -1)) : Errno{after.error()};
  if (!seq.ok()) {
    tree.inodes.forget((*inode)->id, 1);
    return Errno{seq.error()};
  }
  return Made{*inode, stat, *seq, recording.draft.writer};
}

void answer_entry(Tree& tree, Call& call, const Result<Made>& made) {
  if (!made.ok()) return call.fail(made.error());
  call.ok(tree.entry(*made->inode, made->stat));
}

dev_t device_number(uint32_t encoded) {
  return makedev((encoded & 0xfff00) >> 8, (encoded & 0xff) | ((encoded >> 12) & 0xfff00));
}

struct EntryAndOpen {
  fuse::EntryOut entry;
  fuse::OpenOut open;
};
static_assert(sizeof(EntryAndOpen) == 144);

void fill_handle(Handle& handle, const Made& made) {
  handle.inode = made.inode;
  handle.writer = made.writer;
  handle.save = handle.writable ? made.seq : 0;
}

// How the file that is to be made is captured; the rule's gap is told before it counts.
Policy::Decision decide_new(Tree& tree, uint64_t dir_id, std::string_view name) {
  const InodePtr dir = tree.inodes.find(dir_id);
  if (!dir || !is_plain_name(name)) return {};
  const Policy::Decision decision = tree.captures.of_new(*dir, name, false);
  if (decision.capture != Capture::kEachWrite) tree.captures.note_gap(decision);
  return decision;
}

void open_made(Tree& tree, Handle& handle, const Policy::Decision& decision) {
  tree.captures.begin_open(*handle.inode, decision);
  handle.counted = true;
  handle.capture = Captures::open_mode(*handle.inode);
  if (handle.capture == Capture::kEachWrite) return;
  begin_deferred(tree, handle);
  const StateLock lock{handle.inode.get()};
  tree.captures.opened_by(handle);
}

uint16_t opened_flag(uint32_t flags) {
  return (flags & O_ACCMODE) != O_RDONLY ? static_cast<uint16_t>(journal::kOpened) : uint16_t{0};
}

}  // namespace

void op_mkdir(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::MkdirIn>();
  const std::string_view name = call.take_string();
  if (in == nullptr) return call.fail(EINVAL);
  answer_entry(tree, call, make_object(tree, call, {journal::Kind::kMkdir, name, in->umask, {}, 0, Capture::kEachWrite, [&](int dir) {
                 return mkdirat(dir, name.data(), in->mode & 07777) == 0 ? 0 : errno;
               }}));
}

void op_mknod(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::MknodIn>();
  const std::string_view name = call.take_string();
  if (in == nullptr) return call.fail(EINVAL);
  answer_entry(tree, call, make_object(tree, call, {journal::Kind::kMknod, name, in->umask, {}, 0, Capture::kEachWrite, [&](int dir) {
                 return mknodat(dir, name.data(), in->mode, device_number(in->rdev)) == 0 ? 0 : errno;
               }}));
}

void op_symlink(Tree& tree, Call& call) {
  const std::string_view name = call.take_string();
  const std::string_view target = call.take_string();
  if (target.data() == nullptr) return call.fail(EINVAL);
  answer_entry(tree, call, make_object(tree, call, {journal::Kind::kSymlink, name, 0, std::as_bytes(std::span(target)), 0, Capture::kEachWrite, [&](int dir) {
                 return symlinkat(target.data(), dir, name.data()) == 0 ? 0 : errno;
               }}));
}

void op_create(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::CreateIn>();
  const std::string_view name = call.take_string();
  if (in == nullptr) return call.fail(EINVAL);
  auto handle = std::make_shared<Handle>();
  handle->writable = (in->flags & O_ACCMODE) != O_RDONLY;
  if (handle->writable) {
    if (auto room = reserve_close(tree, call, *handle); !room.ok()) return call.fail(room.error());
  }
  const Policy::Decision decision = decide_new(tree, call.head.nodeid, name);
  const auto made = make_object(tree, call, {journal::Kind::kCreate, name, in->umask, {}, opened_flag(in->flags), decision.capture, [&](int dir) {
    handle->fd.reset(openat(dir, name.data(), backing_flags(in->flags) | O_CREAT | O_EXCL | O_NOFOLLOW, in->mode & 07777));
    return handle->fd.valid() ? 0 : errno;
  }, &handle->fd});
  if (!made.ok()) return call.fail(made.error());
  fill_handle(*handle, *made);
  open_made(tree, *handle, decision);
  EntryAndOpen out{tree.entry(*made->inode, made->stat), {}};
  out.open = register_handle(tree, std::move(handle));
  call.ok(out);
}

// O_TMPFILE: an object without a name; a link may give it one later.
void op_tmpfile(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::CreateIn>();
  const InodePtr dir = tree.inodes.find(call.head.nodeid);
  if (in == nullptr || !dir) return call.fail(in == nullptr ? EINVAL : ESTALE);
  Recording recording(tree, call, journal::Kind::kTmpfile);
  if (auto reserved = recording.reserve(kInheritedBytes, 3); !reserved.ok()) return call.fail(reserved.error());
  auto handle = std::make_shared<Handle>();
  handle->writable = true;  // O_TMPFILE is always for writing
  if (auto room = reserve_close(tree, call, *handle); !room.ok()) return call.fail(room.error());
  UniqueFd& fd = handle->fd;
  {
    const AsCaller as_caller(call, in->umask);
    fd.reset(open(dir->path().proc().c_str(), (backing_flags(in->flags) & ~(O_CREAT | O_EXCL)) | O_TMPFILE | (in->flags & O_EXCL),
                  in->mode & 07777));
  }
  if (!fd.valid()) return call.fail(errno);
  const auto stat = stat_fd(fd.get());
  if (!stat.ok()) return call.fail(stat.error());
  const std::string path = "/proc/self/fd/" + std::to_string(fd.get());
  UniqueFd pin(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!pin.valid()) return call.fail(errno);
  const InodePtr inode = tree.inodes.intern(std::move(pin), *stat, true);
  inode->keep_path();
  const StateLock state{inode.get()};
  if (const auto born = tree.baseline.born(inode->ino); !born.ok()) return call.fail(born.error());
  recording.object(inode->ino, *stat);
  recording.draft.parent = dir->ino;
  recording.draft.flags = opened_flag(in->flags);
  const auto seq = append_with(tree, recording, inherited_xattrs(path, fd.get()));
  if (!seq.ok()) return call.fail(seq.error());
  fill_handle(*handle, Made{inode, *stat, *seq, recording.draft.writer});
  tree.captures.begin_open(*inode, {});
  handle->counted = true;
  EntryAndOpen out{tree.entry(*inode, *stat), {}};
  out.open = register_handle(tree, std::move(handle));
  call.ok(out);
}

}  // namespace rewindfs::live

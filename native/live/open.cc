// Opening files, ending a save, and making things durable.
#include <fcntl.h>
#include <unistd.h>

#include "live/backing_disk.h"
#include "live/locks.h"
#include "live/lost_rights.h"
#include "live/operations.h"
#include "os/waiting.h"

namespace rewindfs::live {
namespace {

bool wants_write(uint32_t flags) { return (flags & O_ACCMODE) != O_RDONLY; }

// Write-only files are opened for reading too where that is allowed: before-images and copies are read back.
UniqueFd open_backing(const Inode& inode, uint32_t flags) {
  const Path held = inode.path();
  const std::string path = held.proc();
  UniqueFd fd(::open(path.c_str(), backing_flags(flags)));
  if (!fd.valid() && errno == EACCES && (flags & O_ACCMODE) == O_WRONLY) fd.reset(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd;
}

// O_TRUNC of an open: the content before is captured, the bits that must not survive are dropped.
int truncate_opened(Tree& tree, Call& call, Handle& handle, bool kill_bits) {
  Recording recording(tree, call, journal::Kind::kTruncate);
  if (auto reserved = recording.reserve(0, 2); !reserved.ok()) return reserved.error();
  Inode& inode = *handle.inode;
  const StateLock lock{&inode};
  inode.assert_state();
  const auto before = stat_fd(inode.path().get());
  if (!before.ok()) return before.error();
  if (auto saved = before_content(tree, handle, 0, before->stx_size); !saved.ok()) return saved.error();
  if (auto settled = tree.captures.settle(inode); !settled.ok()) return settled.error();
  LostRights rights(inode);
  if (kill_bits) {
    if (const int error = rights.take_bits(call); error != 0) return error;
  }
  recording.draft.save = handle.save;
  if (ftruncate(handle.fd.get(), 0) != 0) return rights.failed(tree, recording, errno);
  if (handle.capture == Capture::kNone) recording.draft.flags = journal::kUncaptured;
  if (const auto after = recording.object(inode); !after.ok()) return after.error();
  const auto appended = append_with(tree, recording, rights.capability());
  if (handle.capture == Capture::kOnClose) tree.captures.recorded(inode);
  return appended.error();
}

// Content that is not recorded at each write is captured whole before it can change (I9), or never.
int before_deferred(Tree& tree, Handle& handle) {
  const auto size = tree.baseline.pending() ? stat_fd(handle.fd.get()) : Result<struct statx>(Errno{ENOENT});
  if (!size.ok()) return 0;
  const StateLock lock{handle.inode.get()};
  if (handle.capture == Capture::kNone) return tree.baseline.before_attr(handle.inode->ino, handle.fd.get()).error();
  return tree.baseline.before_data(handle.inode->ino, handle.fd.get(), 0, size->stx_size).error();
}

int record_open(Tree& tree, Call& call, Handle& handle, uint32_t flags) {
  Recording recording(tree, call, journal::Kind::kOpen);
  if (auto reserved = recording.reserve(0); !reserved.ok()) return reserved.error();
  if (auto room = reserve_close(tree, call, handle); !room.ok()) return room.error();
  const StateLock lock{handle.inode.get()};
  recording.draft.aux = flags;
  if (handle.capture == Capture::kNone) recording.draft.flags = journal::kUncaptured;
  if (const auto after = recording.object(*handle.inode); !after.ok()) return after.error();
  const auto seq = recording.append();
  if (!seq.ok()) return seq.error();
  handle.save = *seq;
  handle.writer = recording.draft.writer;
  if (handle.capture != Capture::kEachWrite) {
    handle.inode->assert_state();
    tree.captures.opened_by(handle);
  }
  return 0;
}

// The end of a save, in the room that was kept for it at the open. What was not captured while the file was open is now.
void record_close(Tree& tree, const Handle& handle) {
  Recording recording(tree, journal::Kind::kClose, handle.writer);
  Inode& inode = *handle.inode;
  const StateLock lock{&inode};
  inode.assert_state();
  recording.draft.save = handle.save;
  Result<void> captured;
  if (handle.capture == Capture::kOnClose) captured = tree.captures.settle(inode);
  if (handle.capture == Capture::kNone) {
    if (tree.captures.of(inode).capture != Capture::kNone) captured = tree.captures.capture_whole(inode);
    else if (tree.captures.changed(inode)) recording.draft.flags = journal::kUncaptured;
  }
  // Where there is no room for a gap either, the close itself says that the content is not known.
  if (!captured.ok() && !tree.captures.lost(inode, captured.error()).ok()) recording.draft.flags = journal::kUncaptured;
  if (!recording.object(*handle.inode).ok()) return;
  (void)recording.append();  // a journal that fails now fails every change from here on: nobody waits for this answer
}

// The last descriptor of a file may tell of a write that failed long after it was answered.
void close_backing(Tree& tree, Call& call, Handle& handle) {
  if (close(handle.fd.release()) != 0 && errno == EIO) tree.rescue.report({0, "close", handle.inode->ino, 0, 0, EIO, call.head.pid});
}

// Record and content both; which comes first says nothing as long as nobody was told, so they go at the same time.
int sync_both(Tree& tree, int fd, bool data_only) {
  const Waiting waiting;
  tree.recorder.begin_sync();
  const int error = (data_only ? fdatasync(fd) : fsync(fd)) == 0 ? 0 : errno;
  const auto synced = tree.recorder.sync();
  return synced.ok() ? error : synced.error();
}

void fail_open(Tree& tree, Call& call, Handle& handle, int error) {
  tree.captures.closed(handle);
  call.fail(error);
}

}  // namespace

int backing_flags(uint32_t flags) {
  constexpr int kDone = O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_DIRECT | O_SYNC | O_DSYNC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_TMPFILE;
  const int kept = static_cast<int>(flags) & ~(kDone | O_ACCMODE);
  const bool reads_only = (flags & O_ACCMODE) == O_RDONLY;
  return kept | (reads_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
}

Result<void> reserve_close(Tree& tree, Call& call, Handle& handle) {
  auto room = tree.recorder.reserve(0, 1, call.interrupted);
  if (!room.ok()) return Errno{room.error()};
  handle.room_to_close = std::move(*room);
  return {};
}

fuse::OpenOut register_handle(Tree& tree, HandlePtr handle) {
  fuse::OpenOut out{};
  tree.captures.answer_open(*handle, out);
  if (handle->writable) ++handle->inode->open_for_writing;
  if (!handle->writable) out.open_flags |= fuse::kFopenNoFlush;
  out.fh = tree.handles.add(std::move(handle));
  return out;
}

Result<void> before_content(Tree& tree, Handle& handle, uint64_t offset, uint64_t length) {
  if (handle.capture == Capture::kNone) return {};
  return tree.baseline.before_data(handle.inode->ino, handle.fd.get(), offset, length);
}

void begin_deferred(Tree& tree, Handle& handle) {
  if (handle.capture == Capture::kEachWrite) return;
  const StateLock lock{handle.inode.get()};
  handle.inode->assert_state();
  tree.captures.opened(handle.inode, handle);
}

void open_anew(Tree& tree) {
  for (const HandlePtr& handle : tree.handles.all()) {
    if (!handle->writable || handle->save != 0) continue;
    Inode& inode = *handle->inode;
    const StateLock lock{&inode};
    if (handle->capture == Capture::kNone) (void)tree.baseline.before_attr(inode.ino, handle->fd.get());
    Recording recording(tree, journal::Kind::kOpen, handle->writer);
    if (handle->capture == Capture::kNone) recording.draft.flags = journal::kUncaptured;
    if (!recording.object(inode).ok()) continue;
    const auto seq = recording.append();
    if (!seq.ok()) return;  // every change fails from here on
    handle->save = *seq;
    if (handle->capture != Capture::kEachWrite) tree.captures.opened_by(*handle);
  }
}

void op_open(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::OpenIn>();
  const InodePtr inode = tree.inodes.find(call.head.nodeid);
  if (in == nullptr || !inode) return call.fail(in == nullptr ? EINVAL : ESTALE);
  if (!inode->is_regular()) return call.fail(inode->is_directory() ? EISDIR : EINVAL);
  auto handle = std::make_shared<Handle>();
  handle->inode = inode;
  handle->writable = wants_write(in->flags);
  // Truncating needs a writable descriptor, also of a file that is opened to be read (O_RDONLY | O_TRUNC).
  const bool truncates = in->flags & O_TRUNC;
  handle->fd = open_backing(*inode, truncates && !handle->writable ? in->flags | O_RDWR : in->flags);
  if (!handle->fd.valid()) return call.fail(errno);
  handle->capture = tree.captures.begin_open(*inode);
  handle->counted = true;
  if (handle->capture != Capture::kEachWrite) {
    begin_deferred(tree, *handle);
    if (handle->writable || truncates) {
      tree.captures.note_gap(tree.captures.of(*inode));
      if (const int error = before_deferred(tree, *handle); error != 0) return fail_open(tree, call, *handle, error);
    }
  }
  if (handle->writable) {
    if (const int error = record_open(tree, call, *handle, in->flags); error != 0) return fail_open(tree, call, *handle, error);
  }
  if (truncates) {
    if (const int error = truncate_opened(tree, call, *handle, in->open_flags & fuse::kOpenKillSuidgid); error != 0) {
      if (handle->save != 0) record_close(tree, *handle);
      return fail_open(tree, call, *handle, error);
    }
  }
  call.ok(register_handle(tree, std::move(handle)));
}

void op_release(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::ReleaseIn>();
  if (in == nullptr) return call.fail(EINVAL);
  const HandlePtr handle = tree.handles.remove(in->fh);
  if (handle && handle->writable) --handle->inode->open_for_writing;
  if (handle && handle->writable) record_close(tree, *handle);
  if (handle) tree.captures.closed(*handle);
  if (handle && handle->writable && handle.use_count() == 1) close_backing(tree, call, *handle);
  call.ok();
}

void op_fsync(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::FsyncIn>();
  const HandlePtr handle = in == nullptr ? nullptr : tree.handles.find(in->fh);
  if (!handle) return call.fail(in == nullptr ? EINVAL : EBADF);
  if (handle->capture == Capture::kOnClose) {
    const Gate::Pass change(tree.changes);
    const StateLock lock{handle->inode.get()};
    handle->inode->assert_state();
    if (const auto settled = tree.captures.settle(*handle->inode); !settled.ok()) return call.fail(settled.error());
  }
  const int error = sync_both(tree, handle->fd.get(), in->flags & fuse::kFsyncDataOnly);
  if (error == EIO) tree.rescue.report({0, "sync", handle->inode->ino, 0, 0, EIO, call.head.pid});
  call.fail(error);
}

void op_fsyncdir(Tree& tree, Call& call) {
  if (call.head.nodeid == Tree::kSnapshotsId) return call.ok();
  const auto* in = call.take<fuse::FsyncIn>();
  const InodePtr dir = tree.inodes.find(call.head.nodeid);
  if (in == nullptr || !dir) return call.fail(in == nullptr ? EINVAL : ESTALE);
  const UniqueFd fd(openat(dir->path().get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  call.fail(fd.valid() ? sync_both(tree, fd.get(), in->flags & fuse::kFsyncDataOnly) : errno);
}

void op_syncfs(Tree& tree, Call& call) {
  const Waiting waiting;
  tree.recorder.begin_sync();
  const auto backing = sync_backing(tree);
  const auto synced = tree.recorder.sync();
  call.fail(synced.ok() ? backing.error() : synced.error());
}

}  // namespace rewindfs::live

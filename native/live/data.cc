// Reading and writing content.
#include <sys/stat.h>
#include <unistd.h>

#include "live/caller.h"
#include "live/locks.h"
#include "live/lost_rights.h"
#include "live/operations.h"

namespace rewindfs::live {
namespace {

// Answers as pwrite(2), errno included. Whoever may keep setuid bits, and the kernel when it writes a mapping back, whose
// caller is not known, write with our rights: any other would take bits away that are to stay.
ssize_t write_as_caller(const Call& call, const fuse::WriteIn& in, int fd, std::span<const std::byte> data, const LostRights& rights) {
  const bool known = in.write_flags & fuse::kWriteKillSuidgid && !(in.write_flags & fuse::kWriteCache);
  const Spending spending(known ? call.head.uid : 0, rights.leaves_bits());
  ssize_t written = 0;
  do {
    written = pwrite(fd, data.data(), data.size(), static_cast<off_t>(in.offset));
  } while (written < 0 && errno == EINTR);
  return written;
}

// A file that is captured later, or not at all, written through us: where the kernel does not pass it on by itself.
void write_unrecorded(Tree& tree, Call& call, const fuse::WriteIn& in, Handle& handle, std::span<const std::byte> data) {
  Inode& inode = *handle.inode;
  Recording recording(tree, call, journal::Kind::kSetattr);
  if (auto reserved = recording.reserve(0, 2); !reserved.ok()) return call.fail(reserved.error());
  const StateLock lock{&inode};
  inode.assert_state();
  LostRights rights(inode);
  if (in.write_flags & fuse::kWriteKillSuidgid) {
    if (const int error = rights.take_bits(call); error != 0) return call.fail(error);
  }
  const ssize_t written = write_as_caller(call, in, handle.fd.get(), data, rights);
  if (const int error = rights.failed(tree, recording, written < 0 ? errno : 0); error != 0) return call.fail(error);
  call.ok(fuse::WriteOut{static_cast<uint32_t>(written), 0});
}

// One write, one record.
void write_recorded(Tree& tree, Call& call, const fuse::WriteIn& in, Handle& handle, std::span<const std::byte> data) {
  Inode& inode = *handle.inode;
  const bool writeback = in.write_flags & fuse::kWriteCache;
  Recording recording(tree, call, journal::Kind::kWrite);
  if (writeback || recording.draft.writer == 0) recording.draft.writer = handle.writer;
  if (auto reserved = recording.reserve(data.size(), 2); !reserved.ok()) return call.fail(reserved.error());

  const StateLock lock{&inode};
  inode.assert_state();
  if (auto saved = tree.baseline.before_data(inode.ino, handle.fd.get(), in.offset, data.size()); !saved.ok()) {
    return call.fail(saved.error());
  }
  LostRights rights(inode);
  if (in.write_flags & fuse::kWriteKillSuidgid) {  // before the data, so that the write's own record shows the mode without them
    if (const int error = rights.take_bits(call); error != 0) return call.fail(error);
  }
  const ssize_t written = write_as_caller(call, in, handle.fd.get(), data, rights);
  recording.draft.save = handle.save;
  if (written < 0) return call.fail(rights.failed(tree, recording, errno));
  recording.draft.flags = writeback ? static_cast<uint16_t>(journal::kWriteback) : uint16_t{0};
  recording.draft.offset = in.offset;
  recording.draft.length = static_cast<uint64_t>(written);
  recording.draft.payload = data.first(static_cast<size_t>(written));
  if (const auto after = recording.object(inode); !after.ok()) return call.fail(after.error());
  const auto appended = append_with(tree, recording, rights.capability());
  if (!appended.ok()) return call.fail(appended.error());
  call.ok(fuse::WriteOut{static_cast<uint32_t>(written), 0});
}

// The file cannot be read from here on. A short answer would say that it ends here.
void read_in_place(Tree& tree, Call& call, const Handle& handle, const fuse::ReadIn& in, size_t wanted, size_t got, int error) {
  if (error == EIO) {
    const Trouble trouble{0, "read", handle.inode->ino, in.offset + got, wanted - got, error, call.head.pid};
    if (const auto rest = tree.rescue.read(trouble, call.out().subspan(got, wanted - got), call.interrupted)) return call.ok_bytes(got + *rest);
  }
  call.fail(error);
}

}  // namespace

void op_read(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::ReadIn>();
  if (in == nullptr) return call.fail(EINVAL);
  const HandlePtr handle = tree.handles.find(in->fh);
  if (!handle) return call.fail(EBADF);
  const size_t wanted = std::min<size_t>(in->size, call.out().size());
  size_t got = 0;
  while (got < wanted) {
    const ssize_t part = pread(handle->fd.get(), call.out().data() + got, wanted - got, static_cast<off_t>(in->offset + got));
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return read_in_place(tree, call, *handle, *in, wanted, got, errno);
    if (part == 0) break;
    got += static_cast<size_t>(part);
  }
  call.ok_bytes(got);
}

void op_write(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::WriteIn>();
  if (in == nullptr || call.rest().size() < in->size || in->size > journal::kMaxPayloadBytes) return call.fail(EINVAL);
  const HandlePtr handle = tree.handles.find(in->fh);
  if (!handle || !handle->writable) return call.fail(EBADF);
  const auto data = call.rest().first(in->size);
  if (handle->capture == Capture::kEachWrite) write_recorded(tree, call, *in, *handle, data);
  else write_unrecorded(tree, call, *in, *handle, data);
  if (call.error() == EIO) tree.rescue.report({0, "write", handle->inode->ino, in->offset, in->size, EIO, call.head.pid});
}

}  // namespace rewindfs::live

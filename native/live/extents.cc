// Calls on ranges: fallocate, lseek for data and holes, copy_file_range.
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <vector>

#include "live/caller.h"
#include "live/locks.h"
#include "live/lost_rights.h"
#include "live/operations.h"

namespace rewindfs::live {
namespace {

constexpr uint64_t kMaxCopyBytes = 16u << 20;  // one request's part; the kernel asks again for the rest

unsigned chunks(uint64_t bytes) { return static_cast<unsigned>(bytes / journal::kMaxPayloadBytes + 2); }

// What the file holds in [offset, end) now, as kWrite records; all but the last say that the call goes on.
int record_content(Tree& tree, Recording& recording, const Handle& handle, uint64_t offset, uint64_t end,
                   std::span<const XattrChange> with) {
  const Inode& inode = *handle.inode;
  const UniqueFd unnoticed = inode.open_unnoticed();  // whom the mode keeps from opening it reads through the handle
  const int fd = unnoticed.valid() ? unnoticed.get() : handle.fd.get();
  std::vector<std::byte> buffer(journal::kMaxPayloadBytes);
  recording.draft.kind = journal::Kind::kWrite;
  recording.draft.aux = 0;
  while (offset < end) {
    const ssize_t got = pread(fd, buffer.data(), std::min<uint64_t>(buffer.size(), end - offset), static_cast<off_t>(offset));
    if (got < 0) return errno;
    if (got == 0) return 0;  // beyond the end of the file there is nothing to say
    const auto bytes = static_cast<uint64_t>(got);
    recording.draft.flags = offset + bytes < end ? static_cast<uint16_t>(journal::kMore) : uint16_t{0};
    recording.draft.offset = offset;
    recording.draft.length = bytes;
    recording.draft.payload = std::span(buffer).first(bytes);
    if (const auto after = recording.object(inode); !after.ok()) return after.error();
    const bool last = offset + bytes == end;
    const auto appended = append_with(tree, recording, last ? with : std::span<const XattrChange>{});
    if (!appended.ok()) return appended.error();
    offset += bytes;
  }
  recording.draft.payload = {};
  return 0;
}

bool moves_content(uint32_t mode) { return mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE); }

// Bytes from offset on that the call may change.
uint64_t changed_bytes(const fuse::FallocateIn& in, uint64_t size) {
  if (moves_content(in.mode)) return size > in.offset ? size - in.offset : 0;
  if (in.mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) return in.length;
  return 0;
}

// Setuid and setgid stay until it is done: a mode that the file system below does not know takes nothing.
int allocate_as_caller(const Call& call, const fuse::FallocateIn& in, int fd) {
  const Spending spending(call.head.uid, true);
  return fallocate(fd, static_cast<int>(in.mode), static_cast<off_t>(in.offset), static_cast<off_t>(in.length)) == 0 ? 0 : errno;
}

ssize_t copy_as_caller(const Call& call, int from, off64_t offset_in, int to, off64_t offset_out, uint64_t length, const LostRights& rights) {
  const Spending spending(call.head.uid, rights.leaves_bits());
  return copy_file_range(from, &offset_in, to, &offset_out, length, 0);
}

int fallocate_file(Tree& tree, Call& call, const fuse::FallocateIn& in, Handle& handle) {
  Inode& inode = *handle.inode;
  Recording recording(tree, call, journal::Kind::kFallocate);
  const auto unlocked = stat_fd(inode.path().get());
  if (!unlocked.ok()) return unlocked.error();
  const uint64_t moved = moves_content(in.mode) ? unlocked->stx_size + in.length : 0;
  if (auto reserved = recording.reserve(moved, chunks(moved)); !reserved.ok()) return reserved.error();
  const StateLock lock{&inode};
  inode.assert_state();
  const auto before = stat_fd(inode.path().get());
  if (!before.ok()) return before.error();
  if (auto saved = before_content(tree, handle, in.offset, changed_bytes(in, before->stx_size)); !saved.ok()) return saved.error();
  LostRights rights(inode);
  recording.draft.save = handle.save;
  if (const int error = allocate_as_caller(call, in, handle.fd.get()); error != 0) return rights.failed(tree, recording, error);
  // The kernel leaves it to us, and does not say. What is done is recorded, whatever became of this.
  const int kept_bits = is_privileged(call) ? 0 : rights.take_bits(call);
  if (handle.capture != Capture::kEachWrite) return rights.failed(tree, recording, kept_bits);
  const auto after = recording.object(inode);
  if (!after.ok()) return after.error();
  const uint64_t end = after->stx_size;
  const bool rewritten = moves_content(in.mode) && end > in.offset;
  recording.draft.aux = in.mode;
  recording.draft.offset = in.offset;
  recording.draft.length = in.length;
  recording.draft.flags = rewritten ? static_cast<uint16_t>(journal::kMore) : uint16_t{0};
  const auto lost = rights.capability();
  const auto appended = rewritten ? recording.append() : append_with(tree, recording, lost);
  if (!appended.ok()) return appended.error();
  if (!rewritten) return kept_bits;
  return record_content(tree, recording, handle, in.offset, end, lost);
}

// Bytes copied. Under the target's lock only: what is recorded is read back from the target.
Result<uint64_t> copy_range(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::CopyFileRangeIn>();
  if (in == nullptr) return Errno{EINVAL};
  const HandlePtr from = tree.handles.find(in->fh_in), to = tree.handles.find(in->fh_out);
  if (!from || !to || !to->writable) return Errno{EBADF};
  if (in->flags != 0) return Errno{EINVAL};
  Inode& inode = *to->inode;
  const uint64_t length = std::min(in->length, kMaxCopyBytes);
  Recording recording(tree, call, journal::Kind::kWrite);
  if (auto reserved = recording.reserve(length, chunks(length)); !reserved.ok()) return Errno{reserved.error()};
  const StateLock lock{&inode};
  inode.assert_state();
  if (auto saved = before_content(tree, *to, in->offset_out, length); !saved.ok()) return Errno{saved.error()};
  LostRights rights(inode);
  if (!is_privileged(call)) {
    if (const int error = rights.take_bits(call); error != 0) return Errno{error};
  }
  recording.draft.save = to->save;
  const ssize_t copied = copy_as_caller(call, from->fd.get(), static_cast<off64_t>(in->offset_in), to->fd.get(), static_cast<off64_t>(in->offset_out), length, rights);
  if (copied <= 0) {
    const int error = rights.failed(tree, recording, copied < 0 ? errno : 0);
    return error != 0 ? Result<uint64_t>(Errno{error}) : Result<uint64_t>(0);
  }
  const auto bytes = static_cast<uint64_t>(copied);
  if (to->capture != Capture::kEachWrite) {
    if (const int error = rights.failed(tree, recording, 0); error != 0) return Errno{error};
    return bytes;
  }
  const int error = record_content(tree, recording, *to, in->offset_out, in->offset_out + bytes, rights.capability());
  if (error != 0) return Errno{error};
  return bytes;
}

}  // namespace

void op_fallocate(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::FallocateIn>();
  if (in == nullptr) return call.fail(EINVAL);
  const HandlePtr handle = tree.handles.find(in->fh);
  if (!handle || !handle->writable) return call.fail(EBADF);
  call.fail(fallocate_file(tree, call, *in, *handle));
}

void op_lseek(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::LseekIn>();
  if (in == nullptr) return call.fail(EINVAL);
  const HandlePtr handle = tree.handles.find(in->fh);
  if (!handle) return call.fail(EBADF);
  if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE) return call.fail(EINVAL);
  // Only these two: they say where, and move no position that anything else uses.
  const off_t found = lseek(handle->fd.get(), static_cast<off_t>(in->offset), static_cast<int>(in->whence));
  if (found < 0) return call.fail(errno);
  call.ok(fuse::LseekOut{static_cast<uint64_t>(found)});
}

void op_copy_file_range(Tree& tree, Call& call) {
  const auto copied = copy_range(tree, call);
  if (!copied.ok()) return call.fail(copied.error());
  call.ok(fuse::WriteOut{static_cast<uint32_t>(*copied), 0});
}

void op_copy_file_range_64(Tree& tree, Call& call) {
  const auto copied = copy_range(tree, call);
  if (!copied.ok()) return call.fail(copied.error());
  call.ok(fuse::CopyFileRangeOut{*copied});
}

}  // namespace rewindfs::live

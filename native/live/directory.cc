// Directory streams. Offsets are those of the file system below, never places in a list of ours: the kernel keeps what one
// stream read and may go on from there in another, and a place in a list means something else once names are gone.
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "live/operations.h"

namespace rewindfs::live {
namespace {

constexpr int64_t kNoPosition = -1;  // of a stream whose descriptor is past what was answered

struct LinuxDirent64 {
  uint64_t ino;
  int64_t off;
  uint16_t size;
  uint8_t type;
  char name[];
};

bool is_dots(std::string_view name) { return name == "." || name == ".."; }

// The answer being filled with entries.
class Listing {
 public:
  Listing(Tree& tree, const Handle& handle, std::span<std::byte> out, bool plus)
      : tree_(tree), handle_(handle), out_(out), plus_(plus) {}

  // False: there is no room for it any more.
  bool add(std::string_view name, uint64_t ino, uint8_t type, int64_t next) {
    const size_t head = plus_ ? sizeof(fuse::EntryOut) : 0;
    const size_t size = head + sizeof(fuse::Dirent) + fuse::padded(name.size());
    if (used_ + size > out_.size()) return false;
    std::byte* at = out_.data() + used_;
    if (plus_) {
      const fuse::EntryOut entry = attributes(name);
      std::memcpy(at, &entry, sizeof entry);
    }
    const fuse::Dirent dirent{ino, static_cast<uint64_t>(next), static_cast<uint32_t>(name.size()), type};
    std::memcpy(at + head, &dirent, sizeof dirent);
    std::memset(at + head + sizeof dirent, 0, fuse::padded(name.size()));
    std::memcpy(at + head + sizeof dirent, name.data(), name.size());
    used_ += size;
    return true;
  }
  size_t used() const { return used_; }
  // How many bytes of the file system's own entries fill what is left, not more: what does not fit is read in vain.
  size_t wanted() const { return (out_.size() - used_) / (plus_ ? 4 : 1); }

 private:
  // The entry with its attributes counts as a lookup; one that is gone meanwhile is listed without.
  fuse::EntryOut attributes(std::string_view name) {
    if (is_dots(name) || !handle_.inode) return {};
    struct statx stat;
    const auto inode = tree_.enter(*handle_.inode, std::string(name), stat);
    return inode.ok() ? tree_.entry(**inode, stat) : fuse::EntryOut{};
  }

  Tree& tree_;
  const Handle& handle_;
  const std::span<std::byte> out_;
  const bool plus_;
  size_t used_ = 0;
};

// The synthetic directory: offset 1 is after ".", 2 after "..".
void list_snapshots(const Tree& tree, uint64_t offset, Listing& listing) {
  if (offset < 1 && !listing.add(".", Tree::kSnapshotsIno, DT_DIR, 1)) return;
  if (offset < 2) (void)listing.add("..", tree.root_ino(), DT_DIR, 2);
}

int list_directory(Handle& handle, int64_t offset, Listing& listing) REQUIRES(handle.mutex) {
  alignas(LinuxDirent64) char buffer[32 << 10];
  if (handle.position != offset && lseek(handle.fd.get(), offset, SEEK_SET) < 0) return errno;
  for (;;) {
    const size_t bytes = std::clamp<size_t>(listing.wanted(), sizeof(LinuxDirent64) + NAME_MAX + 1, sizeof buffer);
    const long got = syscall(SYS_getdents64, handle.fd.get(), buffer, bytes);
    if (got < 0) return errno;
    if (got == 0) break;
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const LinuxDirent64*>(buffer + at);
      if (!listing.add(entry->name, entry->ino, entry->type, entry->off)) {
        handle.position = kNoPosition;
        return 0;
      }
      offset = entry->off;
      at += entry->size;
    }
  }
  handle.position = offset;
  return 0;
}

void read_stream(Tree& tree, Call& call, bool plus) {
  const auto* in = call.take<fuse::ReadIn>();
  if (in == nullptr) return call.fail(EINVAL);
  const HandlePtr handle = tree.handles.find(in->fh);
  if (!handle) return call.fail(EBADF);
  Listing listing(tree, *handle, call.out().first(std::min<size_t>(in->size, call.out().size())), plus);
  if (handle->inode == nullptr) {
    list_snapshots(tree, in->offset, listing);
  } else {
    const MutexLock lock(handle->mutex);
    if (const int error = list_directory(*handle, static_cast<int64_t>(in->offset), listing); error != 0) return call.fail(error);
  }
  call.ok_bytes(listing.used());
}

}  // namespace

void op_opendir(Tree& tree, Call& call) {
  auto handle = std::make_shared<Handle>();
  if (call.head.nodeid != Tree::kSnapshotsId) {
    handle->inode = tree.inodes.find(call.head.nodeid);
    if (!handle->inode) return call.fail(ESTALE);
    handle->fd.reset(openat(handle->inode->path().get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!handle->fd.valid()) return call.fail(errno);
  }
  fuse::OpenOut out{};
  out.open_flags = fuse::kFopenCacheDir | fuse::kFopenKeepCache;
  out.fh = tree.handles.add(std::move(handle));
  call.ok(out);
}

void op_readdir(Tree& tree, Call& call) { read_stream(tree, call, false); }
void op_readdirplus(Tree& tree, Call& call) { read_stream(tree, call, true); }

}  // namespace rewindfs::live

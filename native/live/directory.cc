// Directory streams. A stream is a list taken when it is read from the start, so that offsets stay what they are while
// the directory changes; rewinding takes a new one.
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "live/operations.h"

namespace rewindfs::live {
namespace {

struct LinuxDirent64 {
  uint64_t ino;
  int64_t off;
  uint16_t size;
  uint8_t type;
  char name[];
};

int list(const Tree& tree, const Handle& handle, std::vector<DirectoryEntry>& entries) {
  entries.clear();
  if (handle.inode == nullptr) {  // the synthetic directory
    entries = {{".", Tree::kSnapshotsIno, DT_DIR}, {"..", tree.root_ino(), DT_DIR}};
    return 0;
  }
  if (lseek(handle.fd.get(), 0, SEEK_SET) < 0) return errno;
  alignas(LinuxDirent64) char buffer[64 << 10];
  for (;;) {
    const long got = syscall(SYS_getdents64, handle.fd.get(), buffer, sizeof buffer);
    if (got < 0) return errno;
    if (got == 0) return 0;
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const LinuxDirent64*>(buffer + at);
      entries.push_back({entry->name, entry->ino, entry->type});
      at += entry->size;
    }
  }
}

bool is_dots(const std::string& name) { return name == "." || name == ".."; }

void put_dirent(std::byte* at, const DirectoryEntry& entry, uint64_t next) {
  const fuse::Dirent dirent{entry.ino, next, static_cast<uint32_t>(entry.name.size()), entry.type};
  std::memcpy(at, &dirent, sizeof dirent);
  std::memset(at + sizeof dirent, 0, fuse::padded(entry.name.size()));
  std::memcpy(at + sizeof dirent, entry.name.data(), entry.name.size());
}

// The entry with its attributes counts as a lookup; one that is gone meanwhile is listed without.
fuse::EntryOut plus_entry(Tree& tree, const Inode& dir, const DirectoryEntry& entry) {
  if (is_dots(entry.name)) return {};
  struct statx stat;
  const auto inode = tree.enter(dir, entry.name, stat);
  return inode.ok() ? tree.entry(**inode, stat) : fuse::EntryOut{};
}

void read_stream(Tree& tree, Call& call, bool plus) {
  const auto* in = call.take<fuse::ReadIn>();
  if (in == nullptr) return call.fail(EINVAL);
  const HandlePtr handle = tree.handles.find(in->fh);
  if (!handle) return call.fail(EBADF);
  const MutexLock lock(handle->mutex);
  if (in->offset == 0 || !handle->listed) {
    if (const int error = list(tree, *handle, handle->entries); error != 0) return call.fail(error);
    handle->listed = true;
  }
  const size_t room = std::min<size_t>(in->size, call.out().size());
  const size_t head = plus ? sizeof(fuse::EntryOut) : 0;
  size_t used = 0;
  for (uint64_t i = in->offset; i < handle->entries.size(); ++i) {
    const DirectoryEntry& entry = handle->entries[i];
    const size_t size = head + sizeof(fuse::Dirent) + fuse::padded(entry.name.size());
    if (used + size > room) break;
    std::byte* at = call.out().data() + used;
    if (plus) {
      const fuse::EntryOut out = handle->inode ? plus_entry(tree, *handle->inode, entry) : fuse::EntryOut{};
      std::memcpy(at, &out, sizeof out);
    }
    put_dirent(at + head, entry, i + 1);
    used += size;
  }
  call.ok_bytes(used);
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

// Reading directories. Offsets are those of the file system below, never places in a list of ours: the kernel keeps what one
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
  // dir: null for the synthetic directory. thread: who reads it.
  Listing(Tree& tree, const Inode* dir, std::span<std::byte> out, bool plus, uint32_t thread)
      : tree_(tree), dir_(dir), out_(out), plus_(plus), thread_(thread) {}

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
    if (is_dots(name) || dir_ == nullptr) return {};
    struct statx stat;
    const auto inode = tree_.enter(*dir_, std::string(name), stat, thread_);
    return inode.ok() ? tree_.entry(**inode, stat) : fuse::EntryOut{};
  }

  Tree& tree_;
  const Inode* const dir_;
  const std::span<std::byte> out_;
  const bool plus_;
  const uint32_t thread_;
  size_t used_ = 0;
};

// The synthetic directory: offset 1 is after ".", 2 after "..".
void list_snapshots(const Tree& tree, uint64_t offset, Listing& listing) {
  if (offset < 1 && !listing.add(".", Tree::kSnapshotsIno, DT_DIR, 1)) return;
  if (offset < 2) (void)listing.add("..", tree.root_ino(), DT_DIR, 2);
}

// Fills the listing from where the stream stands, and leaves it where the listing ends.
Result<void> list_directory(Streams::Stream& stream, Listing& listing) {
  alignas(LinuxDirent64) char buffer[32 << 10];
  for (;;) {
    const size_t bytes = std::clamp<size_t>(listing.wanted(), sizeof(LinuxDirent64) + NAME_MAX + 1, sizeof buffer);
    const long got = syscall(SYS_getdents64, stream.fd.get(), buffer, bytes);
    if (got < 0) return last_errno();
    if (got == 0) return {};
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const LinuxDirent64*>(buffer + at);
      if (!listing.add(entry->name, entry->ino, entry->type, entry->off)) {
        if (lseek(stream.fd.get(), stream.offset, SEEK_SET) < 0) return last_errno();
        return {};
      }
      stream.offset = entry->off;
      at += entry->size;
    }
  }
}

void read_stream(Tree& tree, Call& call, bool plus) {
  const auto* in = call.take<fuse::ReadIn>();
  if (in == nullptr) return call.fail(EINVAL);
  const auto out = call.out().first(std::min<size_t>(in->size, call.out().size()));
  if (call.head.nodeid == Tree::kSnapshotsId) {
    Listing listing(tree, nullptr, out, plus, call.head.pid);
    list_snapshots(tree, in->offset, listing);
    return call.ok_bytes(listing.used());
  }
  const InodePtr dir = tree.inodes.find(call.head.nodeid);
  if (!dir) return call.fail(ESTALE);
  auto stream = tree.streams.take(*dir, static_cast<int64_t>(in->offset));
  if (!stream.ok()) return call.fail(stream.error());
  Listing listing(tree, dir.get(), out, plus, call.head.pid);
  if (const auto listed = list_directory(*stream, listing); !listed.ok()) return call.fail(listed.error());
  if (listing.used() > 0) tree.streams.keep(std::move(*stream));
  call.ok_bytes(listing.used());
}

}  // namespace

void op_readdir(Tree& tree, Call& call) { read_stream(tree, call, false); }
void op_readdirplus(Tree& tree, Call& call) { read_stream(tree, call, true); }

}  // namespace rewindfs::live

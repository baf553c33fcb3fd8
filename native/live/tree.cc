#include "live/tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "os/attributes.h"

namespace rewindfs::live {
namespace {

// Half of what the process may open is for objects that the kernel remembers, the rest for open files and the store.
size_t object_descriptors() {
  rlimit limit;
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 2 : 512;
}

}  // namespace

Tree::Tree(journal::Recorder& to, Snapshots of)
    : inodes(object_descriptors()), recorder(to), writers(to), baseline(to, *this), captures(*this), recapture(*this), snapshots(std::move(of)) {}

Result<std::unique_ptr<Tree>> Tree::open(UniqueFd root, journal::Recorder& recorder, Snapshots snapshots) {
  const auto stat = stat_fd(root.get());
  if (!stat.ok()) return Errno{stat.error()};
  std::unique_ptr<Tree> tree(new Tree(recorder, std::move(snapshots)));
  const dev_t dev = makedev(stat->stx_dev_major, stat->stx_dev_minor);
  tree->inodes.paths.set_anchor(UniqueFd(openat(root.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  const auto inode = std::make_shared<Inode>(fuse::kRootId, stat->stx_ino, dev, stat->stx_mode, tree->inodes.paths, std::move(root));
  inode->keep_path();
  tree->inodes.set_root(inode);
  tree->baseline.exclude([&live = *tree](int fd, uint32_t nlink) {
    const Policy::Decision decision = live.captures.of_fd(fd, false, nlink != 1);
    if (decision.capture != Capture::kNone) return false;
    live.captures.note_gap(decision);
    return true;
  });
  return tree;
}

// What it is comes from the descriptor, never from a second look at the name, which may lead elsewhere by then.
Result<UniqueFd> Tree::open_child(const Inode& dir, std::string_view name, struct statx& stat) {
  open_how how{};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_XDEV;
  UniqueFd fd(static_cast<int>(syscall(SYS_openat2, dir.path().get(), name.data(), &how, sizeof how)));
  if (!fd.valid()) return last_errno();
  const auto found = stat_fd(fd.get());
  if (!found.ok()) return Errno{found.error()};
  if (makedev(found->stx_dev_major, found->stx_dev_minor) != dir.dev) return Errno{EXDEV};  // a subvolume is no mount
  if (found->stx_ino > kGreatestIno) return Errno{EOVERFLOW};
  stat = *found;
  return fd;
}

Result<InodePtr> Tree::enter(const Inode& dir, std::string_view name, struct statx& stat, uint32_t thread) {
  Result<UniqueFd> fd = open_child(dir, name, stat);
  if (!fd.ok()) return Errno{fd.error()};
  const InodePtr inode = inodes.intern(std::move(*fd), stat, true);
  if (inode->onlookers.told(thread)) {
    if (const auto again = stat_fd(inode->path().get()); again.ok()) stat = *again;
  }
  return inode;
}

Result<InodePtr> Tree::child(const Inode& dir, std::string_view name, struct statx& stat) {
  const auto found = stat_at(dir.path().get(), name);
  if (!found.ok()) return Errno{found.error()};
  stat = *found;
  if (InodePtr known = inodes.find_object(makedev(stat.stx_dev_major, stat.stx_dev_minor), stat.stx_ino)) return known;
  Result<UniqueFd> fd = open_child(dir, name, stat);
  if (!fd.ok()) return Errno{fd.error()};
  return inodes.intern(std::move(*fd), stat, false);
}

fuse::EntryOut Tree::entry(const Inode& inode, const struct statx& stat) const {
  fuse::EntryOut out{};
  out.nodeid = inode.id;
  out.entry_valid = kForeverSeconds;
  out.attr_valid = Captures::attr_valid(inode);
  out.attr = wire_attr(stat);
  return out;
}

// Does the kernel leave open which is older, an answer about the object or this change of it (onlookers.h)?
constexpr bool is_unversioned(journal::Kind kind) {
  using enum journal::Kind;
  return (kind >= kCreate && kind <= kRename) || kind == kFallocate || kind == kSetxattr || kind == kRemovexattr;
}

Recording::Recording(Tree& tree, const fuse::Call& call, journal::Kind kind)
    : tree_(tree), call_(&call) {
  draft.kind = kind;
  draft.writer = tree.writers.resolve(call.head.pid, call.head.uid, call.head.gid);
}

Recording::Recording(Tree& tree, journal::Kind kind, uint64_t writer) : tree_(tree), call_(nullptr) {
  draft.kind = kind;
  draft.writer = writer;
}

Result<void> Recording::reserve(uint64_t payload_bytes, unsigned records) {
  if (call_ != nullptr && tree_.writers.refuses(call_->head.pid, call_->head.uid, call_->head.gid)) return Errno{EROFS};
  auto reserved = tree_.recorder.reserve(payload_bytes, records, call_ == nullptr ? nullptr : call_->interrupted);
  if (!reserved.ok()) return Errno{reserved.error()};
  reservation_ = std::move(*reserved);
  return {};
}

void Recording::object(uint64_t ino, const struct statx& stat) {
  attr_ = journal_attr(stat);
  draft.ino = ino;
  draft.attr = &attr_;
}

Result<struct statx> Recording::object(const Inode& inode) {
  auto stat = stat_fd(inode.path().get());
  if (stat.ok()) object(inode.ino, *stat);
  supersede(inode);
  return stat;
}

Result<void> Recording::parent(const Inode& dir, std::string_view name) {
  const auto stat = stat_fd(dir.path().get());
  if (!stat.ok()) return Errno{stat.error()};
  parent_ = journal_attr(*stat);
  supersede(dir);
  draft.parent = dir.ino;
  draft.parent_attr = &parent_;
  draft.name = name;
  return {};
}

Result<void> Recording::parent2(const Inode& dir, std::string_view name) {
  const auto stat = stat_fd(dir.path().get());
  if (!stat.ok()) return Errno{stat.error()};
  supersede(dir);
  parent2_ = {dir.ino, journal_attr(*stat)};
  draft.parent2 = &parent2_;
  draft.name2 = name;
  return {};
}

Result<void> Recording::target(const Inode& inode) {
  const auto stat = stat_fd(inode.path().get());
  if (!stat.ok()) return Errno{stat.error()};
  supersede(inode);
  target_ = {inode.ino, journal_attr(*stat)};
  draft.target = &target_;
  return {};
}

void Recording::supersede(const Inode& inode) const {
  if (call_ == nullptr || !is_unversioned(draft.kind)) return;
  if (inode.onlookers.changed(call_->head.pid)) tree_.captures.invalidate(inode);
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

}  // namespace rewindfs::live

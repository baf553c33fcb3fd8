// Extended attributes and ACLs. What is recorded is what is there afterwards: a file system may turn an ACL into mode
// bits, and a new object inherits ACLs from its directory.
#include <sys/xattr.h>

#include <vector>

#include "live/caller.h"
#include "live/locks.h"
#include "live/operations.h"

namespace rewindfs::live {
namespace {

constexpr size_t kMaxValueBytes = 64 << 10;  // XATTR_SIZE_MAX
constexpr std::string_view kAccessAcl = "system.posix_acl_access";
constexpr char kCapability[] = "security.capability";
constexpr std::string_view kUserPrefix = "user.";
constexpr std::string_view kTrustedPrefix = "trusted.";  // listed to nobody but root (xattr(7))

int change(Tree& tree, Call& call, Inode& inode, std::string_view name, bool drop_setgid, const auto& apply) {
  Recording recording(tree, call, journal::Kind::kSetxattr);
  if (auto reserved = recording.reserve(kMaxValueBytes + 4096, 3); !reserved.ok()) return reserved.error();
  const StateLock lock{&inode};
  inode.assert_state();
  if (auto saved = tree.baseline.before_attr(inode.ino, inode.path().get()); !saved.ok()) return saved.error();
  if (auto settled = tree.captures.settle(inode); !settled.ok()) return settled.error();
  if (apply() != 0) return errno;
  const auto stat = stat_fd(inode.path().get());
  if (!stat.ok()) return stat.error();
  if (drop_setgid && (stat->stx_mode & S_ISGID)) {
    if (chmod(inode.path().proc().c_str(), stat->stx_mode & 07777 & ~S_ISGID) != 0) return errno;
  }
  if (const auto after = recording.object(inode); !after.ok()) return after.error();
  if (name == kCapability) inode.capability = Known::kNot;
  tree.captures.recorded(inode);
  return record_present(tree, recording.draft, inode.path().proc(), name).error();
}

// None: it is not there, or cannot be read.
std::optional<std::string> read_xattr(const std::string& path, const char* name) {
  char small[512];
  ssize_t size = getxattr(path.c_str(), name, small, sizeof small);
  if (size >= 0) return std::string(small, static_cast<size_t>(size));
  if (errno != ERANGE) return std::nullopt;
  std::string value(kMaxValueBytes, '\0');
  size = getxattr(path.c_str(), name, value.data(), value.size());
  if (size < 0) return std::nullopt;
  value.resize(static_cast<size_t>(size));
  return value;
}

}  // namespace

Result<void> record_present(Tree& tree, const journal::Draft& like, const std::string& path, std::string_view name) {
  std::vector<std::byte> value(kMaxValueBytes);
  const ssize_t size = getxattr(path.c_str(), std::string(name).c_str(), value.data(), value.size());
  if (size < 0 && errno != ENODATA && errno != EOPNOTSUPP) return last_errno();
  journal::Draft draft;
  draft.kind = size < 0 ? journal::Kind::kRemovexattr : journal::Kind::kSetxattr;
  draft.writer = like.writer;
  draft.save = like.save;
  draft.ino = like.ino;
  draft.attr = like.attr;
  draft.name = name;
  if (size >= 0) draft.payload = std::span(value).first(static_cast<size_t>(size));
  return Result<void>(Errno{tree.recorder.append(draft).error()});
}

Result<uint64_t> append_with(Tree& tree, Recording& recording, std::span<const XattrChange> with) {
  if (!with.empty()) recording.draft.flags |= journal::kMore;
  const auto seq = recording.append();
  for (size_t i = 0; seq.ok() && i < with.size(); ++i) {
    journal::Draft draft;
    draft.kind = with[i].value ? journal::Kind::kSetxattr : journal::Kind::kRemovexattr;
    draft.flags = i + 1 < with.size() ? static_cast<uint16_t>(journal::kMore) : uint16_t{0};
    draft.writer = recording.draft.writer;
    draft.save = recording.draft.save;
    draft.ino = recording.draft.ino;
    draft.attr = recording.draft.attr;
    draft.name = with[i].name;
    if (with[i].value) draft.payload = std::as_bytes(std::span(*with[i].value));
    if (const auto appended = tree.recorder.append(draft); !appended.ok()) return appended;
  }
  return seq;
}

std::vector<XattrChange> inherited_xattrs(const std::string& path, int opened) {
  char names[4096];
  const ssize_t size = opened >= 0 ? flistxattr(opened, names, sizeof names) : listxattr(path.c_str(), names, sizeof names);
  if (size <= 0) return {};
  std::vector<XattrChange> found;
  for (std::string_view rest(names, static_cast<size_t>(size)); !rest.empty();) {
    std::string name(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(name.size() + 1);
    if (auto value = read_xattr(path, name.c_str())) found.push_back({std::move(name), std::move(value)});
  }
  return found;
}

// Asked once for each object: afterwards every change of it passes by here.
bool had_capability(Inode& inode) {
  if (!inode.is_regular()) return false;
  if (inode.capability == Known::kNot) {
    inode.capability = read_xattr(inode.path().proc(), kCapability) ? Known::kYes : Known::kNo;
  }
  return inode.capability == Known::kYes;
}

std::vector<XattrChange> capability_lost(Inode& inode, bool had) {
  if (!had || read_xattr(inode.path().proc(), kCapability)) return {};
  inode.capability = Known::kNo;
  return {{kCapability, std::nullopt}};
}

void op_setxattr(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::SetxattrIn>();
  const std::string_view name = call.take_string();
  if (in == nullptr || name.empty() || call.rest().size() < in->size) return call.fail(EINVAL);
  const InodePtr inode = tree.inodes.find(call.head.nodeid);
  if (!inode) return call.fail(call.head.nodeid == Tree::kSnapshotsId ? EROFS : ESTALE);
  // The kernel asks for it with default ACLs too, which change no mode.
  const bool drop_setgid = in->setxattr_flags & fuse::kSetxattrAclKillSgid && name == kAccessAcl;
  const Path held = inode->path();
  const std::string path = held.proc();
  call.fail(change(tree, call, *inode, name, drop_setgid, [&] {
    std::optional<AsCaller> as_caller;  // a long value takes a block
    if (name.starts_with(kUserPrefix)) as_caller.emplace(call, 0);  // others need rights that the kernel has looked at
    return setxattr(path.c_str(), name.data(), call.rest().data(), in->size, static_cast<int>(in->flags));
  }));
}

void op_removexattr(Tree& tree, Call& call) {
  const std::string_view name = call.take_string();
  if (name.empty()) return call.fail(EINVAL);
  const InodePtr inode = tree.inodes.find(call.head.nodeid);
  if (!inode) return call.fail(call.head.nodeid == Tree::kSnapshotsId ? EROFS : ESTALE);
  const Path held = inode->path();
  const std::string path = held.proc();
  call.fail(change(tree, call, *inode, name, false, [&] { return removexattr(path.c_str(), name.data()); }));
}

void op_getxattr(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::GetxattrIn>();
  const std::string_view name = call.take_string();
  if (in == nullptr || name.empty()) return call.fail(EINVAL);
  const InodePtr inode = tree.inodes.find(call.head.nodeid);
  if (!inode) return call.fail(ENODATA);
  const size_t room = std::min<size_t>(in->size, call.out().size());
  const ssize_t size = getxattr(inode->path().proc().c_str(), name.data(), call.out().data(), room);
  if (size < 0) return call.fail(errno);
  if (in->size == 0) return call.ok(fuse::GetxattrOut{static_cast<uint32_t>(size), 0});
  call.ok_bytes(static_cast<size_t>(size));
}

void op_listxattr(Tree& tree, Call& call) {
  const auto* in = call.take<fuse::GetxattrIn>();
  if (in == nullptr) return call.fail(EINVAL);
  const InodePtr inode = tree.inodes.find(call.head.nodeid);
  if (!inode) return call.fail(EOPNOTSUPP);
  std::vector<char> all(kMaxValueBytes);  // XATTR_LIST_MAX
  const ssize_t size = listxattr(inode->path().proc().c_str(), all.data(), all.size());
  if (size < 0) return call.fail(errno);
  size_t used = 0;
  for (std::string_view rest(all.data(), static_cast<size_t>(size)); !rest.empty();) {
    const std::string_view name = rest.substr(0, rest.find('\0') + 1);
    rest.remove_prefix(name.size());
    if (!is_privileged(call) && name.starts_with(kTrustedPrefix)) continue;
    if (used + name.size() <= in->size) std::memcpy(call.out().data() + used, name.data(), name.size());
    used += name.size();
  }
  if (in->size == 0) return call.ok(fuse::GetxattrOut{static_cast<uint32_t>(used), 0});
  if (used > in->size) return call.fail(ERANGE);
  call.ok_bytes(used);
}

}  // namespace rewindfs::live

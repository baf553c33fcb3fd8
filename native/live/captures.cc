#include "live/captures.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "live/locks.h"
#include "live/operations.h"
#include "os/json.h"

namespace rewindfs::live {
namespace {

// Inode::decided: generation << 32 | (rule + 1) << 2 | capture.
uint64_t packed(uint32_t generation, const Policy::Decision& decision) {
  return uint64_t{generation} << 32 | static_cast<uint64_t>(decision.rule + 1) << 2 | static_cast<uint64_t>(decision.capture);
}

// Inode::opened: handles << 2 | capture.
constexpr uint32_t kOneHandle = 4;
Capture mode_in(uint32_t opened) { return static_cast<Capture>(opened & 3); }

}  // namespace

Captures::Captures(Tree& tree) : tree_(tree), policy_(std::make_shared<const Policy>(std::vector<PolicyRule>{})) {}

Captures::~Captures() { stop(); }

void Captures::set(std::shared_ptr<const Policy> policy, unsigned interval_s) {
  policy_.store(std::move(policy), std::memory_order_release);
  interval_s_.store(interval_s);
  forget_decisions();
}

// The path behind a descriptor, from the root of the tree; false when it cannot be told: it has no name any more, its
// descriptor was opened by handle, or the path is too long. Such a file is captured at each write.
bool Captures::path_of(int fd, std::array<char, 4096>& room, std::string_view& path) {
  char link[32];
  const auto target_of = [&](int of, char* to) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", of);
    const ssize_t length = readlink(link, to, room.size());
    return length > 0 && static_cast<size_t>(length) < room.size() ? std::string_view(to, static_cast<size_t>(length)) : std::string_view();
  };
  path = target_of(fd, room.data());
  if (path.empty() || path.ends_with(" (deleted)")) return false;
  std::array<char, 4096> root_room;
  const std::string_view root = target_of(tree_.root_fd(), root_room.data());
  if (root == "/") {
    path.remove_prefix(1);
    return true;
  }
  if (root.empty() || !path.starts_with(root) || (path.size() > root.size() && path[root.size()] != '/')) return false;
  path.remove_prefix(std::min(path.size(), root.size() + 1));
  return true;
}

Policy::Decision Captures::of_fd(int fd, bool directory, bool several) {
  const auto now = policy();
  std::array<char, 4096> room;
  std::string_view path;
  if (now->trivial() || several || !path_of(fd, room, path)) return {};
  return now->decide(path, directory);
}

Policy::Decision Captures::of(Inode& inode) {
  const uint32_t generation = generation_.load(std::memory_order_acquire);
  const uint64_t known = inode.decided.load(std::memory_order_relaxed);
  if (known >> 32 == generation) return {static_cast<Capture>(known & 3), static_cast<int>((known & 0xffffffff) >> 2) - 1};
  const Path held = inode.path();
  const auto stat = stat_fd(held.get());
  const bool several = !stat.ok() || (!inode.is_directory() && stat->stx_nlink != 1);
  const Policy::Decision decision = of_fd(held.get(), inode.is_directory(), several);
  inode.decided.store(packed(generation, decision), std::memory_order_relaxed);
  return decision;
}

Policy::Decision Captures::of_new(Inode& dir, std::string_view name, bool directory) {
  const auto now = policy();
  if (now->trivial()) return {};
  if (!now->has_paths()) return now->decide_in(of(dir), name, directory);
  std::array<char, 4096> room;
  std::string_view path;
  const Path held = dir.path();
  if (!path_of(held.get(), room, path)) return {};
  const size_t length = path.size() + (path.empty() ? 0 : 1);
  if (length + name.size() > room.size()) return {};
  std::array<char, 4096> whole;
  path.copy(whole.data(), path.size());
  if (!path.empty()) whole[path.size()] = '/';
  name.copy(whole.data() + length, name.size());
  return now->decide({whole.data(), length + name.size()}, directory);
}

std::string Captures::path(const Inode& inode) {
  std::array<char, 4096> room;
  std::string_view path;
  const Path held = inode.path();
  return path_of(held.get(), room, path) ? std::string(path) : std::string();
}

void Captures::note_gap(const Policy::Decision& decision) {
  const auto now = policy();
  if (decision.rule == Policy::kNoRule || decision.capture == Capture::kEachWrite || !now->first_use(decision.rule)) return;
  const PolicyRule& rule = now->rule(decision.rule);
  JsonObject json;
  json.text("reason", "policy");
  json.text("capture", decision.capture == Capture::kNone ? "none" : "on-close");
  json.text("pattern", rule.pattern);
  json.text("by", rule.by);
  const std::string text = json.finish();
  const auto reserved = tree_.recorder.reserve(text.size());
  if (!reserved.ok()) return;  // the call that this is about needs room, too, and fails
  journal::Draft draft;
  draft.kind = journal::Kind::kGap;
  draft.payload = std::as_bytes(std::span(text));
  (void)tree_.recorder.append(draft);
}

Capture Captures::open_mode(const Inode& inode) {
  const uint32_t opened = inode.opened.load(std::memory_order_acquire);
  return opened < kOneHandle ? Capture::kEachWrite : mode_in(opened);
}

Capture Captures::begin_open(Inode& inode) {
  const uint32_t opened = inode.opened.load(std::memory_order_acquire);
  begin_open(inode, opened < kOneHandle ? of(inode) : Policy::Decision{});
  return open_mode(inode);
}

// A decision counts only when nobody has the file open.
void Captures::begin_open(Inode& inode, const Policy::Decision& decision) {
  uint32_t opened = inode.opened.load(std::memory_order_acquire);
  uint32_t next;
  do {
    const Capture mode = opened < kOneHandle ? decision.capture : mode_in(opened);
    next = (opened / kOneHandle + 1) * kOneHandle | static_cast<uint32_t>(mode);
  } while (!inode.opened.compare_exchange_weak(opened, next, std::memory_order_acq_rel));
}

void Captures::opened(const InodePtr& inode, Handle& handle) {
  if (!inode->deferred) inode->deferred = std::make_shared<Deferred>();
  Deferred& deferred = known(*inode);
  if (deferred.handles++ == 0) {
    deferred.tried = false;
    deferred.backing_id = 0;
  }
  if (handle.writable && deferred.writers++ == 0) {
    if (deferred.lingering && handle.capture == Capture::kOnClose) (void)settle(*inode);
    deferred.lingering = false;
    if (const auto now = stat_fd(inode->path().get()); now.ok()) deferred.captured = *now;
  }
  if (!deferred.tried) {
    deferred.tried = true;
    if (!pass_on(*inode, deferred)) deferred.backing_id = 0;
  }
  handle.backing_id = deferred.backing_id;
  if (!handle.writable) return;
  if (handle.backing_id > 0 && !inode->changes_unseen.exchange(true)) invalidate(*inode);
  if (handle.backing_id > 0 || handle.capture == Capture::kOnClose) watch(inode);
}

void Captures::opened_by(const Handle& handle) NO_THREAD_SAFETY_ANALYSIS {
  Deferred& deferred = *handle.inode->deferred;
  deferred.several = deferred.writers > 1 && (deferred.several || deferred.writer != handle.writer);
  deferred.save = handle.save;
  deferred.writer = handle.writer;
}

// What the kernel writes for us is written with our rights, and would leave setuid bits where they are.
bool Captures::pass_on(Inode& inode, Deferred& deferred) {
  const int connection = connection_fd_.load();
  if (connection < 0) return false;
  const auto stat = stat_fd(inode.path().get());
  if (!stat.ok() || (stat->stx_mode & (S_ISUID | S_ISGID)) || had_capability(inode)) return false;
  const Path held = inode.path();
  const UniqueFd fd(open(held.proc().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return false;
  const fuse::BackingMap map{fd.get(), 0, 0};
  const int id = ioctl(connection, fuse::kBackingOpenIoctl, &map);
  if (id <= 0) return false;
  deferred.backing_id = id;
  inode.stale_pages.store(true, std::memory_order_relaxed);
  return true;
}

void Captures::answer_open(Handle& handle, fuse::OpenOut& out) {
  if (handle.backing_id > 0) {
    out.open_flags = fuse::kFopenPassthrough;
    out.backing_id = handle.backing_id;
  } else if (!handle.inode->stale_pages.load(std::memory_order_relaxed) || !handle.inode->stale_pages.exchange(false)) {
    out.open_flags |= fuse::kFopenKeepCache;
  }
}

void Captures::closed(Handle& handle) {
  if (!handle.counted) return;
  Inode& inode = *handle.inode;
  if (handle.capture != Capture::kEachWrite) {
    const StateLock lock{&inode};
    inode.assert_state();
    Deferred& deferred = *inode.deferred;
    if (handle.writable && --deferred.writers == 0 && handle.backing_id > 0) {
      deferred.lingering = true;
      invalidate(inode);
    }
    if (--deferred.handles == 0 && deferred.backing_id > 0) {
      const auto id = static_cast<uint32_t>(deferred.backing_id);
      deferred.backing_id = 0;
      if (const int connection = connection_fd_.load(); connection >= 0) ioctl(connection, fuse::kBackingCloseIoctl, &id);
    }
  }
  inode.opened.fetch_sub(kOneHandle, std::memory_order_acq_rel);
}

uint64_t Captures::attr_valid(const Inode& inode) {
  return inode.changes_unseen.load(std::memory_order_acquire) ? 0 : kForeverSeconds;
}

void Captures::invalidate(const Inode& inode) {
  const int connection = connection_fd_.load();
  if (connection < 0) return;
  fuse::NotifyInvalInode notice{inode.id, -1, 0};
  fuse::OutHeader head{sizeof head + sizeof notice, fuse::kNotifyInvalInode, 0};
  const iovec parts[2] = {{&head, sizeof head}, {&notice, sizeof notice}};
  (void)!writev(connection, parts, 2);
}

}  // namespace rewindfs::live

// Capturing the content of files whose writes are not recorded one by one (captures.h).
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "live/captures.h"
#include "live/locks.h"
#include "live/tree.h"
#include "os/json.h"

namespace rewindfs::live {
namespace {

using journal::kBlockBytes;

constexpr uint64_t block_floor(uint64_t offset) { return offset & ~uint64_t{kBlockBytes - 1}; }

bool same_time(const statx_timestamp& a, const statx_timestamp& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

bool same_content(const struct statx& a, const struct statx& b) {
  return a.stx_size == b.stx_size && same_time(a.stx_mtime, b.stx_mtime) && same_time(a.stx_ctime, b.stx_ctime);
}

// From 6.13 on a change that comes after a look at the times gets another time, however soon it comes.
bool times_are_exact() {
  static const bool exact = [] {
    utsname name;
    int major = 0, minor = 0;
    return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 13));
  }();
  return exact;
}

std::byte* piece_buffer() {
  static thread_local std::vector<std::byte> buffer(journal::kMaxPayloadBytes);
  return buffer.data();
}

// The next piece of a file: data, or a hole that ends where data begins.
struct Piece {
  uint64_t begin, end;
  bool hole;
};
Piece next_piece(int fd, uint64_t at, uint64_t size) {
  const off_t data = lseek(fd, static_cast<off_t>(at), SEEK_DATA);
  uint64_t start = at;
  if (data >= 0) start = std::clamp(block_floor(static_cast<uint64_t>(data)), at, size);
  if (data < 0 && errno == ENXIO) start = size;
  if (start > at) return {at, start, true};
  uint64_t end = std::min(size, at + journal::kMaxPayloadBytes);
  const off_t hole = lseek(fd, std::max(data, static_cast<off_t>(at)), SEEK_HOLE);
  if (hole >= 0) end = std::min(end, std::max(block_floor(static_cast<uint64_t>(hole) + kBlockBytes - 1), at + 1));
  return {at, std::min(end, size), false};
}

// 0 or an errno; what is cut off meanwhile reads as zeroes.
int read_piece(int fd, const Piece& piece, std::byte* to) {
  for (uint64_t at = piece.begin; at < piece.end;) {
    const ssize_t got = pread(fd, to + (at - piece.begin), piece.end - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) {
      std::memset(to + (at - piece.begin), 0, piece.end - at);
      return 0;
    }
    at += static_cast<uint64_t>(got);
  }
  return 0;
}

// The records of one capture. All have the attributes that the file had before it was read: what is written while it is
// read makes it differ from them, and it is captured again.
class Writing {
 public:
  Writing(Tree& tree, const Inode& inode, uint64_t save, uint64_t writer, bool uncertain, const struct statx& stat)
      : tree_(tree), inode_(inode), save_(save), writer_(writer), uncertain_(uncertain), stat_(stat) {}

  Result<void> append(journal::Kind kind, const Piece& piece, std::span<const std::byte> payload, uint32_t mode, bool more) {
    Recording recording(tree_, kind, writer_);
    if (auto reserved = recording.reserve(payload.size()); !reserved.ok()) return reserved;
    recording.draft.save = save_;
    recording.draft.aux = mode;
    recording.draft.offset = kind == journal::Kind::kTruncate ? 0 : piece.begin;
    recording.draft.length = kind == journal::Kind::kTruncate ? piece.end : piece.end - piece.begin;
    recording.draft.payload = payload;
    recording.draft.flags = static_cast<uint16_t>(journal::kCaptured | (more ? journal::kMore : 0) | (uncertain_ ? journal::kWriteback : 0));
    recording.object(inode_.ino, stat_);
    const auto appended = recording.append();
    if (!appended.ok()) return Errno{appended.error()};
    return {};
  }

 private:
  Tree& tree_;
  const Inode& inode_;
  const uint64_t save_, writer_;
  const bool uncertain_;
  const struct statx& stat_;
};

}  // namespace

Result<void> Captures::capture(Inode& inode, uint64_t save, uint64_t writer, bool uncertain, bool whole, struct statx* captured) {
  const UniqueFd fd = inode.open_unnoticed();
  if (!fd.valid()) return lost(inode, errno);
  const auto stat = stat_fd(fd.get());
  if (!stat.ok()) return Errno{stat.error()};
  const uint64_t size = stat->stx_size;
  const uint64_t before = whole ? UINT64_MAX : captured->stx_size;
  const bool shrunk = before > size;
  Writing writing(tree_, inode, save, writer, uncertain, *stat);
  bool ended = false;
  for (uint64_t at = 0; at < size;) {
    const Piece piece = next_piece(fd.get(), at, size);
    at = piece.end;
    const bool more = shrunk || at < size;
    if (piece.hole) {
      if (piece.begin >= before) continue;
      if (auto done = writing.append(journal::Kind::kFallocate, piece, {}, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, more); !done.ok()) return done;
    } else {
      if (const int error = read_piece(fd.get(), piece, piece_buffer()); error != 0) return lost(inode, error);
      if (auto done = writing.append(journal::Kind::kWrite, piece, {piece_buffer(), piece.end - piece.begin}, 0, more); !done.ok()) return done;
    }
    ended = !more;
  }
  if (!ended) {
    if (auto done = writing.append(journal::Kind::kTruncate, {0, size, false}, {}, 0, false); !done.ok()) return done;
  }
  if (inode.deferred) inode.deferred->lost = false;
  if (captured == nullptr) return {};
  *captured = *stat;
  if (!times_are_exact()) captured->stx_ctime.tv_sec = 0;  // so that it is captured again at the next occasion
  return {};
}

void Captures::begin_anew() {
  policy()->forget_uses();
  ++session_;
}

Deferred& Captures::known(const Inode& inode) {
  Deferred& deferred = *inode.deferred;
  const unsigned session = session_.load();
  if (std::exchange(deferred.session, session) == session) return deferred;
  deferred.lost = false;
  if (open_mode(inode) == Capture::kNone) return deferred;
  deferred.captured = {};
  deferred.captured.stx_size = UINT64_MAX;  // all of it is another
  return deferred;
}

// Once until it can be read again: the next look tries.
Result<void> Captures::lost(Inode& inode, int error) {
  if (inode.deferred && known(inode).lost) return {};
  const auto stat = stat_fd(inode.path().get());
  if (!stat.ok()) return Errno{stat.error()};
  const char* name = strerrorname_np(error);
  JsonObject json;
  json.text("reason", "capture");
  json.text("error", name ? name : "EUNKNOWN");
  const std::string text = json.finish();
  Recording recording(tree_, journal::Kind::kGap, 0);
  if (auto reserved = recording.reserve(text.size()); !reserved.ok()) return reserved;
  recording.draft.payload = std::as_bytes(std::span(text));
  recording.object(inode.ino, *stat);
  const auto appended = recording.append();
  if (!appended.ok()) return Errno{appended.error()};
  if (inode.deferred) inode.deferred->lost = true;
  return {};
}

bool Captures::changed(const Inode& inode) {
  const auto now = stat_fd(inode.path().get());
  return now.ok() && inode.deferred && !same_content(*now, known(inode).captured);
}

Result<void> Captures::settle(Inode& inode) {
  if (!inode.deferred || open_mode(inode) != Capture::kOnClose) return {};
  Deferred& deferred = *inode.deferred;
  if ((deferred.writers == 0 && !deferred.lingering) || !changed(inode)) return {};
  const bool several = deferred.several;
  deferred.several = deferred.writers > 1;
  return capture(inode, deferred.save, deferred.writer, several, false, &deferred.captured);
}

Result<void> Captures::capture_whole(Inode& inode) {
  if (!inode.deferred) return capture(inode, 0, 0, false, true, nullptr);
  return capture(inode, inode.deferred->save, inode.deferred->writer, inode.deferred->several, true, &inode.deferred->captured);
}

void Captures::recorded(Inode& inode) {
  if (!inode.deferred) return;
  if (const auto now = stat_fd(inode.path().get()); now.ok()) inode.deferred->captured = *now;
}

void Captures::watch(const InodePtr& inode) {
  if (std::exchange(inode->deferred->watched, true)) return;
  const MutexLock lock(mutex_);
  watched_.push_back(inode);
  if (!thread_.joinable() && !stopping_) thread_ = std::thread([this] { run(); });
}

void Captures::run() {
  for (;;) {
    {
      const MutexLock lock(mutex_);
      if (!stopping_) wake_.wait_for(mutex_, std::chrono::seconds(interval_s_.load()));
      if (stopping_) return;
    }
    settle_watched(false);
  }
}

void Captures::settle_watched(bool last) {
  std::vector<std::weak_ptr<Inode>> watched;
  {
    const MutexLock lock(mutex_);
    watched.swap(watched_);
  }
  for (const auto& each : watched) {
    const InodePtr inode = each.lock();
    if (!inode) continue;
    const Gate::Pass change(tree_.changes);
    const StateLock lock{inode.get()};
    inode->assert_state();
    look_at(inode, last);
  }
}

// A mapping may outlive the last handle and go on writing: a file is looked at until it is found as it was left.
void Captures::look_at(const InodePtr& inode, bool last) {
  Deferred& deferred = *inode->deferred;
  deferred.watched = false;
  const bool open = deferred.writers > 0;
  const bool moved = (open || deferred.lingering) && changed(*inode);
  if (moved && (open ? open_mode(*inode) : of(*inode).capture) == Capture::kOnClose) {
    (void)capture(*inode, deferred.save, deferred.writer, deferred.several, false, &deferred.captured);
  } else if (moved && !open) {
    recorded(*inode);  // it is not captured: the next look compares with this one
  }
  deferred.lingering = !open && moved && times_are_exact();  // where they are not, it always seems to have moved
  if (!open && !deferred.lingering) inode->changes_unseen.store(false, std::memory_order_release);
  if ((open || deferred.lingering) && !last) watch(inode);
}

void Captures::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  settle_watched(true);
}

}  // namespace rewindfs::live

#include "live/baseline_capture.h"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "os/attributes.h"

namespace rewindfs::live {
namespace {

using journal::kBlockBytes;
using journal::kMaxPayloadBytes;

// Times of files are taken from a clock that ticks a hundred times a second at worst.
constexpr int64_t kClockTick_ns = 50'000'000;

constexpr uint64_t block_floor(uint64_t offset) { return offset & ~uint64_t{kBlockBytes - 1}; }
constexpr uint64_t block_ceil(uint64_t offset) { return block_floor(offset + kBlockBytes - 1); }

template <typename T>
void put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Grows the buffer until the call fits: sizes may change between asking and reading.
template <typename Call>
ssize_t read_growing(std::string& buffer, Call call) {
  buffer.resize(std::max<size_t>(buffer.capacity(), 256));
  while (true) {
    const ssize_t got = call(buffer.data(), buffer.size());
    if (got >= 0 || errno != ERANGE || buffer.size() >= kMaxPayloadBytes) return got;
    buffer.resize(buffer.size() * 4);
  }
}

// Appends all extended attributes; false when not all could be read or fitted.
bool put_xattrs(std::string& payload, int fd) {
  // An O_PATH descriptor has no f*xattr calls: the link in /proc stands for the object itself, also for a symlink.
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  std::string list, value;
  const ssize_t listed = read_growing(list, [&](char* to, size_t size) { return listxattr(path.c_str(), to, size); });
  if (listed < 0) return errno == ENOTSUP;
  list.resize(static_cast<size_t>(listed));
  bool all = true;
  for (size_t at = 0; at < list.size();) {
    const char* name = list.data() + at;
    const size_t name_bytes = std::strlen(name);
    at += name_bytes + 1;
    const ssize_t got =
        read_growing(value, [&](char* to, size_t size) { return getxattr(path.c_str(), name, to, size); });
    if (got < 0 || payload.size() + name_bytes + static_cast<size_t>(got) + 6 > kMaxPayloadBytes) {
      all = all && got < 0 && errno == ENODATA;
      continue;
    }
    put(payload, static_cast<uint16_t>(name_bytes));
    put(payload, static_cast<uint32_t>(got));
    payload.append(name, name_bytes).append(value.data(), static_cast<size_t>(got));
  }
  return all;
}

void put_target(std::string& payload, int fd, const journal::Attr& attr) {
  std::string target;
  if (S_ISLNK(attr.mode)) {
    target.resize(PATH_MAX);
    const ssize_t got = readlinkat(fd, "", target.data(), target.size());
    target.resize(got > 0 ? static_cast<size_t>(got) : 0);
  }
  put(payload, static_cast<uint32_t>(target.size()));
  payload += target;
}

// 0 or an errno; what lies beyond the end of the file reads as zeroes.
int read_zero_filled(int fd, std::byte* to, size_t bytes, uint64_t offset) {
  while (bytes > 0) {
    const ssize_t got = pread(fd, to, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) {
      std::memset(to, 0, bytes);
      return 0;
    }
    to += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<size_t>(got);
  }
  return 0;
}

// One for each engine thread that meets a file the walk has not reached.
std::byte* thread_buffer(size_t bytes) {
  static thread_local std::vector<std::byte> buffer;
  if (buffer.size() < bytes) buffer.resize(bytes);
  return buffer.data();
}

}  // namespace

void BaselineCapture::start() {
  remount_.store(!expected_.empty());
  started_.store(true, std::memory_order_release);
}

Result<void> BaselineCapture::append(const journal::Draft& draft) {
  const Result<uint64_t> appended = recorder_.append(draft);
  if (!appended.ok()) return Errno{appended.error()};
  return {};
}

// At a remount it is a change of the time between.
Result<void> BaselineCapture::append_difference(journal::Draft& draft, uint16_t flags) {
  draft.flags = flags;
  if (remount()) {
    draft.flags |= journal::kUnmounted;
    if (draft.kind != journal::Kind::kBaseData) differences_.fetch_add(1, std::memory_order_relaxed);
  }
  return append(draft);
}

// Not changed in any way since the first mount: no program can set ctime.
bool BaselineCapture::is_old(const journal::Attr& attr) const {
  return since_ns_ != 0 && attr.ctime_s * 1'000'000'000 + attr.ctime_ns < since_ns_ - kClockTick_ns;
}

// Not changed but in ways that history knows. A name is changed together with the object and with the directory.
bool BaselineCapture::is_untouched(const Found& found) const {
  if (is_old(found.attr)) return true;
  const ExpectedEntry* entry = started() ? expected_.find(found.ino) : nullptr;
  return entry && entry->same(found.attr);
}

// History knows what it was at the first mount, or it was what it is now.
bool BaselineCapture::was_there(const Found& found) const {
  return is_old(found.attr) || (started() && expected_.find(found.ino));
}

Result<void> BaselineCapture::node(BaseInode& inode, uint64_t ino, int fd, bool readable) {
  if (inode.node_known) return {};
  const Result<struct statx> status = statx_fd(fd);
  if (!status.ok()) return Errno{status.error()};
  const journal::Attr attr = to_attr(*status);
  const ExpectedEntry* entry = started() ? expected_.find(ino) : nullptr;
  const bool same = entry && entry->same(attr);
  const bool initial = !entry && is_old(attr);
  const bool content = S_ISREG(attr.mode) && attr.size > 0;
  // Asked only where it matters: the content is new to history, or history says that it lacks it.
  const bool excluded = content && (!same || entry->uncaptured) && excluded_(fd, attr.nlink);
  if (same && (excluded || !readable || !entry->uncaptured)) {
    inode.history_has_it = true;
  } else {
    std::string payload;
    put_target(payload, fd, attr);
    const bool whole = put_xattrs(payload, fd);
    journal::Draft draft;
    draft.kind = journal::Kind::kBaseNode;
    draft.ino = ino;
    draft.attr = &attr;
    draft.payload = std::as_bytes(std::span(payload));
    draft.flags = static_cast<uint16_t>((initial ? journal::kInitial : 0) | (excluded && !same ? journal::kUncaptured : 0));
    inode.late = same || initial;
    if (const auto appended = inode.late ? append(draft) : append_difference(draft, draft.flags); !appended.ok()) return appended;
    if (excluded) inode.captured.add(0, UINT64_MAX);
    if (!whole) {
      if (const auto told = gap("xattrs", ino, EIO); !told.ok()) return told;
    }
  }
  inode.attr = attr;
  inode.node_known = true;
  inode.assert_whole = entry || !started();
  return {};
}

Result<uint64_t> BaselineCapture::content_step(BaseInode& inode, uint64_t ino, int fd, uint64_t begin, uint64_t end) {
  const auto [from, to] = inode.captured.next_missing(begin, end);
  if (from == to) return end;
  const off_t found = lseek(fd, static_cast<off_t>(from), SEEK_DATA);
  uint64_t first_data = from;
  if (found >= 0) first_data = std::max(from, block_floor(static_cast<uint64_t>(found)));
  if (found < 0 && errno == ENXIO) first_data = to;
  first_data = std::min(first_data, to);
  if (first_data > from) {
    if (const auto appended = append_data(inode, ino, from, first_data, {}); !appended.ok()) return Errno{appended.error()};
    return first_data;
  }
  uint64_t stop = std::min(to, from + kMaxPayloadBytes);
  const off_t hole = lseek(fd, std::max(found, static_cast<off_t>(from)), SEEK_HOLE);
  if (hole >= 0) stop = std::min(stop, block_ceil(static_cast<uint64_t>(hole)));
  if (const auto captured = data(inode, ino, fd, from, stop); !captured.ok()) return Errno{captured.error()};
  return stop;
}

// Without bytes: a hole. The last piece that was missing says that nothing is any more.
Result<void> BaselineCapture::append_data(BaseInode& inode, uint64_t ino, uint64_t begin, uint64_t end,
                                          std::span<const std::byte> bytes) {
  const auto all_between = [&](uint64_t from, uint64_t to) {
    const auto [missing, until] = inode.captured.next_missing(from, to);
    return missing == until;
  };
  const bool whole = all_between(0, begin) && all_between(end, inode.attr.size);
  if (!bytes.empty() || inode.assert_whole || whole) {
    journal::Draft draft;
    draft.kind = journal::Kind::kBaseData;
    draft.ino = ino;
    draft.offset = begin;
    draft.length = end - begin;
    draft.payload = bytes;
    draft.flags = whole ? static_cast<uint16_t>(journal::kCaptured) : uint16_t{0};
    if (const auto appended = inode.late ? append(draft) : append_difference(draft, draft.flags); !appended.ok()) return appended;
  }
  inode.captured.add(begin, end);
  return {};
}

Result<void> BaselineCapture::data(BaseInode& inode, uint64_t ino, int fd, uint64_t begin, uint64_t end) {
  const size_t bytes = end - begin;
  std::byte* buffer = thread_buffer(bytes);
  if (const int error = read_zero_filled(fd, buffer, bytes, begin); error != 0) return unreadable(inode, ino, error);
  if (const auto appended = append_data(inode, ino, begin, end, {buffer, bytes}); !appended.ok()) return appended;
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return {};
}

Result<void> BaselineCapture::unreadable(BaseInode& inode, uint64_t ino, int error, uint64_t directory,
                                         std::string_view name) {
  inode.captured.add(0, UINT64_MAX);
  return gap("content", ino, error, directory, name);
}

Result<void> BaselineCapture::name(const Found& directory, std::string_view name, const Found& child, bool differs) {
  journal::Draft draft;
  draft.kind = journal::Kind::kBaseName;
  draft.ino = child.ino;
  draft.parent = directory.ino;
  draft.name = name;
  if (since_ns_ != 0 && differs && was_there(child) && (is_untouched(child) || is_untouched(directory))) {
    draft.flags = journal::kInitial;
    return append(draft);
  }
  return differs ? append_difference(draft) : append(draft);
}

Result<void> BaselineCapture::absent(uint64_t directory, std::string_view name) {
  journal::Draft draft;
  draft.kind = journal::Kind::kBaseAbsent;
  draft.parent = directory;
  draft.name = name;
  return append_difference(draft);
}

Result<void> BaselineCapture::gap(std::string_view what, uint64_t ino, int error, uint64_t directory,
                                  std::string_view name) {
  const char* error_name = strerrorname_np(error);
  std::string payload = "{\"reason\":\"baseline\",\"what\":\"";
  payload.append(what).append("\",\"ino\":").append(std::to_string(ino)).append(",\"error\":\"");
  payload.append(error_name ? error_name : "EUNKNOWN").append("\"}");
  journal::Draft draft;
  draft.kind = journal::Kind::kGap;
  draft.ino = ino;
  draft.parent = directory;
  draft.name = name;
  draft.payload = std::as_bytes(std::span(payload));
  return append(draft);
}

Result<void> BaselineCapture::end() {
  journal::Draft draft;
  draft.kind = journal::Kind::kBaseEnd;
  return append(draft);
}

}  // namespace rewindfs::live

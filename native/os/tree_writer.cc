#include "os/tree_writer.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

namespace rewindfs {
namespace {

constexpr std::string_view kRoot = ".";
constexpr size_t kMaxParents = 256;  // descriptors that one batch may hold
constexpr mode_t kModeBits = 07777;
constexpr int64_t kNsPerSecond = 1'000'000'000;

bool is_root(std::string_view path) { return path.empty() || path == kRoot; }

int errno_of(int rc) { return rc < 0 ? errno : 0; }

bool is_plain_path(std::string_view path) {
  if (is_root(path)) return true;
  if (path.find('\0') != path.npos) return false;
  for (size_t at = 0; at <= path.size();) {
    size_t end = std::min(path.find('/', at), path.size());
    std::string_view name = path.substr(at, end - at);
    if (name.empty() || name == "." || name == "..") return false;
    at = end + 1;
  }
  return true;
}

Result<UniqueFd> open_beneath(int root, const char* path, uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  for (int attempt = 0; attempt < 100; ++attempt) {
    int fd = static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof how));
    if (fd >= 0) return UniqueFd(fd);
    if (errno != EAGAIN && errno != EINTR) return last_errno();  // EAGAIN: a rename elsewhere raced with the walk
  }
  return Errno{EAGAIN};
}

// An O_PATH descriptor of this thread as a path that chmod and the xattr calls accept; it leads to that very object.
struct FdPath {
  explicit FdPath(int fd) { std::snprintf(text, sizeof text, "/proc/thread-self/fd/%d", fd); }
  char text[40];
};

// Runs f on the object. Its owner who has no write permission (a file of mode 0444) lends it to himself for the call.
template <typename F>
int as_writable(int path_fd, F f) {
  FdPath path(path_fd);
  int error = f(path.text);
  struct stat st;
  if (error != EACCES || fstat(path_fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & S_IWUSR)) return error;
  if (chmod(path.text, (st.st_mode & kModeBits) | S_IWUSR) < 0) return error;
  error = f(path.text);
  return chmod(path.text, st.st_mode & kModeBits) < 0 && error == 0 ? errno : error;
}

timespec to_timespec(int64_t ns) {
  int64_t rest = ns % kNsPerSecond;
  if (rest < 0) rest += kNsPerSecond;
  return {.tv_sec = (ns - rest) / kNsPerSecond, .tv_nsec = rest};
}

int write_all(int fd, std::span<const std::byte> data, uint64_t offset) {
  while (!data.empty()) {
    ssize_t n = pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return EIO;
    data = data.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return 0;
}

// A hole where the file system has holes, else zeroes; the size stays.
int punch(int fd, uint64_t offset, uint64_t length) {
  if (length == 0) return 0;
  if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0) return 0;
  if (errno != EOPNOTSUPP && errno != ENOSYS) return errno;
  struct stat st;
  if (fstat(fd, &st) < 0) return errno;
  uint64_t end = std::min(offset + length, static_cast<uint64_t>(st.st_size));
  static constexpr std::byte kZeroes[64 << 10]{};
  for (; offset < end; offset += sizeof kZeroes) {
    size_t n = std::min<uint64_t>(sizeof kZeroes, end - offset);
    if (int error = write_all(fd, {kZeroes, n}, offset)) return error;
  }
  return 0;
}

}  // namespace

Result<std::unique_ptr<TreeWriter>> TreeWriter::open(const char* path) {
  UniqueFd root(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return last_errno();
  return std::unique_ptr<TreeWriter>(new TreeWriter(std::move(root)));
}

std::vector<int> TreeWriter::apply(std::span<const TreeOp> ops) {
  MutexLock lock(mutex_);
  std::vector<int> errors;
  errors.reserve(ops.size());
  for (const TreeOp& op : ops) errors.push_back(apply_one(op));
  forget_names();
  return errors;
}

int TreeWriter::apply_one(const TreeOp& op) {
  using enum TreeOp::Kind;
  if (!is_plain_path(op.path)) return EINVAL;
  switch (op.kind) {
    case kMkdir: case kCreate: case kSymlink: case kMknod: case kUnlink: case kRmdir:
      return change_name(op);
    case kLink: case kRename:
      return two_places(op);
    case kWrite: case kTruncate: case kPunch: case kFsync:
      return change_data(op);
    case kChmod: case kChown: case kTimes: case kSetxattr: case kRemovexattr:
      return change_attributes(op);
  }
  return EINVAL;
}

int TreeWriter::change_name(const TreeOp& op) {
  if (is_root(op.path)) return EBUSY;
  Result<Place> place = place_of(op.path);
  if (!place.ok()) return place.error();
  if (op.kind == TreeOp::Kind::kUnlink) {
    if (op.path == file_path_) file_.reset();
    made_.erase(op.path);
    return errno_of(unlinkat(place->dir, place->name.c_str(), 0));
  }
  if (op.kind == TreeOp::Kind::kRmdir) {
    int error = errno_of(unlinkat(place->dir, place->name.c_str(), AT_REMOVEDIR));
    if (error == 0) parents_.erase(op.path);  // it was empty: nothing beneath it can be held
    made_.erase(op.path);
    return error;
  }
  return make(op, *place);
}

int TreeWriter::make(const TreeOp& op, const Place& place) {
  const char* name = place.name.c_str();
  mode_t mode = op.mode & kModeBits;
  switch (op.kind) {
    case TreeOp::Kind::kMkdir:
      if (mkdirat(place.dir, name, mode) < 0) return errno;
      break;
    case TreeOp::Kind::kSymlink:
      if (symlinkat(op.from.c_str(), place.dir, name) < 0) return errno;
      break;
    case TreeOp::Kind::kMknod:
      if (mknodat(place.dir, name, op.mode, makedev(op.rdev >> 32, op.rdev & 0xffffffff)) < 0) return errno;
      break;
    default: {
      UniqueFd fd(openat(place.dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, mode));
      if (!fd.valid()) return errno;
      file_ = std::move(fd);
      file_path_ = op.path;
    }
  }
  struct stat st;
  const bool is_file = op.kind == TreeOp::Kind::kCreate;
  if ((is_file ? fstat(file_.get(), &st) : fstatat(place.dir, name, &st, AT_SYMLINK_NOFOLLOW)) < 0) return errno;
  made_.insert_or_assign(op.path, Identity{st.st_dev, st.st_ino});
  // Only the umask, an inherited ACL or the loss of a special bit can have changed the mode that was asked for.
  if (op.kind == TreeOp::Kind::kSymlink || (st.st_mode & kModeBits) == mode) return 0;
  if (is_file) return errno_of(fchmod(file_.get(), mode));
  Result<UniqueFd> made = object_at(op.path);
  if (!made.ok()) return made.error();
  return errno_of(chmod(FdPath(made->get()).text, mode));
}

int TreeWriter::two_places(const TreeOp& op) {
  if (!is_plain_path(op.from)) return EINVAL;
  if (is_root(op.path) || is_root(op.from)) return EBUSY;
  Result<Place> from = place_of(op.from);
  if (!from.ok()) return from.error();
  UniqueFd from_dir(fcntl(from->dir, F_DUPFD_CLOEXEC, 0));  // looking up the second may drop the first
  if (!from_dir.valid()) return errno;
  Result<Place> to = place_of(op.path);
  if (!to.ok()) return to.error();
  if (op.kind == TreeOp::Kind::kLink)
    return errno_of(linkat(from_dir.get(), from->name.c_str(), to->dir, to->name.c_str(), 0));
  int error = errno_of(renameat2(from_dir.get(), from->name.c_str(), to->dir, to->name.c_str(), op.exchange ? RENAME_EXCHANGE : 0));
  forget_names();  // a directory may have moved, with every path beneath it
  auto made = made_.extract(op.from);
  for (const std::string& path : {op.from, op.path}) forget_made(path);
  if (!made.empty() && error == 0 && !op.exchange) {
    made.key() = op.path;
    made_.insert(std::move(made));
  }
  return error;
}

int TreeWriter::change_data(const TreeOp& op) {
  if (op.kind == TreeOp::Kind::kFsync && !(file_.valid() && op.path == file_path_)) {
    Result<UniqueFd> found = object_at(op.path);
    if (!found.ok()) return found.error();
    struct stat st;
    if (fstat(found->get(), &st) < 0) return errno;
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) return 0;
    UniqueFd fd(::open(FdPath(found->get()).text, O_RDONLY | O_CLOEXEC));
    return fd.valid() ? errno_of(fsync(fd.get())) : errno;
  }
  Result<int> fd = file_for_writing(op.path);
  if (!fd.ok()) return fd.error();
  switch (op.kind) {
    case TreeOp::Kind::kWrite: return write_all(*fd, op.data, op.offset);
    case TreeOp::Kind::kTruncate: return errno_of(ftruncate(*fd, static_cast<off_t>(op.length)));
    case TreeOp::Kind::kPunch: return punch(*fd, op.offset, op.length);
    default: return errno_of(fsync(*fd));
  }
}

int TreeWriter::change_attributes(const TreeOp& op) {
  Result<UniqueFd> found = object_at(op.path);
  if (!found.ok()) return found.error();
  FdPath path(found->get());
  switch (op.kind) {
    case TreeOp::Kind::kChown: return errno_of(fchownat(found->get(), "", op.uid, op.gid, AT_EMPTY_PATH));
    case TreeOp::Kind::kTimes: {
      made_.erase(op.path);
      const timespec times[2] = {to_timespec(op.atime_ns), to_timespec(op.mtime_ns)};
      return errno_of(utimensat(found->get(), "", times, AT_EMPTY_PATH));
    }
    case TreeOp::Kind::kChmod: return errno_of(chmod(path.text, op.mode & kModeBits));
    case TreeOp::Kind::kSetxattr:
      return as_writable(found->get(), [&](const char* real) {
        return errno_of(setxattr(real, op.from.c_str(), op.data.data(), op.data.size(), 0));
      });
    default:
      return as_writable(found->get(), [&](const char* real) { return errno_of(removexattr(real, op.from.c_str())); });
  }
}

Result<TreeWriter::Place> TreeWriter::place_of(std::string_view path) {
  if (is_root(path)) return Place{root_.get(), std::string(kRoot)};
  size_t slash = path.rfind('/');
  if (slash == path.npos) return Place{root_.get(), std::string(path)};
  Result<int> dir = directory(path.substr(0, slash));
  if (!dir.ok()) return Errno{dir.error()};
  return Place{*dir, std::string(path.substr(slash + 1))};
}

Result<int> TreeWriter::directory(std::string_view path) {
  std::string key(path);
  if (auto held = parents_.find(key); held != parents_.end()) return held->second.get();
  Result<UniqueFd> fd = open_beneath(root_.get(), key.c_str(), O_PATH | O_DIRECTORY);
  if (!fd.ok()) return Errno{fd.error()};
  if (parents_.size() >= kMaxParents) parents_.clear();
  int raw = fd->get();
  parents_.emplace(std::move(key), std::move(*fd));
  return raw;
}

Result<UniqueFd> TreeWriter::object(const Place& place) {
  // O_PATH with O_NOFOLLOW is the one way in which RESOLVE_NO_SYMLINKS still opens a final symlink itself (openat2(2)).
  return open_beneath(place.dir, place.name.c_str(), O_PATH | O_NOFOLLOW);
}

Result<UniqueFd> TreeWriter::object_at(const std::string& path) {
  const Result<Place> place = place_of(path);
  if (!place.ok()) return Errno{place.error()};
  Result<UniqueFd> found = object(*place);
  const auto made = made_.find(path);
  if (!found.ok() || made == made_.end()) return found;
  // Which object it is never changes: a file system that has to ask for attributes need not be asked.
  struct statx st;
  if (statx(found->get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st) < 0) return last_errno();
  if (Identity{makedev(st.stx_dev_major, st.stx_dev_minor), st.stx_ino} != made->second) return Errno{ESTALE};
  return found;
}

Result<int> TreeWriter::file_for_writing(const std::string& path) {
  if (file_.valid() && path == file_path_) return file_.get();
  Result<UniqueFd> found = object_at(path);
  if (!found.ok()) return Errno{found.error()};
  struct stat st;
  if (fstat(found->get(), &st) < 0) return last_errno();
  if (S_ISDIR(st.st_mode)) return Errno{EISDIR};
  if (S_ISLNK(st.st_mode)) return Errno{ELOOP};
  if (!S_ISREG(st.st_mode)) return Errno{EINVAL};
  UniqueFd file;
  int error = as_writable(found->get(), [&](const char* real) {
    file.reset(::open(real, O_WRONLY | O_CLOEXEC));
    return errno_of(file.get());
  });
  if (error) return Errno{error};
  file_ = std::move(file);
  file_path_ = path;
  return file_.get();
}

void TreeWriter::forget_made(const std::string& path) {
  made_.erase(path);
  const std::string beneath = path + "/";
  auto first = made_.lower_bound(beneath), last = first;
  while (last != made_.end() && last->first.starts_with(beneath)) ++last;
  made_.erase(first, last);
}

void TreeWriter::forget_names() {
  parents_.clear();
  file_.reset();
  file_path_.clear();
}

}  // namespace rewindfs

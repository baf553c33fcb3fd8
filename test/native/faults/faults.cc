// faults.so, for LD_PRELOAD: the n-th call that changes something below a directory goes wrong, in whatever library it is made
// (Node, RocksDB, the addon). The processes that share a directory of notes count together.
//
//   FAULTS_BELOW    the directory; a descriptor is known by what it was opened as
//   FAULTS_CALLS    fnmatch(3) pattern (FNM_EXTMATCH) of `CALL PATH`, the path relative to the directory: these are counted; default: all
//   FAULTS_NTH      which of them goes wrong; 0: none
//   FAULTS_MANY     so many from there on do; default: 1
//   FAULTS_KIND     EIO, ENOSPC, or short: a write does half of what it was to do (then writes alone are counted)
//   FAULTS_NOTES    a directory: `count`, 8 bytes, says how many there were; `calls` has a line for each
//
// Guarantees: these calls go wrong, all others are the kernel's own; what fails was not done. What stdio writes is not seen.
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

enum class Outcome { kDone, kFails, kShort };

std::string_view setting(const char* name, const char* otherwise) {
  const char* value = getenv(name);
  return value != nullptr ? value : otherwise;
}

uint64_t number(const char* name, const char* otherwise) { return strtoull(setting(name, otherwise).data(), nullptr, 10); }

class Faults {
 public:
  static Faults& get() {
    static Faults faults;
    return faults;
  }

  // What becomes of a call on this file; sets errno when it fails.
  Outcome due(const char* call, std::string_view path, bool write = false) {
    if (count_ == nullptr || path.size() <= below_.size() || !path.starts_with(below_) || path[below_.size()] != '/') return Outcome::kDone;
    if (short_ && !write) return Outcome::kDone;
    const std::string what = std::string(call) + ' ' + std::string(path.substr(below_.size() + 1));
    if (fnmatch(calls_.c_str(), what.c_str(), FNM_EXTMATCH) != 0) return Outcome::kDone;
    const uint64_t n = count_->fetch_add(1) + 1;
    const bool wrong = nth_ != 0 && n >= nth_ && n - nth_ < many_;
    const std::string line = std::to_string(n) + (wrong ? " WRONG " : " ") + what + '\n';
    (void)syscall(SYS_write, log_, line.data(), line.size());
    if (!wrong) return Outcome::kDone;
    if (short_) return Outcome::kShort;
    errno = errno_;
    return Outcome::kFails;
  }
  Outcome due(const char* call, int fd, bool write = false) {
    char link[32];
    char path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const long bytes = count_ == nullptr ? -1 : syscall(SYS_readlink, link, path, sizeof path);
    return bytes <= 0 ? Outcome::kDone : due(call, std::string_view(path, static_cast<size_t>(bytes)), write);
  }
  // A path below a descriptor counts as that directory; relative to where the process works there is none.
  Outcome due_at(const char* call, int dir, const char* path) { return path[0] == '/' || dir == AT_FDCWD ? due(call, path) : due(call, dir); }

 private:
  Faults()
      : below_(setting("FAULTS_BELOW", "")), calls_(setting("FAULTS_CALLS", "*")), nth_(number("FAULTS_NTH", "0")), many_(number("FAULTS_MANY", "1")),
        errno_(setting("FAULTS_KIND", "EIO") == "ENOSPC" ? ENOSPC : EIO), short_(setting("FAULTS_KIND", "EIO") == "short") {
    const std::string notes(setting("FAULTS_NOTES", ""));
    if (below_.empty() || notes.empty()) return;
    log_ = static_cast<int>(syscall(SYS_openat, AT_FDCWD, (notes + "/calls").c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, (notes + "/count").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (fd < 0 || log_ < 0 || syscall(SYS_ftruncate, fd, sizeof *count_) != 0) return;
    void* at = mmap(nullptr, sizeof *count_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) count_ = static_cast<std::atomic<uint64_t>*>(at);
    close(fd);
  }

  const std::string below_;
  const std::string calls_;
  const uint64_t nth_;
  const uint64_t many_;
  const int errno_;
  const bool short_;
  int log_ = -1;
  std::atomic<uint64_t>* count_ = nullptr;
};

template <typename File>
bool fails(const char* call, File file) { return Faults::get().due(call, file) == Outcome::kFails; }

ssize_t write_one(const char* call, int fd, const void* data, size_t bytes, off_t offset, bool at) {
  const Outcome outcome = Faults::get().due(call, fd, true);
  if (outcome == Outcome::kFails) return -1;
  if (outcome == Outcome::kShort) bytes = std::max<size_t>(std::min<size_t>(bytes, 1), bytes / 2);
  return at ? syscall(SYS_pwrite64, fd, data, bytes, offset) : syscall(SYS_write, fd, data, bytes);
}

ssize_t write_parts(const char* call, int fd, const iovec* parts, int count, off_t offset, bool at) {
  const Outcome outcome = Faults::get().due(call, fd, true);
  if (outcome == Outcome::kFails) return -1;
  const iovec half{parts->iov_base, std::max<size_t>(std::min<size_t>(parts->iov_len, 1), parts->iov_len / 2)};
  if (outcome == Outcome::kShort) parts = &half, count = 1;
  return at ? syscall(SYS_pwritev, fd, parts, count, offset, 0) : syscall(SYS_writev, fd, parts, count);
}

int open_one(int dir, const char* path, int flags, mode_t mode) {
  if ((flags & O_CREAT) != 0 && Faults::get().due_at("create", dir, path) == Outcome::kFails) return -1;
  return static_cast<int>(syscall(SYS_openat, dir, path, flags, mode));
}

mode_t mode_of(int flags, va_list rest) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0; }

int plain(long result) { return static_cast<int>(result); }

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

ssize_t write(int fd, const void* data, size_t bytes) { return write_one("write", fd, data, bytes, 0, false); }
ssize_t pwrite(int fd, const void* data, size_t bytes, off_t offset) { return write_one("pwrite", fd, data, bytes, offset, true); }
ssize_t pwrite64(int fd, const void* data, size_t bytes, off64_t offset) { return write_one("pwrite", fd, data, bytes, offset, true); }
ssize_t writev(int fd, const iovec* parts, int count) { return write_parts("writev", fd, parts, count, 0, false); }
ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) { return write_parts("pwritev", fd, parts, count, offset, true); }
ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t offset) { return write_parts("pwritev", fd, parts, count, offset, true); }

int fsync(int fd) { return fails("fsync", fd) ? -1 : plain(syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { return fails("fdatasync", fd) ? -1 : plain(syscall(SYS_fdatasync, fd)); }

int ftruncate(int fd, off_t bytes) noexcept { return fails("ftruncate", fd) ? -1 : plain(syscall(SYS_ftruncate, fd, bytes)); }
int ftruncate64(int fd, off64_t bytes) noexcept { return ftruncate(fd, bytes); }
int fallocate(int fd, int mode, off_t offset, off_t bytes) {
  return fails("fallocate", fd) ? -1 : plain(syscall(SYS_fallocate, fd, mode, offset, bytes));
}
int fallocate64(int fd, int mode, off64_t offset, off64_t bytes) { return fallocate(fd, mode, offset, bytes); }
int posix_fallocate(int fd, off_t offset, off_t bytes) { return fallocate(fd, 0, offset, bytes) == 0 ? 0 : errno; }

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return open_one(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) __attribute__((alias("open")));
int openat(int dir, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return open_one(dir, path, flags, mode);
}
int openat64(int dir, const char* path, int flags, ...) __attribute__((alias("openat")));

int rename(const char* from, const char* to) noexcept { return fails("rename", to) ? -1 : plain(syscall(SYS_rename, from, to)); }
int unlink(const char* path) noexcept { return fails("unlink", path) ? -1 : plain(syscall(SYS_unlink, path)); }
int mkdir(const char* path, mode_t mode) noexcept { return fails("mkdir", path) ? -1 : plain(syscall(SYS_mkdir, path, mode)); }

}  // extern "C"
#pragma GCC visibility pop

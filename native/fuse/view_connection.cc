#include "fuse/view_connection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "fuse/wire.h"

namespace rewindfs::fuse {
namespace {

constexpr size_t kBufferBytes = 64 << 10;  // no request of a read-only mount is longer, but for batches of forgets
constexpr uint32_t kMaxWrite = 4096;  // the least that the kernel takes
constexpr uint16_t kPagesPerRead = 256;  // 1 MiB a read
constexpr uint16_t kMaxBackground = 64;
constexpr uint16_t kCongestion = 48;

// What is asked for, where the kernel has it. POSIX_ACL: the kernel checks ACLs itself. AUTO_INVAL_DATA: it drops its
// copy of a listing when the directory's mtime changes. Not EXPORT_SUPPORT: no handle outlives the kernel's memory. Not
// READDIRPLUS_AUTO: attributes are at hand when names are listed (their types come from them), and whoever stats a
// listing that the kernel keeps would ask for each name again.
constexpr uint64_t kWanted = kAsyncRead | kBigWrites | kAutoInvalData | kDoReaddirplus | kParallelDirops |
                             kPosixAcl | kMaxPages | kCacheSymlinks | kNoOpenSupport | kNoOpendirSupport | kInitExt;

MountOptions read_only(MountOptions options) {
  options.read_only = options.nosuid = options.nodev = options.noexec = true;
  return options;
}

int send(int fd, uint64_t unique, int error, std::span<const std::byte> body) {
  OutHeader head{};
  head.len = static_cast<uint32_t>(sizeof head + body.size());
  head.error = -error;
  head.unique = unique;
  const iovec parts[2] = {{&head, sizeof head}, {const_cast<std::byte*>(body.data()), body.size()}};
  return writev(fd, parts, body.empty() ? 1 : 2) < 0 ? errno : 0;
}

// 0: the connection has ended, or there is nothing to read and errno says EAGAIN.
size_t receive(int fd, std::span<std::byte> buffer) {
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR && errno != ENOENT) return 0;  // ENOENT: interrupted before it could be read
  }
}

}  // namespace

ViewConnection::ViewConnection(MountOptions options, Events events)
    : mountpoint_(options.mountpoint), options_(read_only(std::move(options))), events_(std::move(events)) {}

ViewConnection::~ViewConnection() { end(); }

Outcome<Done> ViewConnection::start() {
  // A file can be mounted upon too; the view's root is a directory.
  struct stat under;
  if (stat(mountpoint_.c_str(), &under) != 0) return Failure{errno, "stat", mountpoint_};
  if (!S_ISDIR(under.st_mode)) return Failure{ENOTDIR, "mount", mountpoint_};
  wake_.reset(eventfd(0, EFD_CLOEXEC));
  if (!wake_.valid()) return Failure{errno, "eventfd"};
  auto mounted = mount(options_);
  if (!mounted.ok()) return mounted.failure();
  {
    MutexLock lock(fd_mutex_);
    fd_ = std::move(*mounted);
    raw_fd_ = fd_.get();
  }
  if (auto negotiated = negotiate(); !negotiated.ok()) {
    (void)unmount(mountpoint_, true);
    end();
    return negotiated;
  }
  if (fcntl(raw_fd_, F_SETFL, fcntl(raw_fd_, F_GETFL) | O_NONBLOCK) < 0) return Failure{errno, "fcntl", "/dev/fuse"};
  reader_ = std::thread([this] { serve(); });
  return Done{};
}

Outcome<Done> ViewConnection::negotiate() {
  std::vector<std::byte> buffer(kBufferBytes);
  struct {
    InHeader head;
    InitIn init;
  } request{};
  const size_t got = receive(raw_fd_, buffer);
  if (got < sizeof request.head + offsetof(InitIn, flags2)) return Failure{got == 0 ? errno : EPROTO, "read", "/dev/fuse", "ERR_MOUNT_FAILED"};
  std::memcpy(&request, buffer.data(), std::min(got, sizeof request));
  const InitIn& in = request.init;
  if (request.head.opcode != static_cast<uint32_t>(Op::kInit) || in.major != kMajor) {
    return Failure{EPROTO, "FUSE_INIT", mountpoint_, "ERR_MOUNT_FAILED", "the kernel speaks FUSE " + std::to_string(in.major)};
  }
  const uint64_t offered = in.flags | ((in.flags & kInitExt) ? static_cast<uint64_t>(in.flags2) << 32 : 0);
  InitOut out{};
  out.major = kMajor;
  out.minor = kMinor;
  out.max_readahead = 1u << 20;
  out.flags = static_cast<uint32_t>(kWanted & offered);
  out.max_background = kMaxBackground;
  out.congestion_threshold = kCongestion;
  out.max_write = kMaxWrite;
  out.time_gran = 1;
  out.max_pages = kPagesPerRead;
  if (const int error = send(raw_fd_, request.head.unique, 0, std::as_bytes(std::span(&out, 1)))) return Failure{error, "write", "/dev/fuse"};
  return Done{};
}

void ViewConnection::serve() {
  std::vector<std::byte> buffer(kBufferBytes);
  while (!stopping_) {
    const size_t got = receive(raw_fd_, buffer);
    if (got < sizeof(InHeader)) {
      if (got == 0 && errno == EAGAIN && wait_for_request()) continue;
      break;
    }
    InHeader head;
    std::memcpy(&head, buffer.data(), sizeof head);
    if (head.opcode == static_cast<uint32_t>(Op::kDestroy)) {
      (void)send(raw_fd_, head.unique, 0, {});
      continue;
    }
    {
      MutexLock lock(mutex_);
      queue_.insert(queue_.end(), buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(got));
    }
    events_.requests();
  }
  if (!stopping_) events_.gone();
}

// False: stop() was called.
bool ViewConnection::wait_for_request() {
  pollfd fds[2] = {{raw_fd_, POLLIN, 0}, {wake_.get(), POLLIN, 0}};
  while (poll(fds, 2, -1) < 0 && errno == EINTR) {
  }
  return !stopping_;
}

std::vector<std::byte> ViewConnection::take() {
  MutexLock lock(mutex_);
  return std::exchange(queue_, {});
}

int ViewConnection::reply(uint64_t unique, int error, std::span<const std::byte> body) {
  MutexLock lock(fd_mutex_);
  return fd_.valid() ? send(fd_.get(), unique, error, body) : ENODEV;
}

Outcome<Done> ViewConnection::stop(bool lazy) {
  auto unmounted = unmount(mountpoint_, lazy);
  // EINVAL, ENOENT: it is not mounted any more, which is what was asked for.
  if (!unmounted.ok() && unmounted.failure().error != EINVAL && unmounted.failure().error != ENOENT) return unmounted;
  end();
  return Done{};
}

void ViewConnection::end() {
  stopping_ = true;
  if (wake_.valid()) {
    const uint64_t one = 1;
    (void)!write(wake_.get(), &one, sizeof one);
  }
  if (reader_.joinable()) reader_.join();
  MutexLock lock(fd_mutex_);
  fd_.reset();  // aborts the connection for those who hold on to a lazily unmounted one
}

}  // namespace rewindfs::fuse

#include "fuse/transport.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include "fuse/wire.h"

namespace rewindfs::fuse {

Result<std::unique_ptr<DevTransport>> DevTransport::open(UniqueFd fd, unsigned workers) {
  std::vector<UniqueFd> fds;
  const int connection = fd.get();
  fds.push_back(std::move(fd));
  while (fds.size() < workers) {
    UniqueFd clone(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
    uint32_t of = static_cast<uint32_t>(connection);
    if (!clone.valid() || ioctl(clone.get(), kCloneIoctl, &of) != 0) return last_errno();
    fds.push_back(std::move(clone));
  }
  return std::unique_ptr<DevTransport>(new DevTransport(std::move(fds)));
}

Result<size_t> DevTransport::receive(unsigned worker, std::span<std::byte> buffer) {
  while (!closed_.load(std::memory_order_relaxed)) {
    const ssize_t got = ::read(fds_[worker].get(), buffer.data(), buffer.size());
    if (got >= 0) return static_cast<size_t>(got);
    // ENOENT: the request was interrupted before it could be read; another may be waiting.
    if (errno != EINTR && errno != ENOENT && errno != EAGAIN) return last_errno();
  }
  return Errno{ENODEV};
}

Result<void> DevTransport::reply(unsigned worker, std::span<const iovec> parts) {
  if (::writev(fds_[worker].get(), parts.data(), static_cast<int>(parts.size())) < 0) return last_errno();
  return {};
}

}  // namespace rewindfs::fuse

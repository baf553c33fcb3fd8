#include "fuse/dev_transport.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "fuse/wire.h"

namespace rewindfs::fuse {
namespace {

constexpr unsigned kWaitAtMost = 2;

}  // namespace

Result<std::unique_ptr<DevTransport>> DevTransport::open(UniqueFd fd, unsigned workers) {
  std::unique_ptr<DevTransport> transport(new DevTransport());
  const int connection = fd.get();
  for (unsigned i = 0; i < workers; ++i) {
    Worker worker;
    worker.fd = i == 0 ? std::move(fd) : UniqueFd(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
    uint32_t of = static_cast<uint32_t>(connection);
    if (i > 0 && (!worker.fd.valid() || ioctl(worker.fd.get(), kCloneIoctl, &of) != 0)) return last_errno();
    worker.in.resize(kRequestBufferBytes);
    worker.out.resize(kMaxWriteBytes + 4096);
    transport->workers_.push_back(std::move(worker));
  }
  return transport;
}

Result<Received> DevTransport::receive(unsigned number) {
  Worker& worker = workers_[number];
  while (step_forward()) {
    const ssize_t got = ::read(worker.fd.get(), worker.in.data(), worker.in.size());
    const int error = errno;
    step_back();
    if (got >= 0) return Received{std::span<const std::byte>(worker.in).first(static_cast<size_t>(got)), worker.out};
    // ENOENT: the request was interrupted before it could be read; another may be waiting.
    if (error != EINTR && error != ENOENT && error != EAGAIN) {
      close();  // whoever stays aside has nothing to wait for either
      return Errno{error};
    }
  }
  return Errno{ENODEV};
}

// False: closed.
bool DevTransport::step_forward() {
  const MutexLock lock(mutex_);
  while (waiting_ >= kWaitAtMost && !closed_) aside_.wait(mutex_);
  if (closed_) return false;
  ++waiting_;
  return true;
}

void DevTransport::step_back() {
  const MutexLock lock(mutex_);
  if (--waiting_ == 0) aside_.notify_one();
}

void DevTransport::close() {
  const MutexLock lock(mutex_);
  closed_ = true;
  aside_.notify_all();
}

void DevTransport::reply(unsigned worker, uint64_t unique, int error, std::span<const std::byte> body) {
  OutHeader head{static_cast<uint32_t>(sizeof(OutHeader) + body.size()), -error, unique};
  const iovec parts[2] = {{&head, sizeof head}, {const_cast<std::byte*>(body.data()), body.size()}};
  // ENOENT: the caller was interrupted and does not wait any more.
  (void)::writev(workers_[worker].fd.get(), parts, body.empty() ? 1 : 2);
}

}  // namespace rewindfs::fuse

#include "fuse/dev_transport.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "fuse/wire.h"

namespace rewindfs::fuse {
namespace {

constexpr unsigned kWaitAtMost = 2;

}  // namespace

Result<DevTransport::Worker> DevTransport::make_worker(UniqueFd fd) {
  auto in = Mapping::create(kRequestBufferBytes), out = Mapping::create(kMaxWriteBytes + 4096);
  if (!in.ok() || !out.ok()) return Errno{ENOMEM};
  return Worker{std::move(fd), std::move(*in), std::move(*out)};
}

Result<std::unique_ptr<DevTransport>> DevTransport::open(UniqueFd fd, unsigned workers) {
  std::unique_ptr<DevTransport> transport(new DevTransport());
  transport->workers_.reserve(transport->most_ = workers + kMostAdded);
  auto first = make_worker(std::move(fd));
  if (!first.ok()) return Errno{first.error()};
  transport->workers_.push_back(std::move(*first));
  transport->count_ = 1;
  while (transport->workers() < workers) {
    if (const auto added = transport->add(0); !added.ok()) return Errno{added.error()};
  }
  return transport;
}

Result<unsigned> DevTransport::add(unsigned) {
  if (workers_.size() == most_) return Errno{ENOSPC};
  UniqueFd clone(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  uint32_t of = static_cast<uint32_t>(fd());
  if (!clone.valid() || ioctl(clone.get(), kCloneIoctl, &of) != 0) return last_errno();
  auto worker = make_worker(std::move(clone));
  if (!worker.ok()) return Errno{worker.error()};
  workers_.push_back(std::move(*worker));
  return count_.fetch_add(1, std::memory_order_release);
}

void DevTransport::keep(unsigned workers) {
  workers_.erase(workers_.begin() + workers, workers_.end());
  most_ = count_ = workers;
}

Result<Received> DevTransport::receive(unsigned number) {
  Worker& worker = workers_[number];
  while (step_forward()) {
    const ssize_t got = ::read(worker.fd.get(), worker.in.data(), kRequestBufferBytes);
    const int error = errno;
    step_back();
    if (got >= 0) return Received{{worker.in.data(), static_cast<size_t>(got)}, {worker.out.data(), worker.out.size()}};
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
  uint32_t seen = waiting_.load(std::memory_order_relaxed);
  while (!(seen & kClosed)) {
    if (seen < kWaitAtMost) {
      if (waiting_.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed)) return true;
      continue;
    }
    waiting_.wait(seen, std::memory_order_relaxed);
    seen = waiting_.load(std::memory_order_relaxed);
  }
  return false;
}

void DevTransport::step_back() {
  if (waiting_.fetch_sub(1) == 1) waiting_.notify_one();
}

void DevTransport::close() {
  waiting_.fetch_or(kClosed);
  waiting_.notify_all();
}

void DevTransport::reply(unsigned worker, uint64_t unique, int error, std::span<const std::byte> body) {
  OutHeader head{static_cast<uint32_t>(sizeof(OutHeader) + body.size()), -error, unique};
  const iovec parts[2] = {{&head, sizeof head}, {const_cast<std::byte*>(body.data()), body.size()}};
  // ENOENT: the caller was interrupted and does not wait any more.
  (void)::writev(workers_[worker].fd.get(), parts, body.empty() ? 1 : 2);
}

}  // namespace rewindfs::fuse

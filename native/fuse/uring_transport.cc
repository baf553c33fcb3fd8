#include "fuse/uring_transport.h"

#include <sched.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>

#include "fuse/wire.h"

namespace rewindfs::fuse {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kScratchBytes = (64u << 10) + kPage;  // answers to requests that bring bytes: the longest is an xattr's value
constexpr unsigned kWorkersAtLeast = 16;

// One queue for each processor that the kernel can ever have: "0-7" or "0,2-5".
unsigned possible_processors() {
  std::string text;
  std::ifstream("/sys/devices/system/cpu/possible") >> text;
  const size_t last = text.find_last_of(",-");
  const std::string number = last == std::string::npos ? text : text.substr(last + 1);
  return number.empty() ? 1 : static_cast<unsigned>(std::stoul(number)) + 1;
}

std::byte* payload(const Mapping& memory) { return memory.data() + kPage; }
UringHeader& header(const Mapping& memory) { return *reinterpret_cast<UringHeader*>(memory.data()); }

}  // namespace

Result<UringTransport::Worker> UringTransport::make_worker(unsigned queue) {
  auto ring = IoRing::create(2);
  if (!ring.ok()) return Errno{ring.error()};
  auto memory = Mapping::create(kPage + kMaxWriteBytes);
  if (!memory.ok()) return Errno{memory.error()};
  Worker worker{std::move(*ring), static_cast<uint16_t>(queue), std::move(*memory), {}, {}, 0};
  worker.parts[0] = {&header(worker.memory), sizeof(UringHeader)};
  worker.parts[1] = {payload(worker.memory), kMaxWriteBytes};
  worker.scratch.resize(kScratchBytes);
  return worker;
}

Result<std::unique_ptr<Transport>> UringTransport::prepare(std::unique_ptr<DevTransport>& dev) {
  std::unique_ptr<UringTransport> transport(new UringTransport());
  const unsigned queues = transport->queues_ = possible_processors();
  const unsigned workers = queues * std::max(2u, kWorkersAtLeast / queues);
  transport->workers_.reserve(transport->most_ = workers + kMostAdded);
  for (unsigned i = 0; i < workers; ++i) {
    if (const auto added = transport->add(i % queues); !added.ok()) return Errno{added.error()};
  }
  transport->dev_ = std::move(dev);
  transport->dev_->keep(1);
  return std::unique_ptr<Transport>(std::move(transport));
}

Result<unsigned> UringTransport::add(unsigned group) {
  if (group == queues_) return Errno{EINVAL};
  if (workers_.size() == most_) return Errno{ENOSPC};
  auto worker = make_worker(group);
  if (!worker.ok()) return Errno{worker.error()};
  workers_.push_back(std::move(*worker));
  return 1 + count_.fetch_add(1, std::memory_order_release);
}

void UringTransport::close() {
  closed_.store(true, std::memory_order_relaxed);
  dev_->close();
}

Result<void> UringTransport::attach(unsigned number) {
  if (number == 0) return {};
  Worker& worker = workers_[number - 1];
  cpu_set_t processors;
  CPU_ZERO(&processors);
  CPU_SET(worker.queue, &processors);
  (void)sched_setaffinity(0, sizeof processors, &processors);  // where it is not allowed: slower, no more
  if (auto enabled = worker.ring.enable(); !enabled.ok()) return enabled;
  command(worker, kUringRegister);
  if (auto submitted = worker.ring.submit(0); !submitted.ok()) return submitted;
  const io_uring_cqe* refused = worker.ring.peek();
  if (refused != nullptr && refused->res < 0) return Errno{-refused->res};
  return {};
}

void UringTransport::command(Worker& worker, uint32_t op) {
  io_uring_sqe& entry = worker.ring.next();
  entry.opcode = IORING_OP_URING_CMD;
  entry.fd = dev_->fd();
  entry.cmd_op = op;
  entry.user_data = op;
  if (op == kUringRegister) {
    entry.addr = reinterpret_cast<uint64_t>(worker.parts);
    entry.len = 2;
  }
  const UringCommand what{0, worker.commit, worker.queue, {}};
  std::memcpy(entry.cmd, &what, sizeof what);
}

Result<Received> UringTransport::receive(unsigned number) {
  if (number == 0) return dev_->receive(0);
  Worker& worker = workers_[number - 1];
  for (;;) {
    if (const io_uring_cqe* done = worker.ring.peek()) {
      const int result = done->res;
      const auto op = static_cast<uint32_t>(done->user_data);
      worker.ring.take();
      if (result == 0) {
        if (const auto request = take(worker)) return *request;
        reply(number, header(worker.memory).in.unique, EIO, {});
      } else if (result == -EINTR || result == -EAGAIN) {
        command(worker, op);
      } else {
        return Errno{ENODEV};
      }
    }
    const bool closed = closed_.load(std::memory_order_relaxed);
    const auto submitted = worker.ring.submit(closed ? 0 : 1);
    if (closed || (!submitted.ok() && submitted.error() != EINTR && submitted.error() != EAGAIN)) return Errno{ENODEV};
  }
}

// The kernel gives the request in three parts; here they stand one after another, as on /dev/fuse. None: malformed.
std::optional<Received> UringTransport::take(Worker& worker) {
  const UringHeader& from = header(worker.memory);
  worker.commit = from.entry.commit_id;
  const size_t bytes = from.entry.payload_bytes, length = from.in.len;
  if (bytes > kMaxWriteBytes || length < sizeof(InHeader) + bytes) return std::nullopt;
  const size_t arguments = length - sizeof(InHeader) - bytes;
  if (arguments > sizeof from.op) return std::nullopt;
  std::byte* start = payload(worker.memory) - arguments - sizeof(InHeader);
  std::memcpy(start, &from.in, sizeof(InHeader));
  std::memcpy(start + sizeof(InHeader), from.op, arguments);
  const std::span<std::byte> in_place(payload(worker.memory), kMaxWriteBytes);
  return Received{{start, length}, bytes == 0 ? in_place : std::span<std::byte>(worker.scratch)};
}

void UringTransport::reply(unsigned number, uint64_t unique, int error, std::span<const std::byte> body) {
  if (number == 0) return dev_->reply(0, unique, error, body);
  Worker& worker = workers_[number - 1];
  UringHeader& to = header(worker.memory);
  to.out = OutHeader{static_cast<uint32_t>(sizeof(OutHeader) + body.size()), -error, unique};
  to.entry.payload_bytes = static_cast<uint32_t>(body.size());
  if (!body.empty() && body.data() != payload(worker.memory)) std::memcpy(payload(worker.memory), body.data(), body.size());
  command(worker, kUringCommitAndFetch);
}

}  // namespace rewindfs::fuse

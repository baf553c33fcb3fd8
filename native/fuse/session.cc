#include "fuse/session.h"

#include <algorithm>
#include <cerrno>

#include "fuse/dispatcher.h"

namespace rewindfs::fuse {

Session::Session(SessionOptions options, Answer answer, std::function<void()> thread_start, std::function<void()> ended)
    : options_(options), answer_(std::move(answer)), thread_start_(std::move(thread_start)), ended_(std::move(ended)) {}

Session::~Session() { join(); }

Outcome<Done> Session::init(UniqueFd connection) {
  const unsigned threads = std::clamp(options_.threads, 1u, kMaxThreads);
  auto transport = DevTransport::open(std::move(connection), threads);
  if (!transport.ok()) return Failure{transport.error(), "FUSE_DEV_IOC_CLONE", "/dev/fuse"};
  transport_ = std::move(*transport);
  std::vector<std::byte> buffer(kRequestBufferBytes);
  const auto got = transport_->receive(0, buffer);
  if (!got.ok()) return Failure{got.error(), "read", "/dev/fuse"};
  std::span<const std::byte> body, extensions;
  const InHeader* head = parse_frame(std::span(buffer).first(*got), body, extensions);
  if (head == nullptr || head->opcode != static_cast<uint32_t>(Op::kInit) || body.size() < sizeof(InitIn)) {
    return Failure{EPROTO, "FUSE_INIT", "/dev/fuse", "", "the kernel's FUSE protocol is older than 7.36"};
  }
  const auto& in = *reinterpret_cast<const InitIn*>(body.data());
  if (in.major != kMajor || in.minor < 36) {
    reply(0, head->unique, EPROTO, {});
    return Failure{EPROTO, "FUSE_INIT", "/dev/fuse", "", "the kernel's FUSE protocol is older than 7.36"};
  }
  const InitOut out = answer_init(in);
  reply(0, head->unique, 0, std::as_bytes(std::span(&out, 1)));
  return Done{};
}

InitOut Session::answer_init(const InitIn& in) {
  const uint64_t offered = in.flags | (in.flags & kInitExt ? uint64_t{in.flags2} << 32 : 0);
  negotiated_ = offered & (options_.wanted | kInitExt | kMaxPages);
  InitOut out{};
  out.major = kMajor;
  out.minor = kMinor;
  out.max_readahead = options_.max_readahead;
  out.flags = static_cast<uint32_t>(negotiated_);
  out.flags2 = static_cast<uint32_t>(negotiated_ >> 32);
  out.max_background = 64;
  out.congestion_threshold = 48;
  out.max_write = kMaxWriteBytes;
  out.time_gran = 1;
  out.max_pages = kMaxWriteBytes / 4096;
  return out;
}

void Session::start() {
  const unsigned threads = std::clamp(options_.threads, 1u, kMaxThreads);
  running_ = threads;
  for (unsigned worker = 0; worker < threads; ++worker) threads_.emplace_back([this, worker] { serve(worker); });
}

void Session::join() {
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void Session::serve(unsigned worker) {
  if (thread_start_) thread_start_();
  std::vector<std::byte> in(kRequestBufferBytes), out(kMaxWriteBytes + 4096);
  for (;;) {
    const auto got = transport_->receive(worker, in);
    if (!got.ok()) break;
    serve_frame(worker, std::span<const std::byte>(in).first(*got), out);
  }
  if (running_.fetch_sub(1) == 1 && ended_) ended_();
}

void Session::serve_frame(unsigned worker, std::span<const std::byte> frame, std::span<std::byte> out) {
  std::span<const std::byte> body, extensions;
  const InHeader* head = parse_frame(frame, body, extensions);
  if (head == nullptr) return;  // not even an id to answer to
  Current& current = current_[worker];
  current.interrupted = false;
  current.unique.store(head->unique, std::memory_order_release);
  Call call(*head, body, extensions, out, &current.interrupted);
  switch (static_cast<Op>(head->opcode)) {
    case Op::kInterrupt: interrupt(call); break;
    case Op::kDestroy: call.ok(); break;
    default: answer_(call);
  }
  current.unique.store(0, std::memory_order_release);
  if (!call.silent()) reply(worker, head->unique, call.error(), call.answer());
}

// Sets the flag of the request it concerns, when a worker still has it; it gets no answer of its own.
void Session::interrupt(Call& call) {
  call.no_answer();
  const auto* in = call.take<InterruptIn>();
  if (in == nullptr) return;
  for (auto& current : current_) {
    if (current.unique.load(std::memory_order_acquire) == in->unique) current.interrupted = true;
  }
}

void Session::reply(unsigned worker, uint64_t unique, int error, std::span<const std::byte> body) {
  if (error != 0) body = {};
  OutHeader head{static_cast<uint32_t>(sizeof(OutHeader) + body.size()), -error, unique};
  const iovec parts[2] = {{&head, sizeof head}, {const_cast<std::byte*>(body.data()), body.size()}};
  (void)transport_->reply(worker, std::span(parts, body.empty() ? 1 : 2));
}

}  // namespace rewindfs::fuse

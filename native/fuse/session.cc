#include "fuse/session.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "fuse/dispatcher.h"

namespace rewindfs::fuse {
namespace {

// Does nothing, but makes a blocking read(2) return.
int wake_signal() { return SIGRTMIN + 7; }

void install_wake_signal() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  sigaction(wake_signal(), &action, nullptr);
}

}  // namespace

Session::Session(SessionOptions options, Answer answer, std::function<void()> thread_start, std::function<void()> ended)
    : options_(options), answer_(std::move(answer)), thread_start_(std::move(thread_start)), ended_(std::move(ended)) {}

Session::~Session() { join(0); }

Outcome<Done> Session::init(UniqueFd connection) {
  const unsigned threads = std::clamp(options_.threads, 1u, kMaxThreads);
  auto transport = DevTransport::open(std::move(connection), threads);
  if (!transport.ok()) return Failure{transport.error(), "FUSE_DEV_IOC_CLONE", "/dev/fuse"};
  transport_ = std::move(*transport);
  transport_name_ = transport_->name();
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
  install_wake_signal();
  // Other signals are for the thread of JavaScript.
  sigset_t blocked, before;
  sigfillset(&blocked);
  sigdelset(&blocked, wake_signal());
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  const unsigned threads = std::clamp(options_.threads, 1u, kMaxThreads);
  running_ = threads;
  for (unsigned worker = 0; worker < threads; ++worker) threads_.emplace_back([this, worker] { serve(worker); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Session::join(unsigned patience_ms) {
  constexpr auto kStep = std::chrono::milliseconds(5);
  for (unsigned waited = 0; running_ > 0 && waited < patience_ms; waited += kStep.count()) std::this_thread::sleep_for(kStep);
  if (transport_) transport_->close();
  // Again and again: a signal that comes between the look at the flag and read(2) is lost.
  while (running_ > 0) {
    for (auto& thread : threads_) pthread_kill(thread.native_handle(), wake_signal());
    std::this_thread::sleep_for(kStep);
  }
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  transport_.reset();  // whoever still uses the connection gets ENOTCONN instead of waiting for ever
}

void Session::serve(unsigned worker) {
  pthread_setname_np(pthread_self(), ("rewind-" + std::to_string(worker)).c_str());
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
  begin(current, head->unique);
  Call call(*head, body, extensions, out, &current.interrupted);
  switch (static_cast<Op>(head->opcode)) {
    case Op::kInterrupt: interrupt(call); break;
    case Op::kDestroy: call.ok(); break;
    default: answer_(call);
  }
  current.unique.store(0, std::memory_order_release);
  if (!call.silent()) reply(worker, head->unique, call.error(), call.answer());
}

void Session::begin(Current& current, uint64_t unique) {
  current.interrupted = false;
  current.unique.store(unique, std::memory_order_seq_cst);
  if (interrupts_.load(std::memory_order_seq_cst) == 0) return;
  for (const auto& early : early_) {
    if (early.load(std::memory_order_seq_cst) == unique) current.interrupted = true;
  }
}

// Sets the flag of the request it concerns, when a worker has it or is about to; it gets no answer of its own.
void Session::interrupt(Call& call) {
  call.no_answer();
  const auto* in = call.take<InterruptIn>();
  if (in == nullptr) return;
  early_[interrupts_.fetch_add(1) % kEarly].store(in->unique, std::memory_order_seq_cst);
  for (auto& current : current_) {
    if (current.unique.load(std::memory_order_seq_cst) == in->unique) current.interrupted = true;
  }
}

void Session::reply(unsigned worker, uint64_t unique, int error, std::span<const std::byte> body) {
  if (error != 0) body = {};
  OutHeader head{static_cast<uint32_t>(sizeof(OutHeader) + body.size()), -error, unique};
  const iovec parts[2] = {{&head, sizeof head}, {const_cast<std::byte*>(body.data()), body.size()}};
  (void)transport_->reply(worker, std::span(parts, body.empty() ? 1 : 2));
}

}  // namespace rewindfs::fuse

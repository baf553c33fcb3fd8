#include "fuse/session.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "fuse/dispatcher.h"
#include "fuse/uring_transport.h"

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

MakeRings kernel_rings() { return UringTransport::prepare; }

class Session::Place final : public Runner {
 public:
  Place(Session& session, unsigned group) : session_(session), group_(group) { Waiting::run_by(this); }
  ~Place() override { Waiting::run_by(nullptr); }
  void begin_waiting() override { session_.stand_in(group_); }
  void end_waiting() override { session_.stand_down(group_); }

 private:
  Session& session_;
  const unsigned group_;
};

Session::Session(SessionOptions options, Answer answer, std::function<void()> thread_start, std::function<void()> ended)
    : options_(options), answer_(std::move(answer)), thread_start_(std::move(thread_start)), ended_(std::move(ended)) {}

Session::~Session() { join(0); }

Outcome<Done> Session::init(UniqueFd connection) {
  connection_fd_ = connection.get();
  auto dev = DevTransport::open(std::move(connection), std::max(options_.threads, 1u));
  if (!dev.ok()) return Failure{dev.error(), "FUSE_DEV_IOC_CLONE", "/dev/fuse"};
  DevTransport& first = **dev;
  const auto got = first.receive(0);
  if (!got.ok()) return Failure{got.error(), "read", "/dev/fuse"};
  std::span<const std::byte> body, extensions;
  const InHeader* head = parse_frame(got->frame, body, extensions);
  const Failure too_old{EPROTO, "FUSE_INIT", "/dev/fuse", "", "the kernel's FUSE protocol is older than 7.36"};
  if (head == nullptr || head->opcode != static_cast<uint32_t>(Op::kInit) || body.size() < sizeof(InitIn)) return too_old;
  const auto& in = *reinterpret_cast<const InitIn*>(body.data());
  const uint64_t unique = head->unique;
  if (in.major != kMajor || in.minor < 36) {
    first.reply(0, unique, EPROTO, {});
    return too_old;
  }
  choose_transport(std::move(*dev), in.flags | (in.flags & kInitExt ? uint64_t{in.flags2} << 32 : 0));
  if (options_.over == Over::kUring && !reason_.empty()) {
    transport_->reply(0, unique, EPROTO, {});
    return Failure{ENOTSUP, "FUSE over io_uring", "/dev/fuse", "", reason_};
  }
  const InitOut out = answer_init(in);
  transport_->reply(0, unique, 0, std::as_bytes(std::span(&out, 1)));
  return Done{};
}

void Session::choose_transport(std::unique_ptr<DevTransport> dev, uint64_t offered) {
  negotiated_ = offered & (options_.wanted | kInitExt | kMaxPages);
  if (options_.over == Over::kDev) {
    reason_ = options_.why_dev;
  } else if (!(offered & kOverIoUring)) {
    reason_ = "the kernel does not offer io_uring: before 6.14, or /sys/module/fuse/parameters/enable_uring is N";
  } else if (auto uring = options_.rings(dev); !uring.ok()) {
    reason_ = "io_uring_setup: " + std::generic_category().message(uring.error());
  } else {
    negotiated_ |= kOverIoUring;
    transport_ = std::move(*uring);
  }
  if (!transport_) transport_ = std::move(dev);
  transport_name_ = transport_->name();
}

InitOut Session::answer_init(const InitIn& in) {
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
  if (negotiated_ & kPassthrough) out.max_stack_depth = 1;
  return out;
}

Outcome<Done> Session::start() {
  install_wake_signal();
  // Other signals are for the thread of JavaScript.
  sigset_t blocked, before;
  sigfillset(&blocked);
  sigdelset(&blocked, wake_signal());
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  const unsigned threads = transport_->workers();
  current_ = std::make_unique<Current[]>(threads + kMostAdded);
  running_ = attaching_ = threads;
  {
    const MutexLock lock(crew_);
    groups_.resize(transport_->groups());
    for (unsigned worker = 0; worker < threads; ++worker) start_thread(worker, false);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  for (unsigned left = attaching_; left > 0; left = attaching_) attaching_.wait(left);
  if (const int refused = refused_; refused != 0) {
    join(0);
    return Failure{refused, "FUSE_IO_URING_CMD_REGISTER", "/dev/fuse"};
  }
  return Done{};
}

void Session::join(unsigned patience_ms) {
  constexpr auto kStep = std::chrono::milliseconds(5);
  for (unsigned waited = 0; running_ > 0 && waited < patience_ms; waited += kStep.count()) std::this_thread::sleep_for(kStep);
  if (transport_) transport_->close();
  // Again and again: a signal that comes between the look at the flag and read(2) is lost.
  while (running_ > 0) {
    {
      const MutexLock lock(crew_);
      for (auto& thread : threads_) pthread_kill(thread.native_handle(), wake_signal());
    }
    std::this_thread::sleep_for(kStep);
  }
  const MutexLock lock(crew_);
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  connection_fd_ = -1;
  transport_.reset();  // whoever still uses the connection gets ENOTCONN instead of waiting for ever
}

void Session::start_thread(unsigned worker, bool added) {
  ++groups_[transport_->group(worker)].workers;
  threads_.emplace_back([this, worker, added] { serve(worker, added); });
}

// A worker of the group is about to wait for something else than requests.
void Session::stand_in(unsigned group) {
  unsigned worker = 0;
  {
    const MutexLock lock(crew_);
    Group& of = groups_[group];
    if (of.workers - ++of.waiting >= kReady) return;
    const auto added = transport_->add(group);
    if (!added.ok()) return;
    ++running_;
    start_thread(worker = *added, true);
  }
  if (!transport_->passes_by_added()) return;
  current_[worker].attached.wait(false);
  options_.nudge();
}

void Session::stand_down(unsigned group) {
  const MutexLock lock(crew_);
  --groups_[group].waiting;
}

void Session::serve(unsigned worker, bool added) {
  pthread_setname_np(pthread_self(), ("rewind-" + std::to_string(worker)).c_str());
  if (thread_start_) thread_start_();
  const Place place(*this, transport_->group(worker));
  const auto attached = transport_->attach(worker);
  if (!added) {
    if (!attached.ok()) refused_ = attached.error();
    attaching_.fetch_sub(1);
    attaching_.notify_all();
  }
  current_[worker].attached = true;
  current_[worker].attached.notify_all();
  while (attached.ok()) {
    const auto received = transport_->receive(worker);
    if (!received.ok()) break;
    serve_one(worker, *received);
  }
  if (running_.fetch_sub(1) == 1 && ended_ && refused_ == 0) ended_();
}

void Session::serve_one(unsigned worker, const Received& received) {
  std::span<const std::byte> body, extensions;
  const InHeader* head = parse_frame(received.frame, body, extensions);
  if (head == nullptr) return;  // not even an id to answer to
  Current& current = current_[worker];
  begin(current, head->unique);
  Call call(*head, body, extensions, received.out, &current.interrupted);
  switch (static_cast<Op>(head->opcode)) {
    case Op::kInterrupt: interrupt(call); break;
    case Op::kDestroy: call.ok(); break;
    default: answer_(call);
  }
  current.unique.store(0, std::memory_order_release);
  if (call.silent()) return;
  transport_->reply(worker, head->unique, call.error(), call.error() == 0 ? call.answer() : std::span<const std::byte>());
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
  for (unsigned worker = 0; worker < transport_->workers(); ++worker) {
    Current& current = current_[worker];
    if (current.unique.load(std::memory_order_seq_cst) == in->unique) current.interrupted = true;
  }
}

}  // namespace rewindfs::fuse

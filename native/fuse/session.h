// A mounted connection and the threads that answer it.
//
// Guarantees: `answer` runs on the session's threads only; after stop() or once `ended` was called, none runs. INIT,
// DESTROY and INTERRUPT are answered here. Threads that wait long inside an answer (os/waiting.h) keep nobody else waiting:
// others are started in their place, up to kMostAdded.
#pragma once
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fuse/call.h"
#include "fuse/dev_transport.h"
#include "os/failure.h"
#include "os/mutex.h"
#include "os/waiting.h"

namespace rewindfs::fuse {

enum class Over { kAuto, kDev, kUring };

// Makes the transport over io_uring, taking dev on success: UringTransport::prepare, or what a test puts in its place.
using MakeRings = std::function<Result<std::unique_ptr<Transport>>(std::unique_ptr<DevTransport>& dev)>;
MakeRings kernel_rings();

struct SessionOptions {
  Over over = Over::kAuto;    // kAuto: io_uring where the machine offers it
  std::string why_dev = "asked for";  // the reason that is told when it is kDev
  MakeRings rings = kernel_rings();
  std::function<void()> nudge = [] {};  // makes one request to this connection, from the processor that it runs on
  unsigned threads = 8;       // over /dev/fuse; over io_uring the number of processors decides
  uint64_t wanted;            // INIT flags to ask for; what the kernel does not offer is left out
  uint32_t max_readahead = 1u << 20;
};

class Session {
 public:
  using Answer = std::function<void(Call&)>;

  Session(SessionOptions options, Answer answer, std::function<void()> thread_start, std::function<void()> ended);
  ~Session();

  // Negotiates INIT on a freshly mounted connection.
  Outcome<Done> init(UniqueFd connection);
  // Starts the threads: from here on requests are answered. On failure none runs, and the connection is of no more use.
  Outcome<Done> start();
  // Waits for the threads, which end by themselves once nobody uses the unmounted connection. Those that still wait for
  // requests after patience_ms (it was unmounted lazily, in use) are stopped, each after the answer it was working on.
  void join(unsigned patience_ms);

  uint64_t negotiated() const { return negotiated_; }
  // For what is asked of the connection itself (backing files, invalidations); -1 before init() and after join().
  int connection_fd() const { return connection_fd_; }
  const char* transport() const { return transport_name_; }
  // Why it is /dev/fuse and not io_uring; empty when it is.
  const std::string& transport_reason() const { return reason_; }

 private:
  static constexpr unsigned kEarly = 16;
  static constexpr unsigned kReady = 2;  // workers of a group that wait for nothing but requests
  struct Current {
    std::atomic<uint64_t> unique{0};
    volatile bool interrupted = false;
    std::atomic<bool> attached{false};  // or it could not be
  };
  struct Group {
    unsigned workers = 0, waiting = 0;
  };
  class Place;  // of a thread, as its Runner

  void serve(unsigned worker, bool added);
  void start_thread(unsigned worker, bool added) REQUIRES(crew_);
  void stand_in(unsigned group) EXCLUDES(crew_);
  void stand_down(unsigned group) EXCLUDES(crew_);
  void serve_one(unsigned worker, const Received& received);
  void begin(Current& current, uint64_t unique);
  void interrupt(Call& call);
  void choose_transport(std::unique_ptr<DevTransport> dev, uint64_t offered);
  InitOut answer_init(const InitIn& in);

  const SessionOptions options_;
  const Answer answer_;
  const std::function<void()> thread_start_, ended_;
  std::unique_ptr<Transport> transport_;
  const char* transport_name_ = "";
  std::string reason_;
  Mutex crew_;  // a leaf
  std::vector<std::thread> threads_ GUARDED_BY(crew_);
  std::vector<Group> groups_ GUARDED_BY(crew_);
  std::unique_ptr<Current[]> current_;
  // The latest interrupts: one can be read by one thread before another has begun with the request that it names.
  std::array<std::atomic<uint64_t>, kEarly> early_{};
  std::atomic<unsigned> interrupts_{0};
  std::atomic<unsigned> running_{0};
  std::atomic<unsigned> attaching_{0};
  std::atomic<int> refused_{0};  // why a thread could not attach
  uint64_t negotiated_ = 0;
  int connection_fd_ = -1;
};

}  // namespace rewindfs::fuse

// The kernel's side of a view: a read-only mount whose requests wait in a queue until somebody takes them.
//
// Guarantees: a thread of its own empties the kernel's queue, so that one slow answer keeps no other request from
// being seen; INIT and DESTROY never leave this class; after stop, or once somebody else has unmounted it, whoever
// still uses the mount gets ENOTCONN at once and no call here blocks.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "fuse/mount.h"
#include "os/failure.h"
#include "os/mutex.h"
#include "os/result.h"
#include "os/unique_fd.h"

namespace rewindfs::fuse {

class ViewConnection {
 public:
  struct Events {
    std::function<void()> requests;  // take() has something; called by the reading thread
    std::function<void()> gone;      // the connection ended without stop()
  };

  // options: read_only, nosuid, nodev and noexec are set here.
  ViewConnection(MountOptions options, Events events);
  ~ViewConnection();

  // Mounts and answers INIT. Once only.
  Outcome<Done> start();

  // All requests since the last call: whole frames, one after another.
  std::vector<std::byte> take() EXCLUDES(mutex_);

  // error: 0 or a positive errno. ENOENT: the kernel does not wait for it any more. Any thread.
  int reply(uint64_t unique, int error, std::span<const std::byte> body);

  // Unmounts. Fails, still serving, when it is in use and not lazy.
  Outcome<Done> stop(bool lazy);

 private:
  Outcome<Done> negotiate();
  void serve();
  bool wait_for_request();
  void end() EXCLUDES(mutex_);

  const std::string mountpoint_;
  const MountOptions options_;
  const Events events_;
  std::atomic<bool> stopping_{false};
  UniqueFd wake_;
  std::thread reader_;

  Mutex mutex_;
  std::vector<std::byte> queue_ GUARDED_BY(mutex_);

  // Replies come from other threads while the connection may end: the descriptor is closed under its own lock.
  Mutex fd_mutex_;
  UniqueFd fd_ GUARDED_BY(fd_mutex_);
  int raw_fd_ = -1;  // the reader's view of fd_, which outlives the reader
};

}  // namespace rewindfs::fuse

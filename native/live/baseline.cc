#include "live/baseline.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "live/baseline_capture.h"
#include "live/baseline_reopen.h"
#include "live/baseline_state.h"
#include "live/baseline_walk.h"
#include "os/attributes.h"
#include "os/mutex.h"

namespace rewindfs::live {
namespace {

using journal::kBlockBytes;

constexpr int kWalkNiceness = 5;  // the programs in the tree come first

}  // namespace

// The tables are freed once the walk is complete and no hook is inside any more.
struct Baseline::Impl {
  class Inside {
   public:
    explicit Inside(Impl& impl) : impl_(impl) { impl_.inside.fetch_add(1); }
    ~Inside() { impl_.inside.fetch_sub(1); }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    bool needed() const { return impl_.pending.load(); }

   private:
    Impl& impl_;
  };

  Impl(journal::Recorder& recorder_, TreeAccess& tree_, std::atomic<bool>& pending_)
      : recorder(recorder_), tree(tree_), pending(pending_), capture(recorder_),
        walk(recorder_, capture, states, moved, stopping) {}

  Result<journal::Reservation> reserve() {
    return recorder.reserve(BaselineCapture::kStepPayloadBytes, BaselineCapture::kStepRecords);
  }
  Result<void> node(uint64_t ino, int fd);
  Result<void> content(BaseInode& inode, uint64_t ino, int fd, uint64_t begin, uint64_t end) REQUIRES(inode.mutex);
  // How an object at the mount compares with what history expects of it.
  enum class Compared { kNothingThere, kUnknown, kSame, kDiffers };
  struct Child {
    Compared compared = Compared::kNothingThere;
    BaselineCapture::Found found{};
  };
  Result<void> name(uint64_t dir_ino, int dir_fd, std::string_view name, const Child& child);
  Result<Child> child(uint64_t ino, int fd, bool goes);
  Result<Child> touched_child(uint64_t ino, int fd);
  Result<void> child_content(BaseInode& inode, uint64_t ino, int fd) REQUIRES(inode.mutex);
  Result<void> directory_goes(BaseInode& inode, uint64_t ino) REQUIRES(inode.mutex);
  void settle(BaseInode& inode, uint64_t ino) REQUIRES(inode.mutex);
  Result<void> start_capture();
  Result<void> whole_walk();
  void run();
  void end(int error);

  journal::Recorder& recorder;
  TreeAccess& tree;
  std::atomic<bool>& pending;
  std::atomic<unsigned> inside{0};
  InodeStates states;
  Moved moved;
  volatile bool stopping = false;
  BaselineCapture::Excluded excluded;
  BaselineCapture capture;
  BaselineWalk walk;
  Mutex mutex;  // taken after a BaseInode's
  std::function<void(int error)> done GUARDED_BY(mutex);
  std::optional<int> ended GUARDED_BY(mutex);  // with this errno, 0 when it is complete
  struct Gone {
    uint64_t ino;
    std::unordered_set<std::string> touched;
  };
  std::vector<Gone> gone_while_loading GUARDED_BY(mutex);
  std::thread thread;
};

Baseline::Baseline(journal::Recorder& recorder, TreeAccess& tree) : recorder_(recorder), tree_(tree) {
  begin(std::make_shared<Impl>(recorder_, tree_, pending_));
}

Baseline::~Baseline() { stop(); }

std::shared_ptr<Baseline::Impl> Baseline::latest() const {
  const MutexLock lock(mutex_);
  return latest_;
}

void Baseline::begin(std::shared_ptr<Impl> walk) {
  const MutexLock lock(mutex_);
  latest_ = std::move(walk);
  current_.store(latest_.get());
}

void Baseline::Impl::settle(BaseInode& inode, uint64_t ino) {
  inode.settled = true;
  states.settle(ino);
  moved.remove(ino);
}

Result<void> Baseline::Impl::node(uint64_t ino, int fd) {
  const std::shared_ptr<BaseInode> state = states.get(ino);
  if (!state) return {};
  const auto reservation = reserve();
  if (!reservation.ok()) return Errno{reservation.error()};
  BaseInode& inode = *state;
  const MutexLock lock(inode.mutex);
  if (inode.settled) return {};
  if (const auto known = capture.node(inode, ino, fd); !known.ok()) return known;
  if (inode.history_has_it && !S_ISDIR(inode.attr.mode)) settle(inode, ino);
  return {};
}

Result<void> Baseline::Impl::content(BaseInode& inode, uint64_t ino, int fd, uint64_t begin, uint64_t end) {
  while (begin < end) {
    const auto reservation = reserve();
    if (!reservation.ok()) return Errno{reservation.error()};
    const Result<uint64_t> next = capture.content_step(inode, ino, fd, begin, end);
    if (!next.ok()) return Errno{next.error()};
    begin = *next;
  }
  return {};
}

Result<void> Baseline::before_data(uint64_t ino, int fd, uint64_t offset, uint64_t length) {
  if (!pending()) return {};
  Impl& impl = this->impl();
  const Impl::Inside inside(impl);
  if (!inside.needed()) return {};
  if (const auto known = impl.node(ino, fd); !known.ok()) return known;
  const std::shared_ptr<BaseInode> state = impl.states.get(ino);
  if (!state) return {};
  BaseInode& inode = *state;
  const MutexLock lock(inode.mutex);
  if (inode.settled || !inode.node_known) return {};
  const uint64_t size = inode.attr.size;
  if (offset >= size) return {};
  const uint64_t end = length < size - offset ? offset + length : size;
  const uint64_t block_end = end > size - std::min<uint64_t>(size, kBlockBytes)
                                 ? size
                                 : std::min(size, (end + kBlockBytes - 1) & ~uint64_t{kBlockBytes - 1});
  return impl.content(inode, ino, fd, offset & ~uint64_t{kBlockBytes - 1}, block_end);
}

Result<void> Baseline::before_attr(uint64_t ino, int fd) {
  if (!pending()) return {};
  const Impl::Inside inside(impl());
  if (!inside.needed()) return {};
  return impl().node(ino, fd);
}

Result<void> Baseline::before_name(uint64_t dir_ino, int dir_fd, std::string_view name, uint64_t child_ino,
                                   int child_fd, bool child_goes) {
  if (!pending()) return {};
  const Impl::Inside inside(impl());
  if (!inside.needed()) return {};
  // The child first: from the moment the name counts as touched, the walk leaves it to what is known of the child.
  Impl::Child child;
  if (child_fd >= 0) {
    const Result<Impl::Child> compared = impl().child(child_ino, child_fd, child_goes);
    if (!compared.ok()) return Errno{compared.error()};
    child = *compared;
  }
  return impl().name(dir_ino, dir_fd, name, child);
}

Result<void> Baseline::Impl::name(uint64_t dir_ino, int dir_fd, std::string_view name, const Child& child) {
  const std::shared_ptr<BaseInode> state = states.get(dir_ino);
  if (!state) return {};
  const auto reservation = reserve();
  if (!reservation.ok()) return Errno{reservation.error()};
  BaseInode& directory = *state;
  const MutexLock lock(directory.mutex);
  if (directory.settled) return {};
  if (const auto known = capture.node(directory, dir_ino, dir_fd); !known.ok()) return known;
  const auto [touched, first] = directory.touched.emplace(name);
  if (!first) return {};
  const bool loading = !capture.started();
  Expected& expected = capture.expected();
  const ExpectedEntry* entry = loading ? nullptr : expected.find(expected.directory(dir_ino), name);
  Result<void> recorded;
  if (child.compared == Compared::kNothingThere) {
    if (loading || entry) recorded = capture.absent(dir_ino, name);
  } else {
    const bool same_inode = entry && entry->ino == child.found.ino;
    const bool differs = !same_inode || child.compared == Compared::kDiffers;
    if (differs || child.compared == Compared::kUnknown) {
      recorded = capture.name({dir_ino, directory.attr}, name, child.found, differs);
    }
  }
  if (!recorded.ok()) directory.touched.erase(touched);
  return recorded;
}

// Whatever history needs of it is in the journal; perhaps it was changed in this session since.
Result<Baseline::Impl::Child> Baseline::Impl::touched_child(uint64_t ino, int fd) {
  const Result<struct statx> status = statx_fd(fd);
  if (!status.ok()) return Errno{status.error()};
  return Child{Compared::kUnknown, {ino, to_attr(*status)}};
}

Result<Baseline::Impl::Child> Baseline::Impl::child(uint64_t ino, int fd, bool goes) {
  const std::shared_ptr<BaseInode> state = states.get(ino);
  if (!state) return touched_child(ino, fd);
  if (const auto known = node(ino, fd); !known.ok()) return Errno{known.error()};
  BaseInode& inode = *state;
  const MutexLock lock(inode.mutex);
  if (!inode.node_known) return touched_child(ino, fd);
  const Child compared{inode.history_has_it ? Compared::kSame : Compared::kDiffers, {ino, inode.attr}};
  if (inode.settled) return compared;
  if (S_ISDIR(inode.attr.mode)) {
    // A call that is going to fail with ENOTEMPTY: the directory stays, under a name that the walk will skip as touched.
    if (!goes || !is_empty(fd)) {
      moved.add(ino);
    } else if (const auto gone = directory_goes(inode, ino); !gone.ok()) {
      return Errno{gone.error()};
    }
    return compared;
  }
  if (S_ISREG(inode.attr.mode) && inode.attr.size > 0) {
    if (!goes) {
      moved.add(ino);
      return compared;
    }
    if (const auto captured = child_content(inode, ino, fd); !captured.ok()) return Errno{captured.error()};
  }
  settle(inode, ino);
  return compared;
}

Result<void> Baseline::Impl::child_content(BaseInode& inode, uint64_t ino, int fd) {
  const UniqueFd readable = reopen(fd);
  if (readable.valid()) return content(inode, ino, readable.get(), 0, inode.attr.size);
  const int error = errno;
  const auto reservation = reserve();
  if (!reservation.ok()) return Errno{reservation.error()};
  return capture.unreadable(inode, ino, error);
}

// The walk will not come here any more, and nothing is left in it: what history still expects there went while unmounted,
// but for the touched names, which were there at the mount. It is settled then, so that the walk does not take those for
// gone too. Should the call fail after all, what gets a name in it later is new there.
Result<void> Baseline::Impl::directory_goes(BaseInode& inode, uint64_t ino) {
  {
    const MutexLock lock(mutex);
    if (!capture.started()) {
      gone_while_loading.push_back({ino, inode.touched});
      settle(inode, ino);
      return {};
    }
  }
  for (const ExpectedEntry& entry : capture.expected().directory(ino)) {
    const std::string name(capture.expected().name(entry));
    if (inode.touched.contains(name)) continue;
    const auto reservation = reserve();
    if (!reservation.ok()) return Errno{reservation.error()};
    if (const auto absent = capture.absent(ino, name); !absent.ok()) return absent;
    inode.touched.insert(name);
  }
  settle(inode, ino);
  return {};
}

// A number that no hook saw become free is that of an object which went while unmounted, perhaps a directory. Said before
// the new object is recorded: afterwards the number means that one.
Result<void> Baseline::born(uint64_t ino) {
  if (!pending()) return {};
  const Impl::Inside inside(impl());
  if (!inside.needed()) return {};
  const std::shared_ptr<BaseInode> state = impl().states.get(ino);
  if (!state) return {};
  BaseInode& inode = *state;
  const MutexLock lock(inode.mutex);
  return inode.settled ? Result<void>() : impl().directory_goes(inode, ino);
}

void Baseline::expect(std::span<const std::byte> entries) {
  const std::shared_ptr<Impl> walk = latest();
  if (!walk->thread.joinable()) (void)walk->capture.expected().add(entries);
}

void Baseline::go_on(int64_t since_ns) { latest()->capture.go_on(since_ns); }

void Baseline::exclude(std::function<bool(int fd, uint32_t nlink)> excluded) {
  const std::shared_ptr<Impl> walk = latest();
  walk->excluded = excluded;
  walk->capture.exclude(std::move(excluded));
}

void Baseline::start() {
  const std::shared_ptr<Impl> walk = latest();
  if (!walk->thread.joinable()) walk->thread = std::thread([of = walk.get()] { of->run(); });
}

// From here on history's expectations count, also for the directories that went before (directory_goes).
Result<void> Baseline::Impl::start_capture() {
  std::vector<Gone> gone;
  {
    const MutexLock lock(mutex);
    capture.start();
    gone.swap(gone_while_loading);
  }
  for (const Gone& directory : gone) {
    for (const ExpectedEntry& entry : capture.expected().directory(directory.ino)) {
      const std::string_view name = capture.expected().name(entry);
      if (directory.touched.contains(std::string(name))) continue;
      const auto reservation = walk.reserve();
      if (!reservation.ok()) return Errno{reservation.error()};
      if (const auto absent = capture.absent(directory.ino, name); !absent.ok()) return absent;
    }
  }
  return {};
}

Result<void> Baseline::Impl::whole_walk() {
  capture.expected().seal();
  if (const auto started = start_capture(); !started.ok()) return started;
  if (const auto walked = walk.run(tree.root_fd(), tree.root_ino()); !walked.ok()) return walked;
  const auto reservation = walk.reserve();
  if (!reservation.ok()) return Errno{reservation.error()};
  return capture.end();
}

// The hooks go on after a walk that failed: what they capture is captured.
void Baseline::Impl::run() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kWalkNiceness);
  const Result<void> walked = whole_walk();
  if (walked.ok()) {
    pending.store(false);
    while (inside.load() != 0) std::this_thread::yield();
    states.clear();
    capture.expected().clear();
  } else if (walked.error() != ECANCELED) {
    const auto reservation = reserve();
    if (reservation.ok()) (void)capture.gap("walk", tree.root_ino(), walked.error());
  }
  end(walked.error());
}

void Baseline::restart() {
  stop();
  auto excluded = latest()->excluded;
  begin(std::make_shared<Impl>(recorder_, tree_, pending_));
  exclude(std::move(excluded));
  pending_.store(true);
}

// Once.
void Baseline::Impl::end(int error) {
  const MutexLock lock(mutex);
  if (ended) return;
  ended = error;
  if (done) done(error);
}

void Baseline::stop() {
  const std::shared_ptr<Impl> walk = latest();
  __atomic_store_n(&walk->stopping, true, __ATOMIC_RELAXED);
  if (walk->thread.joinable()) walk->thread.join();
  walk->end(ECANCELED);  // a walk that was never begun
}

void Baseline::on_done(std::function<void(int error)> callback) {
  const std::shared_ptr<Impl> walk = latest();
  const MutexLock lock(walk->mutex);
  if (walk->ended) callback(*walk->ended);
  else walk->done = std::move(callback);
}

Baseline::Progress Baseline::progress() const {
  const std::shared_ptr<Impl> walk = latest();
  const MutexLock lock(walk->mutex);
  const bool failed = walk->ended.value_or(0) != 0;
  const int state = failed ? 3 : !pending() ? 2 : walk->capture.started() ? 1 : 0;
  return {state, walk->walk.directories(), walk->walk.files(), walk->capture.bytes(), walk->capture.differences()};
}

}  // namespace rewindfs::live

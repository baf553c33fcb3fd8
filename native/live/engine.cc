#include "live/engine.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <system_error>

#include "fuse/mount.h"
#include "live/caller.h"
#include "live/operations.h"
#include "os/json.h"

namespace rewindfs::live {
namespace {

constexpr uint64_t kWanted = fuse::kAsyncRead | fuse::kAtomicOTrunc | fuse::kBigWrites | fuse::kDontMask | fuse::kDoReaddirplus |
                             fuse::kReaddirplusAuto | fuse::kParallelDirops | fuse::kPosixAcl | fuse::kCacheSymlinks |
                             fuse::kHandleKillprivV2 | fuse::kSetxattrExt | fuse::kCreateSuppGroup | fuse::kAsyncDio |
                             fuse::kNoOpendirSupport;

constexpr unsigned kLazyPatienceMs = 1000;  // for what is still open in a tree that was unmounted lazily
constexpr unsigned kPatienceMs = 20'000;    // for the kernel to end a connection that nobody uses

// One descriptor for each object that the kernel remembers.
void raise_descriptor_limit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlimit most{1u << 20, 1u << 20};
  if (limit.rlim_max < most.rlim_max && setrlimit(RLIMIT_NOFILE, &most) == 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Of a text that lives as long as it does.
journal::Draft draft_of(journal::Kind kind, uint64_t ino, const std::string& json) {
  journal::Draft draft;
  draft.kind = kind;
  draft.ino = ino;
  draft.payload = std::as_bytes(std::span(json));
  return draft;
}

std::string describe_gap(const journal::Gap& gap) {
  const char* name = strerrorname_np(gap.error);
  JsonObject json;
  json.text("error", name ? name : "EUNKNOWN");
  json.text("since_ns", std::to_string(gap.since_ns));
  json.number("records", gap.records);
  return json.finish();
}

// What the mount that holds the backing directory forbids stays forbidden.
Result<void> take_limits(const Tree& tree, fuse::MountOptions& how) {
  struct statvfs below;
  if (fstatvfs(tree.root_fd(), &below) != 0) return last_errno();
  how.read_only = below.f_flag & ST_RDONLY;
  how.nosuid = below.f_flag & ST_NOSUID;
  how.nodev = below.f_flag & ST_NODEV;
  how.noexec = below.f_flag & ST_NOEXEC;
  return {};
}

// The kernel reads 128 KiB ahead unless it is told otherwise, which only root may. Without it reading is slower, no more.
void raise_read_ahead(const std::string& mountpoint) {
  struct stat root;
  if (::stat(mountpoint.c_str(), &root) != 0) return;
  std::ofstream("/sys/class/bdi/" + std::to_string(major(root.st_dev)) + ":" + std::to_string(minor(root.st_dev)) + "/read_ahead_kb")
      << fuse::kMaxWriteBytes / 1024;
}

}  // namespace

Engine::Engine(EngineOptions options, std::shared_ptr<journal::Recorder> recorder, std::function<void()> gone)
    : options_(std::move(options)), recorder_(std::move(recorder)), gone_(std::move(gone)) {}

Engine::~Engine() {
  if (session_ && !stopping_) (void)stop(true, "closed");
}

Outcome<Done> Engine::open_tree() {
  raise_descriptor_limit();
  UniqueFd root(::open(options_.backing.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return Failure{errno, "open", options_.backing};
  auto tree = Tree::open(std::move(root), *recorder_, options_.snapshots);
  if (!tree.ok()) return Failure{tree.error(), "statx", options_.backing};
  tree_ = std::move(*tree);
  tree_->baseline.go_on(options_.baseline_since_ns);
  if (first_policy_) tree_->captures.set(std::move(first_policy_), first_interval_s_);
  tree_->writers.block(std::move(first_blocked_));
  dispatcher_ = std::make_unique<fuse::Dispatcher<Tree>>(*tree_, operations());
  return Done{};
}

// Mounts and negotiates; nothing is answered yet.
Outcome<Done> Engine::connect(fuse::Over over, const std::string& why_dev) {
  fuse::MountOptions how;
  how.mountpoint = options_.mountpoint;
  how.source = options_.fsname;
  how.subtype = "rewindfs";
  if (auto limited = take_limits(*tree_, how); !limited.ok()) return Failure{limited.error(), "statvfs", options_.backing};
  auto connection = fuse::mount(how);
  if (!connection.ok()) return connection.failure();
  const auto nudge = [at = options_.mountpoint] {
    struct statvfs ignored;
    (void)statvfs(at.c_str(), &ignored);  // the kernel keeps no answer to this one
  };
  fuse::SessionOptions session{over, why_dev, options_.rings, nudge, options_.threads, kWanted | (geteuid() == 0 ? uint64_t{fuse::kPassthrough} : 0)};
  session_ = std::make_unique<fuse::Session>(std::move(session), [this](Call& call) { dispatcher_->handle(call); }, detach_thread, [this] { ended(); });
  auto ready = session_->init(std::move(*connection));
  if (!ready.ok()) (void)fuse::unmount(options_.mountpoint, true);
  if (ready.ok()) tree_->captures.connect(session_->negotiated() & fuse::kPassthrough ? session_->connection_fd() : -1);
  return ready;
}

// Whoever asked for no transport in particular gets /dev/fuse when the kernel offers io_uring and then refuses it.
Outcome<Done> Engine::serve() {
  auto serving = session_->start();
  if (serving.ok()) return serving;
  (void)fuse::unmount(options_.mountpoint, true);
  if (options_.over != fuse::Over::kAuto) return serving;
  const std::string why = "the kernel offers io_uring and refused it: " + std::generic_category().message(serving.failure().error);
  if (auto again = connect(fuse::Over::kDev, why); !again.ok()) return again;
  return session_->start();
}

Outcome<Started> Engine::start() {
  if (auto opened = open_tree(); !opened.ok()) return opened.failure();
  if (auto connected = connect(options_.over); !connected.ok()) return connected.failure();
  const auto seq = append_json(journal::Kind::kMount, tree_->root_ino(), describe_mount(options_.unrecorded));
  if (!seq.ok()) {
    (void)fuse::unmount(options_.mountpoint, true);
    return Failure{seq.error(), "append"};
  }
  if (const auto found = append_first_root(*seq); !found.ok()) {
    (void)fuse::unmount(options_.mountpoint, true);
    return Failure{found.error(), "append"};
  }
  if (auto serving = serve(); !serving.ok()) return serving.failure();
  raise_read_ahead(options_.mountpoint);
  return Started{*seq, tree_->root_ino()};
}

// Every instant of history has a root: what it was at the first mount does not wait for the walk.
Result<void> Engine::append_first_root(uint64_t mount_seq) {
  return mount_seq == 1 ? tree_->baseline.before_attr(tree_->root_ino(), tree_->root_fd()) : Result<void>();
}

// Between two changes: what is recorded before is of the time that history knows, and nothing is changed afterwards that the
// new baseline has not looked at first.
Outcome<Started> Engine::resume(int64_t unfinished_since_ns) {
  const MutexLock lock(mutex_);
  if (finished_ || !tree_) return Failure{ESHUTDOWN, "resume"};
  if (auto ready = recorder_->make_ready(); !ready.ok()) return ready.failure();
  tree_->baseline.stop();
  tree_->changes.close();
  const std::string json = describe_mount(describe_gap(recorder_->gap()));
  const auto seq = recorder_->resume(draft_of(journal::Kind::kMount, tree_->root_ino(), json));
  const bool resumed = seq.ok() && *seq != journal::kUnrecorded;
  if (resumed) {
    tree_->baseline.restart();
    if (unfinished_since_ns != 0) tree_->baseline.go_on(unfinished_since_ns);
    tree_->captures.begin_anew();
    open_anew(*tree_);
  }
  tree_->changes.open();
  if (!resumed) return Failure{seq.ok() ? EIO : seq.error(), "append"};
  return Started{*seq, tree_->root_ino()};
}

std::string Engine::describe_mount(const std::string& unrecorded) const {
  JsonObject json;
  json.text("boot_id", options_.boot_id);
  json.number("pid", static_cast<uint64_t>(getpid()));
  json.text("mountpoint", options_.mountpoint);
  json.text("root_ino", std::to_string(tree_->root_ino()));
  json.boolean("clean", options_.clean && unrecorded.empty());
  json.text("version", options_.version);
  json.text("name", options_.purpose);
  if (!unrecorded.empty()) json.text("unrecorded", unrecorded);
  json.texts("tags", options_.tags);
  return json.finish();
}

void Engine::set_policy(std::shared_ptr<const Policy> policy, unsigned interval_s) {
  if (!tree_) {
    first_policy_ = std::move(policy);
    first_interval_s_ = interval_s;
    return;
  }
  auto before = tree_->captures.policy();
  tree_->captures.set(std::move(policy), interval_s);
  tree_->recapture.enqueue("", "", std::move(before));
}

void Engine::block(std::set<std::string> families) {
  if (tree_) tree_->writers.block(std::move(families));
  else first_blocked_ = std::move(families);
}

Outcome<Done> Engine::stop(bool lazy, const std::string& reason) {
  if (!session_) return Done{};
  const bool before = stopping_.exchange(true);
  if (!before) {
    if (auto unmounted = fuse::unmount(options_.mountpoint, lazy); !unmounted.ok()) {
      // EINVAL: it is no mount any more, somebody else unmounted it.
      if (unmounted.failure().error != EINVAL) {
        stopping_ = false;
        return unmounted.failure();
      }
    }
  }
  finish(reason, lazy ? kLazyPatienceMs : kPatienceMs);
  return Done{};
}

void Engine::finish(const std::string& reason, unsigned patience_ms) {
  const MutexLock lock(mutex_);
  if (finished_ || !session_) return;
  finished_ = true;
  tree_->rescue.stop();
  tree_->baseline.stop();
  session_->join(patience_ms);
  tree_->captures.connect(-1);
  tree_->recapture.stop();
  tree_->captures.stop();
  tree_->handles.clear();
  tree_->streams.clear();
  JsonObject json;
  json.text("reason", reason);
  json.texts("tags", options_.tags);
  (void)append_json(journal::Kind::kUnmount, 0, json.finish());
}

void Engine::ended() {
  if (!stopping_.exchange(true)) gone_();
}

Result<uint64_t> Engine::append_json(journal::Kind kind, uint64_t ino, const std::string& json) {
  const auto reserved = recorder_->reserve(json.size());
  if (!reserved.ok()) return Errno{reserved.error()};
  return recorder_->append(draft_of(kind, ino, json));
}

void Engine::count_requests(const std::function<void(const char*, uint64_t)>& visit) const {
  if (dispatcher_) dispatcher_->count(visit);
}

}  // namespace rewindfs::live

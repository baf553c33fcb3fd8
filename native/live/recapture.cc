#include "live/recapture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live/locks.h"
#include "live/tree.h"

namespace rewindfs::live {
namespace {

constexpr int kNiceness = 5;
constexpr auto kBaselineLook = std::chrono::milliseconds(100);

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

std::string joined(const std::string& path, std::string_view name) { return path.empty() ? std::string(name) : path + "/" + std::string(name); }

}  // namespace

void Recapture::enqueue(std::string path, std::string was, std::shared_ptr<const Policy> before) {
  if (before->trivial()) return;
  const MutexLock lock(mutex_);
  if (stopping_) return;
  jobs_.push_back({std::move(path), std::move(was), std::move(before)});
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  wake_.notify_all();
}

bool Recapture::busy() {
  const MutexLock lock(mutex_);
  return working_ || !jobs_.empty();
}

bool Recapture::stopping() {
  const MutexLock lock(mutex_);
  return stopping_;
}

void Recapture::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Recapture::run() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);
  for (;;) {
    Job job;
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && (jobs_.empty() || tree_.baseline.pending())) {
        jobs_.empty() ? wake_.wait(mutex_) : (void)wake_.wait_for(mutex_, kBaselineLook);
      }
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      working_ = true;
    }
    walk(job);
    const MutexLock lock(mutex_);
    working_ = false;
  }
}

void Recapture::walk(const Job& job) {
  std::deque<std::string> directories{""};
  while (!directories.empty() && !stopping()) {
    const std::string below = std::move(directories.front());
    directories.pop_front();
    if (!directory(job, below, directories)) return;
  }
}

bool Recapture::directory(const Job& job, const std::string& below, std::deque<std::string>& more) {
  const std::string path = below.empty() ? job.path : joined(job.path, below);
  const std::string was = below.empty() ? job.was : joined(job.was, below);
  const int fd = openat(tree_.root_fd(), path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return true;  // it went, or moved, which has a job of its own
  const std::unique_ptr<DIR, CloseDirectory> stream(fdopendir(fd));
  if (!stream) return true;
  const auto now = tree_.captures.policy();
  while (const dirent64* entry = readdir64(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (stopping()) return false;
    struct stat status {};
    unsigned char type = entry->d_type;
    if (type == DT_UNKNOWN && fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) type = IFTODT(status.st_mode);
    if (type == DT_DIR) {
      more.push_back(below.empty() ? std::string(name) : joined(below, name));
      continue;
    }
    if (type != DT_REG) continue;
    const std::string full = joined(path, name);
    if (job.before->decide(joined(was, name), false).capture != Capture::kNone) continue;
    if (now->decide(full, false).capture != Capture::kNone) file(fd, entry->d_name);
  }
  return true;
}

void Recapture::file(int dir, const char* name) {
  UniqueFd fd(openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  const auto stat = stat_fd(fd.get());
  if (!stat.ok() || !S_ISREG(stat->stx_mode) || stat->stx_size == 0) return;
  const InodePtr inode = tree_.inodes.intern(std::move(fd), *stat, false);
  const Gate::Pass change(tree_.changes);
  const StateLock lock{inode.get()};
  inode->assert_state();
  if (Captures::open_mode(*inode) == Capture::kEachWrite || Captures::open_mode(*inode) == Capture::kNone) {
    (void)tree_.captures.capture_whole(*inode);
  }
}

}  // namespace rewindfs::live

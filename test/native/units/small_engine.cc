#include "small_engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

namespace rewindfs::test {

// A name in its directory, and what it leads to, held open.
struct SmallEngine::Place {
  Place(const std::string& root, const std::string& path) {
    const size_t slash = path.rfind('/');
    name = slash == std::string::npos ? path : path.substr(slash + 1);
    const std::string parent = slash == std::string::npos ? root : root + "/" + path.substr(0, slash);
    directory.reset(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat status {};
    if (fstat(directory.get(), &status) == 0) directory_ino = status.st_ino;
    object.reset(openat(directory.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (fstat(object.get(), &status) == 0) {
      ino = status.st_ino;
      mode = status.st_mode;
      size = static_cast<uint64_t>(status.st_size);
      last_name = S_ISDIR(mode) || status.st_nlink == 1;
    }
  }
  bool exists() const { return object.valid(); }

  std::string name;
  UniqueFd directory, object;
  uint64_t directory_ino = 0, ino = 0, size = 0;
  mode_t mode = 0;
  bool last_name = false;
};

SmallEngine::SmallEngine(const std::string& root)
    : root_(root), root_fd_(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  struct stat status {};
  CHECK_EQ(fstat(root_fd_.get(), &status), 0);
  root_ino_ = status.st_ino;
}

int SmallEngine::root_fd() const {
  while (paused_.load()) usleep(1000);
  return root_fd_.get();
}

bool SmallEngine::before(const Place& place, bool goes) {
  if (!baseline_) return true;
  return baseline_->before_name(place.directory_ino, place.directory.get(), place.name, place.ino, place.object.get(), goes)
      .ok();
}

bool SmallEngine::born(const Place& place) {
  struct stat status {};
  CHECK_EQ(fstatat(place.directory.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW), 0);
  return !baseline_ || baseline_->born(status.st_ino).ok();
}

bool SmallEngine::write(const std::string& path, uint64_t offset, const std::string& data) {
  const std::lock_guard lock(mutex_);
  const UniqueFd fd(open((root_ + "/" + path).c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (baseline_ && !baseline_->before_data(status.st_ino, fd.get(), offset, data.size()).ok()) return false;
  return pwrite(fd.get(), data.data(), data.size(), static_cast<off_t>(offset)) == static_cast<ssize_t>(data.size());
}

bool SmallEngine::truncate(const std::string& path, uint64_t size) {
  const std::lock_guard lock(mutex_);
  const UniqueFd fd(open((root_ + "/" + path).c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  const auto old = static_cast<uint64_t>(status.st_size);
  if (baseline_ && !baseline_->before_data(status.st_ino, fd.get(), size, old > size ? old - size : 0).ok()) return false;
  return ftruncate(fd.get(), static_cast<off_t>(size)) == 0;
}

bool SmallEngine::create(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Place place(root_, path);
  if (!place.directory.valid() || place.exists() || !before(place, false)) return false;
  const UniqueFd made(openat(place.directory.get(), place.name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
  return made.valid() && born(place);
}

bool SmallEngine::mkdir(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Place place(root_, path);
  if (!place.directory.valid() || place.exists() || !before(place, false)) return false;
  return mkdirat(place.directory.get(), place.name.c_str(), 0755) == 0 && born(place);
}

bool SmallEngine::unlink(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Place place(root_, path);
  if (!place.exists() || S_ISDIR(place.mode) || !before(place, place.last_name)) return false;
  return unlinkat(place.directory.get(), place.name.c_str(), 0) == 0;
}

bool SmallEngine::rmdir(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Place place(root_, path);
  if (!place.exists() || !S_ISDIR(place.mode) || !before(place, true)) return false;
  return unlinkat(place.directory.get(), place.name.c_str(), AT_REMOVEDIR) == 0;
}

bool SmallEngine::rename(const std::string& from, const std::string& to, unsigned flags) {
  const std::lock_guard lock(mutex_);
  const Place source(root_, from), target(root_, to);
  if (!source.exists() || !target.directory.valid()) return false;
  if (!before(source, false) || !before(target, target.last_name && !(flags & RENAME_EXCHANGE))) return false;
  return renameat2(source.directory.get(), source.name.c_str(), target.directory.get(), target.name.c_str(), flags) == 0;
}

bool SmallEngine::link(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const Place source(root_, from), target(root_, to);
  if (!source.exists() || S_ISDIR(source.mode) || !target.directory.valid() || target.exists()) return false;
  if (baseline_ && !baseline_->before_attr(source.ino, source.object.get()).ok()) return false;
  if (!before(target, false)) return false;
  return linkat(source.directory.get(), source.name.c_str(), target.directory.get(), target.name.c_str(), 0) == 0;
}

bool SmallEngine::chmod(const std::string& path, mode_t mode) {
  const std::lock_guard lock(mutex_);
  const Place place(root_, path);
  if (!place.exists() || S_ISLNK(place.mode)) return false;
  if (baseline_ && !baseline_->before_attr(place.ino, place.object.get()).ok()) return false;
  return fchmodat(place.directory.get(), place.name.c_str(), mode, 0) == 0;
}

void SmallEngine::random_step(std::mt19937_64& random) {
  const auto below = [&random](uint64_t limit) { return random() % limit; };
  const auto directory = [&] {
    std::string path = "d" + std::to_string(below(6));
    if (below(3) == 0) path += "/sub";
    if (below(6) == 0) path += "/d" + std::to_string(below(6));
    return path;
  };
  const auto any = [&] {
    static const char* const kOthers[] = {"link", "pipe", "sub", "new", "deep", "hard"};
    return directory() + "/" + (below(3) ? "f" + std::to_string(below(12)) : kOthers[below(6)]);
  };
  const auto empty_and_remove = [&](const std::string& path) {
    for (const char* name : {"/deep", "/hard"}) unlink(path + name);
    rmdir(path);
  };
  switch (below(15)) {
    case 0: case 1: case 2: write(any(), below(350000), std::string(1 + below(150000), static_cast<char>('A' + below(26)))); break;
    case 3: truncate(any(), below(400000)); break;
    case 4: create(any()); break;
    case 5: mkdir(below(2) ? any() : directory()); break;
    case 6: case 7: unlink(any()); break;
    case 8: rmdir(any()); break;
    case 9: rename(any(), any()); break;
    case 10: rename(directory(), below(2) ? directory() : any()); break;
    case 11: rename(any(), any(), RENAME_EXCHANGE); break;
    case 12: link(any(), any()); break;
    case 13: empty_and_remove("d" + std::to_string(below(6)) + "/sub"); break;
    default: chmod(below(3) ? any() : directory(), 0700 | static_cast<mode_t>(below(64))); break;
  }
}

}  // namespace rewindfs::test

// Descriptors of objects: bounded, also while a whole tree is removed faster than the kernel forgets it.
#include "live/path_cache.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "harness.h"

namespace rewindfs::test {
namespace {

using live::PathCache;
using live::PathHolderPtr;

constexpr size_t kMost = 64;
constexpr int kObjects = 400;

struct Files {
  Files() : cache(kMost) {
    cache.set_anchor(UniqueFd(::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  }
  std::string name(int i) const { return directory.path() + "/f" + std::to_string(i); }
  PathHolderPtr make(int i) {
    UniqueFd(::open(name(i).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    return cache.hold(UniqueFd(::open(name(i).c_str(), O_PATH | O_CLOEXEC)));
  }

  TempDirectory directory;
  PathCache cache;
};

TEST("what was removed and is not forgotten takes a bounded number of descriptors") {
  Files files;
  const PathHolderPtr stays = files.make(kObjects);
  std::vector<PathHolderPtr> removed;
  for (int i = 0; i < kObjects; ++i) {
    removed.push_back(files.make(i));
    files.cache.keep_removed(removed.back());
    CHECK_EQ(::unlink(files.name(i).c_str()), 0);
  }
  CHECK(files.cache.open_count() <= kMost);
  struct stat found;
  CHECK_EQ(fstat(files.cache.open(stays).get(), &found), 0);
  CHECK_EQ(found.st_nlink, 1u);
  CHECK_EQ(fstat(files.cache.open(removed.back()).get(), &found), 0);
  CHECK_EQ(found.st_nlink, 0u);
}

TEST("what was removed and is still open is found again") {
  Files files;
  const PathHolderPtr first = files.make(kObjects);
  const UniqueFd open(::open(files.name(kObjects).c_str(), O_RDWR | O_CLOEXEC));
  files.cache.keep_removed(first);
  CHECK_EQ(::unlink(files.name(kObjects).c_str()), 0);
  std::vector<PathHolderPtr> removed;
  for (int i = 0; i < kObjects; ++i) {
    removed.push_back(files.make(i));
    files.cache.keep_removed(removed.back());
    CHECK_EQ(::unlink(files.name(i).c_str()), 0);
  }
  struct stat found, same;
  CHECK_EQ(fstat(files.cache.open(first).get(), &found), 0);
  CHECK_EQ(fstat(open.get(), &same), 0);
  CHECK(found.st_ino == same.st_ino);
}

}  // namespace
}  // namespace rewindfs::test

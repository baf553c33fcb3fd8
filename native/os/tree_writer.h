// Changes a directory tree by relative paths, safe against whoever changes it at the same time.
//
// Guarantees: nothing outside the tree is ever touched. The directory of each path is opened beneath the root without
// following a symlink or crossing into another mount; the last component is never followed either. A path is a list
// of plain names joined by '/' ("" and "." are the root itself); anything else ("..", "a//b", a NUL) is EINVAL. Devices and
// fifos are never opened. What was made by this writer gets its content, owner and mode only as long as it is that very object
// (ESTALE): nobody gets setuid, or a file of somebody else, by a swap of names. It counts as made until its times are set, which
// is the last that an object gets. One apply() at a time; descriptors are kept only within one batch.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "os/mutex.h"
#include "os/result.h"
#include "os/unique_fd.h"

namespace rewindfs {

struct TreeOp {
  enum class Kind {
    kMkdir, kCreate, kSymlink, kMknod, kLink, kUnlink, kRmdir, kRename, kWrite, kTruncate, kPunch, kChmod, kChown,
    kTimes, kSetxattr, kRemovexattr, kFsync,
  };
  Kind kind{};
  std::string path;
  std::string from;     // kLink, kRename: the other path; kSymlink: the target; kSetxattr, kRemovexattr: the name
  bool exchange = false;
  uint32_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t rdev = 0;    // (major << 32) | minor, as in the journal
  uint64_t offset = 0;  // kWrite, kPunch
  uint64_t length = 0;  // kPunch; kTruncate: the new size
  int64_t atime_ns = 0;
  int64_t mtime_ns = 0;
  std::span<const std::byte> data;  // kWrite, kSetxattr: borrowed until apply returns
};

class TreeWriter {
 public:
  static Result<std::unique_ptr<TreeWriter>> open(const char* path);

  // Applies in order, all of them; one errno (0 = done) for each. A mode is exact, whatever the umask.
  std::vector<int> apply(std::span<const TreeOp> ops) EXCLUDES(mutex_);

 private:
  struct Identity {
    dev_t device;
    ino_t inode;
    bool operator==(const Identity&) const = default;
  };
  struct Place {
    int dir;           // borrowed from parents_, valid until the next directory is looked up
    std::string name;  // "." for the root itself
  };

  explicit TreeWriter(UniqueFd root) : root_(std::move(root)) {}

  int apply_one(const TreeOp& op) REQUIRES(mutex_);
  int change_name(const TreeOp& op) REQUIRES(mutex_);
  int make(const TreeOp& op, const Place& place) REQUIRES(mutex_);
  int change_data(const TreeOp& op) REQUIRES(mutex_);
  int change_attributes(const TreeOp& op) REQUIRES(mutex_);
  int two_places(const TreeOp& op) REQUIRES(mutex_);

  Result<Place> place_of(std::string_view path) REQUIRES(mutex_);
  Result<int> directory(std::string_view path) REQUIRES(mutex_);
  Result<UniqueFd> object(const Place& place);  // O_PATH, not followed, on the same mount
  Result<UniqueFd> object_at(const std::string& path) REQUIRES(mutex_);  // the same, and still the one that was made there
  Result<int> file_for_writing(const std::string& path) REQUIRES(mutex_);
  void forget_names() REQUIRES(mutex_);
  void forget_made(const std::string& path) REQUIRES(mutex_);  // there and beneath

  Mutex mutex_;
  const UniqueFd root_;
  // What this batch holds open: directories by path, and the file that was last written.
  std::unordered_map<std::string, UniqueFd> parents_ GUARDED_BY(mutex_);
  std::string file_path_ GUARDED_BY(mutex_);
  UniqueFd file_ GUARDED_BY(mutex_);
  std::map<std::string, Identity> made_ GUARDED_BY(mutex_);
};

}  // namespace rewindfs

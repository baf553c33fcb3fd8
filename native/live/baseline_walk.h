// The background walk: every directory once, depth first. It takes no lock of the engine (see baseline.h) and waits for
// journal space only while it holds no lock at all.
#pragma once
#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "live/baseline_capture.h"
#include "live/baseline_state.h"
#include "os/unique_fd.h"

namespace rewindfs::live {

class BaselineWalk {
 public:
  BaselineWalk(journal::Recorder& recorder, BaselineCapture& capture, InodeStates& states, Moved& moved,
               const volatile bool& stopping)
      : recorder_(recorder), capture_(capture), states_(states), moved_(moved), stopping_(stopping) {}

  // ECANCELED when it was stopped, EIO when the journal cannot be written any more. kBaseEnd is the caller's.
  Result<void> run(int root_fd, uint64_t root_ino);
  // Room for one step, as soon as there is some: ECANCELED when the walk was stopped meanwhile.
  Result<journal::Reservation> reserve();

  uint64_t directories() const { return directories_.load(std::memory_order_relaxed); }
  uint64_t files() const { return files_.load(std::memory_order_relaxed); }

 private:
  struct Child {
    std::string name;
    uint64_t ino;
  };
  struct Frame {
    UniqueFd fd;
    uint64_t ino;
    std::vector<Child> directories;  // still to be entered
  };
  struct Entry {
    const char* name;
    uint64_t ino;
    unsigned char type;
  };

  Result<void> pass(int root_fd, uint64_t root_ino, bool search);
  Result<void> visit(Frame& frame, bool search);
  Result<void> visit_entry(Frame& frame, BaseInode& directory, std::span<ExpectedEntry> expected, const Entry& entry);
  Result<void> absent_below();
  void leave_out(uint64_t ino);
  Result<void> visit_absent(uint64_t ino, BaseInode& directory, std::span<ExpectedEntry> expected);
  Result<void> search_entry(Frame& frame, const Entry& entry);
  // The object that a name leads to, after its attributes were captured; no state when nothing is left to do for it.
  struct Object {
    std::shared_ptr<BaseInode> state;
    UniqueFd content;  // open when there is something to read
  };
  Result<void> visit_name(const Frame& frame, BaseInode& directory, const char* name, uint64_t ino, bool expected,
                          const journal::Attr& attr, const Object& object);
  Result<Object> capture_node(const Frame& frame, const char* name, const struct statx& status);
  Result<void> capture_content(const Object& object, uint64_t ino);
  template <typename Visitor>
  Result<void> list(int fd, uint64_t ino, Visitor visitor);
  Result<void> reserved_gap(std::string_view what, uint64_t ino, int error, uint64_t directory = 0,
                            std::string_view name = {});
  bool stopping() const { return __atomic_load_n(&stopping_, __ATOMIC_RELAXED); }

  journal::Recorder& recorder_;
  BaselineCapture& capture_;
  InodeStates& states_;
  Moved& moved_;
  const volatile bool& stopping_;
  uint64_t device_ = 0;
  InodeSet left_out_;  // directories of history that could not be read
  std::vector<char> listing_;
  std::atomic<uint64_t> directories_{0};
  std::atomic<uint64_t> files_{0};
};

}  // namespace rewindfs::live

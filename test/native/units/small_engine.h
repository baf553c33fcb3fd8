// Does to a plain directory what the engine does to the backing one: under a lock it calls the baseline's hooks, then
// applies the change. Every operation answers whether it was applied.
#pragma once
#include <atomic>
#include <mutex>
#include <random>
#include <string>

#include "live/baseline.h"
#include "os/unique_fd.h"

namespace rewindfs::test {

class SmallEngine final : public live::TreeAccess {
 public:
  explicit SmallEngine(const std::string& root);
  void attach(live::Baseline& baseline) { baseline_ = &baseline; }
  // Holds the walk at its very beginning.
  void pause_walk() { paused_.store(true); }
  void resume_walk() { paused_.store(false); }

  int root_fd() const override;
  uint64_t root_ino() const override { return root_ino_; }

  bool write(const std::string& path, uint64_t offset, const std::string& data);
  bool truncate(const std::string& path, uint64_t size);
  bool create(const std::string& path);
  bool mkdir(const std::string& path);
  bool unlink(const std::string& path);
  bool rmdir(const std::string& path);
  bool rename(const std::string& from, const std::string& to, unsigned flags = 0);
  bool link(const std::string& from, const std::string& to);
  bool chmod(const std::string& path, mode_t mode);
  // One operation on a path of make_sample_tree's, or one near it.
  void random_step(std::mt19937_64& random);

 private:
  struct Place;
  bool before(const Place& place, bool goes);
  bool born(const Place& place);

  std::string root_;
  UniqueFd root_fd_;
  uint64_t root_ino_ = 0;
  live::Baseline* baseline_ = nullptr;
  std::mutex mutex_;
  std::atomic<bool> paused_{false};
};

}  // namespace rewindfs::test

// Writes base records. It decides what of an inode history lacks; who may ask, and when, is the callers' affair.
//
// The caller holds a reservation of kStepPayloadBytes and kStepRecords for each call, and the inode's lock. A failure
// comes from the journal (or from statx(2) of a valid descriptor); content that cannot be read becomes a gap instead.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "journal/recorder.h"
#include "live/baseline_expected.h"
#include "live/baseline_state.h"
#include "os/result.h"

namespace rewindfs::live {

class BaselineCapture {
 public:
  static constexpr uint64_t kStepPayloadBytes = journal::kMaxPayloadBytes;
  static constexpr unsigned kStepRecords = 4;

  // excluded: the content of the file behind the descriptor, which has so many names, is left out by the policy.
  using Excluded = std::function<bool(int fd, uint32_t nlink)>;

  explicit BaselineCapture(journal::Recorder& recorder) : recorder_(recorder) {}
  void exclude(Excluded excluded) { excluded_ = std::move(excluded); }

  Expected& expected() { return expected_; }
  // The first walk of all, which began at this time (ns since the epoch), was cut short: this one goes on with it. What
  // was not changed since is recorded as what was there then (kInitial), everything else as first seen now.
  void go_on(int64_t since_ns) { since_ns_ = since_ns; }
  // The expectations are sealed. Before, history may hold anything: everything is captured.
  void start();
  bool started() const { return started_.load(std::memory_order_acquire); }
  bool remount() const { return remount_.load(std::memory_order_relaxed); }

  // readable: its content, if it has any. What cannot be read, as history knows, is nothing new.
  Result<void> node(BaseInode& inode, uint64_t ino, int fd, bool readable = true) REQUIRES(inode.mutex);
  // The next piece of [begin, end) that is not captured yet, at most kMaxPayloadBytes of data or a hole of any length;
  // begin is a multiple of kBlockBytes. Resolves to where to go on.
  Result<uint64_t> content_step(BaseInode& inode, uint64_t ino, int fd, uint64_t begin, uint64_t end)
      REQUIRES(inode.mutex);
  // An object as this mount found it.
  struct Found {
    uint64_t ino;
    journal::Attr attr;
  };
  // differs: history is known to hold something else there. After the child's node(): the name may lead to a new object
  // of an old inode number.
  Result<void> name(const Found& directory, std::string_view name, const Found& child, bool differs);
  Result<void> absent(uint64_t directory, std::string_view name);
  // Content that cannot be read: what the file holds is not known, and nothing more of it is read.
  Result<void> unreadable(BaseInode& inode, uint64_t ino, int error, uint64_t directory = 0, std::string_view name = {})
      REQUIRES(inode.mutex);
  // Something that could not be captured, and why.
  Result<void> gap(std::string_view what, uint64_t ino, int error, uint64_t directory = 0, std::string_view name = {});
  Result<void> end();

  uint64_t differences() const { return differences_.load(std::memory_order_relaxed); }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  Result<void> append(const journal::Draft& draft);
  Result<void> append_difference(journal::Draft& draft, uint16_t flags = 0);
  Result<void> append_data(BaseInode& inode, uint64_t ino, uint64_t begin, uint64_t end, std::span<const std::byte> bytes)
      REQUIRES(inode.mutex);
  bool is_old(const journal::Attr& attr) const;
  bool is_untouched(const Found& found) const;
  bool was_there(const Found& found) const;
  Result<void> data(BaseInode& inode, uint64_t ino, int fd, uint64_t begin, uint64_t end) REQUIRES(inode.mutex);

  journal::Recorder& recorder_;
  Excluded excluded_ = [](int, uint32_t) { return false; };
  Expected expected_;
  std::atomic<bool> started_{false};
  std::atomic<bool> remount_{false};
  int64_t since_ns_ = 0;  // 0: there is no walk to go on with
  std::atomic<uint64_t> differences_{0};
  std::atomic<uint64_t> bytes_{0};
};

}  // namespace rewindfs::live

// A Recorder that keeps records in memory, as the tests want to see them.
#pragma once
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "journal/recorder.h"

namespace rewindfs::test {

struct Kept {
  journal::Kind kind;
  uint16_t flags;
  uint64_t ino, parent, offset, length;
  bool has_attr;
  journal::Attr attr;
  std::string name, payload;
};

class MemoryRecorder final : public journal::Recorder {
 public:
  Result<journal::Reservation> reserve(uint64_t, unsigned, const volatile bool*) override {
    if (on_reserve) on_reserve();
    const std::lock_guard lock(mutex_);
    if (const int error = fail_reserve) return Errno{error};
    return journal::Reservation();
  }
  Result<uint64_t> append(const journal::Draft& draft) override {
    const std::lock_guard lock(mutex_);
    if (in_gap) return journal::kUnrecorded;
    Kept kept{draft.kind, draft.flags, draft.ino, draft.parent, draft.offset, draft.length, draft.attr != nullptr, {},
              std::string(draft.name),
              std::string(reinterpret_cast<const char*>(draft.payload.data()), draft.payload.size())};
    if (draft.attr) kept.attr = *draft.attr;
    records_.push_back(std::move(kept));
    return records_.size();
  }
  journal::Gap gap() override { return {ENOSPC, 1, 3}; }
  Result<uint64_t> resume(const journal::Draft& first) override {
    if (on_resume) on_resume();
    in_gap = false;
    return append(first);
  }
  Result<void> sync() override { return {}; }
  void begin_sync() override {}

  std::vector<Kept> records() {
    const std::lock_guard lock(mutex_);
    return records_;
  }
  size_t count(journal::Kind kind) {
    const std::lock_guard lock(mutex_);
    size_t count = 0;
    for (const Kept& kept : records_) count += kept.kind == kind;
    return count;
  }
  std::atomic<int> fail_reserve{0};
  std::atomic<bool> in_gap{false};
  std::function<void()> on_resume;  // between two changes
  // Called on whatever thread reserves: what it does happens between two steps of the walk.
  std::function<void()> on_reserve;

 private:
  void give_back(uint64_t) override {}
  std::mutex mutex_;
  std::vector<Kept> records_;
};

}  // namespace rewindfs::test

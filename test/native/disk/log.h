// The log of all that was written to the disks, in the order in which it came.
//
// Guarantee: an entry is in the log before the request that it tells of is answered. A flush has the time of its answer:
// what was acknowledged because of it was acknowledged later. test/crash/support/disk-log.ts reads the same layout.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "os/unique_fd.h"

namespace rewindfs::disk {

enum class Kind : uint16_t { kWrite = 1, kFlush = 2 };

struct Entry {
  uint64_t time_ns;  // CLOCK_MONOTONIC
  uint64_t offset;
  uint32_t bytes;  // of data, which follows
  uint16_t disk;
  Kind kind;
};
static_assert(sizeof(Entry) == 24);

class Log {
 public:
  explicit Log(const std::string& path);
  void add(Kind kind, uint16_t disk, uint64_t offset, std::span<const std::byte> data);

 private:
  UniqueFd fd_;
};

}  // namespace rewindfs::disk

// What history holds as the live state, to compare the tree with: one entry a name, about 120 bytes each with its name.
//
// Filled by add() before seal(), from one thread at a time; read-only afterwards but for `seen`, which the walk owns.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "journal/format.h"

namespace rewindfs::live {

struct ExpectedEntry {
  uint64_t parent;
  uint64_t ino;
  uint64_t size;
  int64_t mtime_s;
  int64_t ctime_s;
  uint32_t mtime_ns;
  uint32_t ctime_ns;
  uint32_t mode;
  uint32_t uid;
  uint32_t gid;
  uint32_t nlink;
  uint64_t name_offset;
  uint32_t name_bytes;
  bool uncaptured;  // history knows its attributes, not its content
  bool seen;  // the walk found the name, with whatever inode

  // Nothing about the object changed: ctime, which no program can set, says so.
  bool same(const journal::Attr& attr) const;
};

class Expected {
 public:
  // Entries as lib/native.ts Engine.expect packs them. false: cut or malformed.
  bool add(std::span<const std::byte> packed);
  void seal();
  void clear();

  bool empty() const { return entries_.empty(); }
  std::span<ExpectedEntry> directory(uint64_t ino);  // sorted by name
  std::span<const ExpectedEntry> all() const { return entries_; }
  ExpectedEntry* find(std::span<ExpectedEntry> directory, std::string_view name) const;
  const ExpectedEntry* find(uint64_t ino) const;  // any of its names
  std::string_view name(const ExpectedEntry& entry) const { return {names_.data() + entry.name_offset, entry.name_bytes}; }

 private:
  std::vector<ExpectedEntry> entries_;  // by parent, then name
  std::vector<uint32_t> by_ino_;        // indices of entries_
  std::vector<char> names_;
};

}  // namespace rewindfs::live

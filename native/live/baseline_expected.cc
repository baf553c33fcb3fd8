#include "live/baseline_expected.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace rewindfs::live {
namespace {

// The fixed part of a packed entry, without padding: see lib/native.ts Engine.expect.
constexpr size_t kPackedBytes = 8 + 8 + 4 * 4 + 8 + (8 + 4) * 2 + 4;

constexpr uint32_t kUncapturedBit = 1u << 31;  // in the mode

template <typename T>
void take(const std::byte*& from, T& to) {
  std::memcpy(&to, from, sizeof to);
  from += sizeof to;
}

}  // namespace

bool ExpectedEntry::same(const journal::Attr& attr) const {
  return mode == attr.mode && uid == attr.uid && gid == attr.gid && nlink == attr.nlink && size == attr.size &&
         mtime_s == attr.mtime_s && mtime_ns == attr.mtime_ns && ctime_s == attr.ctime_s && ctime_ns == attr.ctime_ns;
}

bool Expected::add(std::span<const std::byte> packed) {
  while (!packed.empty()) {
    if (packed.size() < kPackedBytes) return false;
    ExpectedEntry entry{};
    const std::byte* at = packed.data();
    take(at, entry.parent);
    take(at, entry.ino);
    take(at, entry.mode);
    take(at, entry.uid);
    take(at, entry.gid);
    take(at, entry.nlink);
    take(at, entry.size);
    take(at, entry.mtime_s);
    take(at, entry.mtime_ns);
    take(at, entry.ctime_s);
    take(at, entry.ctime_ns);
    take(at, entry.name_bytes);
    entry.uncaptured = entry.mode & kUncapturedBit;
    entry.mode &= ~kUncapturedBit;
    if (packed.size() - kPackedBytes < entry.name_bytes) return false;
    entry.name_offset = names_.size();
    const auto* name = reinterpret_cast<const char*>(at);
    names_.insert(names_.end(), name, name + entry.name_bytes);
    entries_.push_back(entry);
    packed = packed.subspan(kPackedBytes + entry.name_bytes);
  }
  return true;
}

void Expected::seal() {
  std::sort(entries_.begin(), entries_.end(), [this](const ExpectedEntry& a, const ExpectedEntry& b) {
    return a.parent != b.parent ? a.parent < b.parent : name(a) < name(b);
  });
  by_ino_.resize(entries_.size());
  std::iota(by_ino_.begin(), by_ino_.end(), 0);
  std::sort(by_ino_.begin(), by_ino_.end(),
            [this](uint32_t a, uint32_t b) { return entries_[a].ino < entries_[b].ino; });
}

void Expected::clear() { *this = Expected(); }

std::span<ExpectedEntry> Expected::directory(uint64_t ino) {
  const auto first = std::lower_bound(entries_.begin(), entries_.end(), ino,
                                      [](const ExpectedEntry& e, uint64_t value) { return e.parent < value; });
  const auto last = std::upper_bound(first, entries_.end(), ino,
                                     [](uint64_t value, const ExpectedEntry& e) { return value < e.parent; });
  return {first, last};
}

ExpectedEntry* Expected::find(std::span<ExpectedEntry> entries, std::string_view wanted) const {
  const auto found = std::lower_bound(entries.begin(), entries.end(), wanted,
                                      [this](const ExpectedEntry& e, std::string_view value) { return name(e) < value; });
  return found != entries.end() && name(*found) == wanted ? &*found : nullptr;
}

const ExpectedEntry* Expected::find(uint64_t ino) const {
  const auto found = std::lower_bound(by_ino_.begin(), by_ino_.end(), ino,
                                      [this](uint32_t index, uint64_t value) { return entries_[index].ino < value; });
  return found != by_ino_.end() && entries_[*found].ino == ino ? &entries_[*found] : nullptr;
}

}  // namespace rewindfs::live

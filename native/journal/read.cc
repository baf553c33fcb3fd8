// Reading and releasing: what the extractor does while others append.
#include <algorithm>

#include "journal/journal.h"

namespace rewindfs::journal {

Outcome<Journal::Place> Journal::find_place(uint64_t seq) {
  Place place;
  uint64_t cursor_seq = 0;
  {
    const MutexLock lock(mutex_);
    if (segments_.empty() || seq > last_seq_.load(std::memory_order_relaxed)) return place;
    if (seq < segments_.front()->first_seq) {
      return Failure{ENODATA, "read", options_.directory, "ERR_HISTORY_BEHIND",
                     "record " + std::to_string(seq) + " was asked for, the journal begins with " +
                         std::to_string(segments_.front()->first_seq)};
    }
    auto after = std::upper_bound(segments_.begin(), segments_.end(), seq,
                                  [](uint64_t value, const SegmentPtr& s) { return value < s->first_seq; });
    place.segment = *std::prev(after);
    place.end = place.segment->end;
    cursor_seq = cursor_seq_;
    const std::vector<Mark>& marks = place.segment->marks;
    const auto mark = std::upper_bound(marks.begin(), marks.end(), seq,
                                       [](uint64_t value, const Mark& m) { return value < m.seq; });
    place.seq = std::prev(mark)->seq;
    place.offset = std::prev(mark)->offset;
    if (cursor_seq == seq && cursor_segment_ == place.segment->first_seq) {
      place.seq = seq;
      place.offset = cursor_offset_;
    }
  }
  if (place.seq == seq) return place;
  const auto scanned = scan_records(io_, *place.segment, place.offset, place.seq, place.end,
                                    [seq](const RecordHead& head, auto, uint64_t) { return head.seq != seq; });
  if (!scanned.ok()) return scanned.failure();
  if (const ScanEnd& end = *const_cast<Outcome<ScanEnd>&>(scanned); end.next_seq != seq) {
    return corrupt_record(*place.segment, end.offset, end.next_seq);
  } else {
    place.seq = seq;
    place.offset = end.offset;
  }
  return place;
}

Outcome<std::vector<std::byte>> Journal::read(uint64_t from_seq, uint64_t max_bytes) {
  Outcome<Place> found = find_place(from_seq);
  if (!found.ok()) return found.failure();
  const Place& place = *found;
  std::vector<std::byte> bytes;
  if (!place.segment) return bytes;

  const uint64_t rest = place.end - place.offset;
  size_t whole = 0;
  uint64_t seq = from_seq;
  uint64_t want = std::min<uint64_t>(rest, std::max<uint64_t>(max_bytes, sizeof(RecordHead)));
  while (true) {
    const size_t have = bytes.size();
    bytes.resize(want);
    const auto got = read_all(io_, place.segment->fd.get(), bytes.data() + have, want - have, place.offset + have);
    if (!got.ok()) {
      return Failure{got.error(), "read", place.segment->path, {}, {}, static_cast<int64_t>(place.offset + have)};
    }
    Parsed parsed{};
    while (whole < bytes.size()) {
      parsed = parse_record(std::span<const std::byte>(bytes).subspan(whole));
      if (parsed.found != Found::kRecord || parsed.head.seq != seq) break;
      whole += parsed.head.size;
      ++seq;
    }
    if (whole == bytes.size() || (parsed.found == Found::kShort && whole > 0)) break;
    if (parsed.found != Found::kShort || want >= rest) {
      return corrupt_record(*place.segment, place.offset + whole, seq);
    }
    want = std::min<uint64_t>(rest, parsed.head.size);
    if (want <= bytes.size()) return corrupt_record(*place.segment, place.offset + whole, seq);
  }
  bytes.resize(whole);
  const MutexLock lock(mutex_);
  cursor_seq_ = seq;
  cursor_offset_ = place.offset + whole;
  cursor_segment_ = place.segment->first_seq;
  return bytes;
}

Failure Journal::corrupt_record(const Segment& segment, uint64_t offset, uint64_t seq) {
  const MutexLock lock(mutex_);
  return {EBADMSG, "read", segment.path, "ERR_JOURNAL_CORRUPT",
          "record " + std::to_string(seq) + " was expected, what lies there is not a whole record with its checksums",
          static_cast<int64_t>(offset)};
}

Outcome<Done> Journal::release(uint64_t seq) {
  if (options_.read_only) return Done{};  // who only looks deletes nothing; the next mount releases it again
  {
    const MutexLock lock(mutex_);
    if (segments_.empty()) return Failure{ESHUTDOWN, "release", options_.directory};
    const uint64_t last = last_seq_.load(std::memory_order_relaxed);
    released_seq_ = std::max(released_seq_, std::min(seq, last));
    uint64_t released = appended_bytes_.load(std::memory_order_relaxed);
    if (released_seq_ < last) {
      for (const SegmentPtr& segment : segments_) {
        if (segment->first_seq > released_seq_ + 1) break;
        released = segment->base;
        for (const Mark& mark : segment->marks) {
          if (mark.seq <= released_seq_ + 1) released = segment->base + mark.offset - sizeof(SegmentHead);
        }
      }
    }
    released_bytes_.store(std::max(released, released_bytes_.load()));
    room_cv_.notify_all();
  }
  return delete_released();
}

// Oldest first, so that what is left is always without a gap; a segment whose successor has no name yet stays.
Outcome<Done> Journal::delete_released() {
  std::vector<SegmentPtr> gone;
  {
    const MutexLock lock(mutex_);
    while (segments_.size() > 1 && segments_[0]->named && segments_[1]->named &&
           segments_[1]->first_seq <= released_seq_ + 1) {
      gone.push_back(segments_.front());
      segments_.pop_front();
    }
  }
  for (const SegmentPtr& segment : gone) {
    if (const auto removed = io_.unlink(segment->path); !removed.ok()) {
      return Failure{removed.error(), "unlink", segment->path};
    }
  }
  return Done{};
}

Stats Journal::stats() {
  const MutexLock lock(mutex_);
  const uint64_t last = last_seq();
  return {segments_.empty() ? last + 1 : segments_.front()->first_seq,
          last,
          released_seq_,
          synced_seq(),
          segments_.size(),
          backlog_bytes(),
          options_.backlog_hard_bytes,
          appended_bytes_.load() - opened_bytes_,
          syncs_.load(),
          free_bytes_.load(),
          poisoned_.load(),
          refused_,
          gap_};
}

}  // namespace rewindfs::journal

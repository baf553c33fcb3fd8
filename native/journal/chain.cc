#include "journal/chain.h"

#include <algorithm>

#include "journal/search.h"

namespace rewindfs::journal {
namespace {

using SegmentPtr = std::shared_ptr<Segment>;

Failure corrupt(const Segment& segment, uint64_t offset, std::string detail) {
  return {EBADMSG, "open", segment.path, "ERR_JOURNAL_CORRUPT", std::move(detail), static_cast<int64_t>(offset)};
}

void sort_by_seq(std::vector<SegmentPtr>& segments) {
  std::sort(segments.begin(), segments.end(),
            [](const SegmentPtr& a, const SegmentPtr& b) { return a->first_seq < b->first_seq; });
}

struct Files {
  std::vector<SegmentPtr> named, spares;
  std::vector<std::string> unused;
};

Outcome<Files> open_files(FileIo& io, const std::string& directory, const StoreId& store, int flags) {
  const auto names = io.list(directory);
  if (!names.ok()) return Failure{names.error(), "opendir", directory};
  Files files;
  for (const std::string& name : *names) {
    const std::string path = directory + "/" + name;
    uint64_t first_seq = 0;
    const bool named = parse_segment_name(name, first_seq);
    if (!named && !is_spare_name(name)) continue;
    auto segment = open_segment(io, path, store, flags);
    if (!segment.ok() && !named && segment.failure().code == "ERR_JOURNAL_CORRUPT") {
      files.unused.push_back(path);
      continue;
    }
    if (!segment.ok()) return segment.failure();
    if (named && (*segment)->first_seq != first_seq) {
      return corrupt(**segment, 32, "the segment's head says first seq " + std::to_string((*segment)->first_seq) +
                                        ", its name says another");
    }
    (*segment)->named = named;
    (named ? files.named : files.spares).push_back(std::move(*segment));
  }
  sort_by_seq(files.named);
  sort_by_seq(files.spares);
  return files;
}

// How far the segment's records go on; whole ones that come later are stranded.
Outcome<ScanEnd> scan_segment(FileIo& io, Segment& segment, uint64_t wanted_seq, Stranded& stranded) {
  const Result<uint64_t> size = io.size(segment.fd.get());
  if (!size.ok()) return Failure{size.error(), "fstat", segment.path};
  const uint64_t limit = std::min(*size, kSegmentBytes);
  segment.mark(segment.first_seq, sizeof(SegmentHead));
  ScanEnd end{sizeof(SegmentHead), segment.first_seq, segment.created_ns, Found::kEnd};
  for (Later from{segment.first_seq, sizeof(SegmentHead)}; from.seq != 0;) {
    auto scanned = scan_records(io, segment, from.offset, from.seq, limit, [&](const RecordHead& head, auto, uint64_t at) {
      if (stranded.first_seq == 0) segment.mark(head.seq, at);
      return true;
    });
    if (!scanned.ok()) return scanned.failure();
    if (scanned->last_time_ns == 0) scanned->last_time_ns = end.last_time_ns;
    if (stranded.first_seq == 0) end = *scanned;
    else stranded.last_seq = scanned->next_seq - 1;
    auto later = find_later(io, segment, *scanned, limit);
    if (!later.ok()) return later.failure();
    from = *later;
    if (from.seq == 0 || stranded.first_seq != 0) continue;
    if (from.seq > wanted_seq) stranded.first_seq = from.seq;
    else segment.marks.push_back({from.seq, from.offset});
  }
  segment.end = end.offset;
  return end;
}

std::string break_before(const ScanEnd& end, uint64_t next_seq) {
  const std::string missing = std::to_string(end.next_seq);
  return (end.found == Found::kBroken
              ? "record " + missing + " is damaged, and the journal goes on with record "
              : "the segment ends before record " + missing + ", the next one begins with record ") +
         std::to_string(next_seq);
}

}  // namespace

Outcome<Chain> read_chain(FileIo& io, const std::string& directory, const StoreId& store, uint64_t wanted_seq,
                          int flags) {
  auto files = open_files(io, directory, store, flags);
  if (!files.ok()) return files.failure();
  Chain chain{{}, {sizeof(SegmentHead), wanted_seq, 0, Found::kEnd}, {}, std::move(files->unused), {}};
  const auto follows = [&chain, wanted_seq](const Segment& segment) {
    const uint64_t missing = chain.end.next_seq;
    return chain.stranded.first_seq == 0 &&
           (segment.first_seq == missing || (segment.first_seq > missing && segment.first_seq <= wanted_seq));
  };
  const auto take = [&](SegmentPtr& segment) -> Outcome<Done> {
    auto scanned = scan_segment(io, *segment, wanted_seq, chain.stranded);
    if (!scanned.ok()) return scanned.failure();
    scanned->last_time_ns = std::max(scanned->last_time_ns, chain.end.last_time_ns);
    chain.end = *scanned;
    chain.segments.push_back(std::move(segment));
    return Done{};
  };
  for (SegmentPtr& segment : files->named) {
    if (!chain.segments.empty() && !follows(*segment)) {
      return corrupt(*chain.segments.back(), chain.end.offset, break_before(chain.end, segment->first_seq));
    }
    if (const auto taken = take(segment); !taken.ok()) return taken.failure();
  }
  // A spare that was already written to goes on where the last segment ends: the process was killed before it could be
  // named. Behind a break it was never promised to anyone.
  for (SegmentPtr& spare : files->spares) {
    if (follows(*spare)) {
      if (const auto taken = take(spare); !taken.ok()) return taken.failure();
      continue;
    }
    if (chain.stranded.first_seq == 0) chain.stranded.first_seq = spare->first_seq;
    chain.stranded.last_seq = std::max(chain.stranded.last_seq, spare->first_seq);
    chain.cut_off.push_back(spare->path);
  }
  return chain;
}

}  // namespace rewindfs::journal

// Opening and closing: finds the segments, checks every record, cuts the torn tail of a crash. Until all is known to be
// right, nothing is changed.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "journal/journal.h"

namespace rewindfs::journal {
namespace {

Failure corrupt(const Segment& segment, uint64_t offset, std::string detail) {
  return {EBADMSG, "open", segment.path, "ERR_JOURNAL_CORRUPT", std::move(detail), static_cast<int64_t>(offset)};
}

Outcome<ScanEnd> scan_whole(FileIo& io, Segment& segment) {
  const Result<uint64_t> size = io.size(segment.fd.get());
  if (!size.ok()) return Failure{size.error(), "fstat", segment.path};
  auto end = scan_records(io, segment, sizeof(SegmentHead), segment.first_seq, std::min(*size, kSegmentBytes),
                          [&segment](const RecordHead& head, auto, uint64_t offset) {
                            segment.mark(head.seq, offset);
                            return true;
                          });
  if (end.ok()) {
    segment.end = end->offset;
    if (end->last_time_ns == 0) end->last_time_ns = segment.created_ns;
  }
  return end;
}

}  // namespace

Journal::Journal(Options options, FileIo& io) : options_(std::move(options)), io_(io) {}

Journal::~Journal() { (void)close(); }

Outcome<Opened> Journal::open() {
  if (!options_.read_only && mkdir(options_.directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Failure{errno, "mkdir", options_.directory};
  }
  std::vector<std::string> leftovers;
  auto chain = find_segments(leftovers);
  if (!chain.ok()) return chain.failure();
  auto end = check_chain(*chain);
  if (!end.ok()) return end.failure();
  const auto taken = take_spares(*chain, *end, leftovers);
  if (!taken.ok()) return taken.failure();

  // History got further than what reached the disk before the machine stopped: all that is left here is in it.
  if (end->next_seq < options_.next_seq) {
    for (const SegmentPtr& segment : *chain) leftovers.push_back(segment->path);
    chain->clear();
    *end = {sizeof(SegmentHead), options_.next_seq, end->last_time_ns, Found::kEnd};
  }
  uint64_t cut = 0;
  if (!options_.read_only) {
    if (!chain->empty()) {
      const auto tail = cut_tail(*chain->back(), end->offset);
      if (!tail.ok()) return tail.failure();
      cut = *const_cast<Outcome<uint64_t>&>(tail);
    }
    for (const std::string& path : leftovers) {
      if (const auto removed = io_.unlink(path); !removed.ok()) return Failure{removed.error(), "unlink", path};
    }
    if (chain->empty()) {
      auto first = start_segment(end->next_seq, end->last_time_ns);
      if (!first.ok()) return first.failure();
      chain->push_back(*first);
    }
  }
  return adopt(std::move(*chain), *end, cut);
}

// Those with a name, in order; the paths of spares go to `leftovers`.
Outcome<std::vector<Journal::SegmentPtr>> Journal::find_segments(std::vector<std::string>& leftovers) {
  const auto names = io_.list(options_.directory);
  if (!names.ok()) return Failure{names.error(), "opendir", options_.directory};
  std::vector<SegmentPtr> chain;
  for (const std::string& name : *names) {
    const std::string path = options_.directory + "/" + name;
    uint64_t first_seq = 0;
    if (is_spare_name(name)) leftovers.push_back(path);
    if (!parse_segment_name(name, first_seq)) continue;
    auto segment = open_segment(io_, path, options_.store_id, options_.read_only ? O_RDONLY : O_RDWR);
    if (!segment.ok()) return segment.failure();
    if ((*segment)->first_seq != first_seq) {
      return corrupt(**segment, 32, "the segment's head says first seq " + std::to_string((*segment)->first_seq) +
                                        ", its name says another");
    }
    (*segment)->named = true;
    chain.push_back(std::move(*segment));
  }
  std::sort(chain.begin(), chain.end(),
            [](const SegmentPtr& a, const SegmentPtr& b) { return a->first_seq < b->first_seq; });
  return chain;
}

Outcome<ScanEnd> Journal::check_chain(const std::vector<SegmentPtr>& named) {
  ScanEnd end{sizeof(SegmentHead), options_.next_seq, 0, Found::kEnd};
  for (size_t i = 0; i < named.size(); ++i) {
    if (i > 0 && named[i]->first_seq != end.next_seq) {
      return corrupt(*named[i - 1], end.offset,
                     (end.found == Found::kBroken ? "record " + std::to_string(end.next_seq) +
                                                        " is damaged, and the journal goes on with record "
                                                  : "the segment ends before record " + std::to_string(end.next_seq) +
                                                        ", the next one begins with record ") +
                         std::to_string(named[i]->first_seq));
    }
    auto scanned = scan_whole(io_, *named[i]);
    if (!scanned.ok()) return scanned.failure();
    end = *scanned;
  }
  return end;
}

// A spare that was already written to belongs to the journal when it goes on exactly where the last one ends: the
// process was killed before it could be named. Any other was never promised to anyone. Takes the former out of
// `leftovers`; resolves to their number.
Outcome<uint64_t> Journal::take_spares(std::vector<SegmentPtr>& chain, ScanEnd& end,
                                       std::vector<std::string>& leftovers) {
  std::vector<SegmentPtr> spares;
  for (const std::string& path : leftovers) {
    auto spare = open_segment(io_, path, options_.store_id, options_.read_only ? O_RDONLY : O_RDWR);
    if (spare.ok()) {
      spares.push_back(std::move(*spare));
    } else if (spare.failure().code != "ERR_JOURNAL_CORRUPT") {
      return spare.failure();
    }
  }
  std::sort(spares.begin(), spares.end(),
            [](const SegmentPtr& a, const SegmentPtr& b) { return a->first_seq < b->first_seq; });
  uint64_t taken = 0;
  for (const SegmentPtr& spare : spares) {
    if (end.found != Found::kEnd || spare->first_seq != end.next_seq) break;
    const uint64_t time_before = end.last_time_ns;
    auto scanned = scan_whole(io_, *spare);
    if (!scanned.ok()) return scanned.failure();
    end = *scanned;
    end.last_time_ns = std::max(end.last_time_ns, time_before);
    std::erase(leftovers, spare->path);
    chain.push_back(spare);
    ++taken;
  }
  return taken;
}

// Zeroes everything behind the last whole record; resolves to the bytes that were not zero there.
Outcome<uint64_t> Journal::cut_tail(Segment& newest, uint64_t end) {
  const auto fail = [&newest](int error, const char* call, uint64_t offset) {
    return Failure{error, call, newest.path, {}, {}, static_cast<int64_t>(offset)};
  };
  if (const auto allocated = io_.allocate(newest.fd.get(), kSegmentBytes); !allocated.ok()) {
    return fail(allocated.error(), "fallocate", 0);
  }
  std::vector<std::byte> buffer(1u << 20);
  const std::vector<std::byte> zeroes(buffer.size());
  uint64_t last_used = end;
  for (uint64_t at = end; at < kSegmentBytes;) {
    const Result<uint64_t> data = io_.next_data(newest.fd.get(), at);
    if (!data.ok()) return fail(data.error(), "lseek", at);
    if (*data >= kSegmentBytes) break;
    at = std::max(at, *data);
    const size_t bytes = std::min<uint64_t>(buffer.size(), kSegmentBytes - at);
    if (const auto got = read_all(io_, newest.fd.get(), buffer.data(), bytes, at); !got.ok()) {
      return fail(got.error(), "read", at);
    }
    size_t used = bytes;
    while (used > 0 && buffer[used - 1] == std::byte{0}) --used;
    if (used > 0) {
      last_used = at + used;
      iovec part{const_cast<std::byte*>(zeroes.data()), used};
      if (const auto written = write_all(io_, newest.fd.get(), &part, 1, at); !written.ok()) {
        return fail(written.error(), "write", at);
      }
    }
    at += bytes;
  }
  if (last_used > end) {
    if (const auto synced = io_.fdatasync(newest.fd.get()); !synced.ok()) return fail(synced.error(), "fdatasync", end);
  }
  return last_used - end;
}

Outcome<Journal::SegmentPtr> Journal::start_segment(uint64_t first_seq, uint64_t last_time_ns) {
  auto segment = create_spare(io_, options_.directory + "/spare-0");
  if (!segment.ok()) return segment.failure();
  const MutexLock lock(mutex_);
  last_time_ns_ = last_time_ns;
  if (const auto written = write_head(io_, **segment, options_.store_id, first_seq, now_ns()); !written.ok()) {
    return Failure{written.error(), "write", (*segment)->path, {}, {}, 0};
  }
  return segment;
}

Outcome<Opened> Journal::adopt(std::vector<SegmentPtr> chain, const ScanEnd& end, uint64_t cut_bytes) {
  const uint64_t last_seq = end.next_seq - 1;
  bool unnamed = false;
  Opened opened{end.next_seq, last_seq, cut_bytes};
  {
    const MutexLock lock(mutex_);
    uint64_t base = 0;
    for (const SegmentPtr& segment : chain) {
      segment->base = base;
      base += segment->end - sizeof(SegmentHead);
      unnamed = unnamed || !segment->named;
    }
    if (!chain.empty()) opened.first_seq = chain.front()->first_seq;
    segments_.assign(chain.begin(), chain.end());
    unsynced_ = chain;
    if (!unsynced_.empty()) unsynced_.pop_back();
    last_time_ns_ = std::max(last_time_ns_, end.last_time_ns);
    last_seq_.store(last_seq);
    released_seq_ = opened.first_seq - 1;
    appended_bytes_.store(base);
    opened_bytes_ = base;
    if (options_.read_only) return opened;
    update_available();
    check_disk();
  }
  // What the last process appended may still be in the page cache only.
  const auto synced = sync_now();
  if (!synced.ok()) return Failure{synced.error(), "fdatasync", options_.directory};
  synced_seq_.store(last_seq);
  open_.store(true);
  preparer_ = std::thread([this] { prepare_loop(); });
  syncer_ = std::thread([this] { sync_loop(); });
  return opened;
}

Outcome<Done> Journal::close() {
  const bool was_open = open_.exchange(false);
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    prepare_cv_.notify_all();
    room_cv_.notify_all();
  }
  {
    const MutexLock lock(sync_mutex_);
    sync_stopping_ = true;
    sync_wake_cv_.notify_all();
  }
  if (preparer_.joinable()) preparer_.join();
  if (syncer_.joinable()) syncer_.join();
  const Result<void> synced = was_open ? sync() : Result<void>();
  const MutexLock lock(mutex_);
  for (const SegmentPtr& spare : spares_) (void)io_.unlink(spare->path);
  spares_.clear();
  segments_.clear();
  unsynced_.clear();
  on_append_ = nullptr;
  if (!synced.ok()) return Failure{synced.error(), "fdatasync", options_.directory};
  return Done{};
}

}  // namespace rewindfs::journal

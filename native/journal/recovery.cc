// Opening and closing: reads the chain, cuts the torn tail of a crash. Until all is known to be right, nothing is changed.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "journal/cut.h"
#include "journal/journal.h"

namespace rewindfs::journal {

Journal::Journal(Options options, FileIo& io) : options_(std::move(options)), io_(io) {}

Journal::~Journal() { (void)close(); }

Outcome<Opened> Journal::open() {
  if (!options_.read_only && mkdir(options_.directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Failure{errno, "mkdir", options_.directory};
  }
  auto chain = read_chain(io_, options_.directory, options_.store_id, options_.next_seq,
                          options_.read_only ? O_RDONLY : O_RDWR);
  if (!chain.ok()) return chain.failure();
  if (const auto torn = expect_torn(*chain); !torn.ok()) return torn.failure();
  Opened opened{0, 0, 0, chain->stranded, {}};
  if (!options_.read_only) {
    auto marks = open_marks(io_, options_.directory);
    if (!marks.ok()) return marks.failure();
    marks_fd_ = std::move(*marks);
    if (const auto cut = cut_end(*chain, opened); !cut.ok()) return cut.failure();
  } else if (chain->end.next_seq < options_.next_seq) {
    chain->end.next_seq = options_.next_seq;
    chain->segments.clear();
  }
  return adopt(std::move(chain->segments), chain->end, std::move(opened));
}

// A record that is missing is the trace of a crash only when it was never on stable storage, and when nothing was written
// behind it that outlived it: as long as the machine runs, what a process wrote is there, in the order in which it was written.
Outcome<Done> Journal::expect_torn(const Chain& chain) const {
  const SyncMark mark = read_mark(io_, options_.directory, options_.store_id);
  const uint64_t missing = std::max(chain.end.next_seq, options_.next_seq);
  const bool same_boot = !options_.boot_id.empty() && mark.boot_id == options_.boot_id;
  std::string why;
  if (mark.synced_seq >= missing) {
    why = ", and everything up to record " + std::to_string(mark.synced_seq) + " was on stable storage";
  } else if (chain.stranded.first_seq != 0 && same_boot) {
    why = ", and the journal goes on with record " + std::to_string(chain.stranded.first_seq);
  } else {
    return Done{};
  }
  return Failure{EBADMSG, "open", chain.segments.empty() ? options_.directory : chain.segments.back()->path,
                 "ERR_JOURNAL_CORRUPT", "record " + std::to_string(missing) + " is damaged or missing" + why,
                 static_cast<int64_t>(chain.end.offset)};
}

// Leaves what can be gone on with: the end without a torn record, or a new segment where history is further than that.
Outcome<Done> Journal::cut_end(Chain& chain, Opened& opened) {
  const auto& directory = options_.directory;
  if (chain.stranded.first_seq != 0) {
    if (!chain.segments.empty()) {
      auto kept = keep_tail(io_, directory, *chain.segments.back(), chain.end.offset, chain.end.next_seq);
      if (!kept.ok()) return kept.failure();
      opened.kept = *kept;
    }
    for (const std::string& path : chain.cut_off) {
      if (const auto kept = keep_spare(io_, directory, path, chain.end.next_seq); !kept.ok()) return kept.failure();
    }
  }
  // History got further than what reached the disk before the machine stopped: all that is whole here is in it.
  if (chain.end.next_seq < options_.next_seq) {
    for (const SegmentPtr& segment : chain.segments) chain.unused.push_back(segment->path);
    chain.segments.clear();
    chain.end = {sizeof(SegmentHead), options_.next_seq, chain.end.last_time_ns, Found::kEnd};
  }
  if (!chain.segments.empty()) {
    auto cut = cut_tail(io_, *chain.segments.back(), chain.end.offset);
    if (!cut.ok()) return cut.failure();
    opened.cut_bytes = *cut;
  }
  for (const std::string& path : chain.unused) {
    if (const auto removed = io_.unlink(path); !removed.ok()) return Failure{removed.error(), "unlink", path};
  }
  if (chain.segments.empty()) {
    auto first = start_segment(chain.end.next_seq, chain.end.last_time_ns);
    if (!first.ok()) return first.failure();
    chain.segments.push_back(*first);
  }
  return Done{};
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

Outcome<Opened> Journal::adopt(std::vector<SegmentPtr> chain, const ScanEnd& end, Opened opened) {
  const uint64_t last_seq = end.next_seq - 1;
  opened.first_seq = end.next_seq;
  opened.last_seq = last_seq;
  {
    const MutexLock lock(mutex_);
    uint64_t base = 0;
    for (const SegmentPtr& segment : chain) {
      segment->base = base;
      base += segment->end - sizeof(SegmentHead);
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
  if (ready_) (void)io_.unlink(ready_->path);
  ready_.reset();
  segments_.clear();
  unsynced_.clear();
  on_append_ = nullptr;
  if (!synced.ok()) return Failure{synced.error(), "fdatasync", options_.directory};
  return Done{};
}

}  // namespace rewindfs::journal

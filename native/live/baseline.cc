#include "live/baseline.h"

#include "os/mutex.h"

namespace rewindfs::live {

struct Baseline::Impl {
  journal::Recorder& recorder;
  Mutex mutex;
  std::function<void()> done GUARDED_BY(mutex);
};

Baseline::Baseline(journal::Recorder& recorder, TreeAccess&) : impl_(new Impl{recorder, {}, {}}) {}
Baseline::~Baseline() = default;
Result<void> Baseline::before_data(uint64_t, int, uint64_t, uint64_t) { return {}; }
Result<void> Baseline::before_attr(uint64_t, int) { return {}; }
Result<void> Baseline::before_name(uint64_t, int, std::string_view, uint64_t, int, bool) { return {}; }
void Baseline::born(uint64_t, bool) {}
void Baseline::expect(std::span<const std::byte>) {}
void Baseline::start() {
  const auto reservation = impl_->recorder.reserve(0);
  journal::Draft draft;
  draft.kind = journal::Kind::kBaseEnd;
  (void)impl_->recorder.append(draft);
  pending_.store(false);
  const MutexLock lock(impl_->mutex);
  if (impl_->done) impl_->done();
}
void Baseline::stop() {}
void Baseline::on_done(std::function<void()> callback) {
  const MutexLock lock(impl_->mutex);
  impl_->done = std::move(callback);
}
Baseline::Progress Baseline::progress() const { return {pending() ? 0 : 2, 0, 0, 0, 0}; }

}  // namespace rewindfs::live

#include "live/writers.h"

#include <string>
#include <unordered_map>

#include "os/mutex.h"

namespace rewindfs::live {

struct Writers::Impl {
  journal::Recorder& recorder;
  Mutex mutex;
  std::unordered_map<uint32_t, uint64_t> known GUARDED_BY(mutex);
};

Writers::Writers(journal::Recorder& recorder) : impl_(new Impl{recorder, {}, {}}) {}
Writers::~Writers() = default;

uint64_t Writers::resolve(uint32_t tid, uint32_t uid, uint32_t gid) {
  if (tid == 0) return 0;
  const MutexLock lock(impl_->mutex);
  uint64_t& id = impl_->known[tid];
  if (id != 0) return id;
  const std::string payload = "{\"pid\":" + std::to_string(tid) + ",\"start\":0,\"ppid\":0,\"exe\":\"\",\"argv\":[],\"uid\":" +
                              std::to_string(uid) + ",\"gid\":" + std::to_string(gid) + ",\"cgroup\":\"\",\"certain\":false}";
  const auto reservation = impl_->recorder.reserve(payload.size());
  journal::Draft draft;
  draft.kind = journal::Kind::kWriter;
  draft.payload = std::as_bytes(std::span(payload));
  const auto appended = impl_->recorder.append(draft);
  if (appended.ok()) id = *appended;
  return id;
}

}  // namespace rewindfs::live

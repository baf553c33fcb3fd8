#include "live/writers.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "live/process_info.h"
#include "os/json.h"
#include "os/mutex.h"

namespace rewindfs::live {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kSlots = 512;                  // threads that asked lately
constexpr size_t kMaxProcesses = 1024;          // each holds one descriptor
constexpr auto kReuse = std::chrono::seconds(1);         // a thread id is not given to another thread so soon
constexpr auto kExec = std::chrono::microseconds(100);  // less than any exec takes, with what leads to it and follows

// One process between two execs, as one user.
struct Process {
  uint64_t id = 0;
  pid_t pid = 0;
  uint64_t start = 0;
  std::string exe;
  Program program;
  bool certain = false;
  std::vector<std::string> lineage;  // "PID:START": itself, its parent, its parent's and so on
};

// Which process a thread belonged to when it was last looked at.
struct Slot {
  Mutex mutex;
  uint32_t tid GUARDED_BY(mutex) = 0;
  uint32_t uid GUARDED_BY(mutex) = 0;
  uint32_t gid GUARDED_BY(mutex) = 0;
  Clock::time_point looked GUARDED_BY(mutex);  // in /proc
  Clock::time_point asked GUARDED_BY(mutex);   // last
  std::shared_ptr<const Process> process GUARDED_BY(mutex);
};

std::string describe(const Process& process, pid_t parent, uint32_t uid, uint32_t gid) {
  JsonObject json;
  json.number("pid", static_cast<uint64_t>(process.pid));
  json.number("start", process.start);
  json.number("ppid", static_cast<uint64_t>(parent));
  json.text("exe", process.exe);
  json.texts("argv", process.certain ? command_line(process.pid) : std::vector<std::string>());
  json.number("uid", uid);
  json.number("gid", gid);
  json.text("cgroup", process.certain ? control_group(process.pid) : std::string());
  json.texts("ancestors", {process.lineage.begin() + 1, process.lineage.end()});
  json.text("session", process.certain ? run_session(process.pid) : std::string());
  json.boolean("certain", process.certain);
  return json.finish();
}

}  // namespace

struct Writers::Impl {
  explicit Impl(journal::Recorder& recorder_) : recorder(recorder_) {}

  using Key = std::tuple<pid_t, uint32_t, uint32_t>;  // pid, uid, gid

  std::shared_ptr<const Process> find(uint32_t tid, uint32_t uid, uint32_t gid);
  std::shared_ptr<const Process> look(uint32_t tid, uint32_t uid, uint32_t gid, bool& lasting);
  std::shared_ptr<const Process> known(const Key& key);
  void remember(const Key& key, std::shared_ptr<const Process> process);
  bool record(Process& process, pid_t parent, uint32_t uid, uint32_t gid);

  journal::Recorder& recorder;
  std::array<Slot, kSlots> slots;
  Mutex mutex;
  std::map<Key, std::shared_ptr<const Process>> processes GUARDED_BY(mutex);
  std::deque<Key> oldest_first GUARDED_BY(mutex);
  std::atomic<bool> blocking{false};
  std::set<std::string> blocked GUARDED_BY(mutex);
};

Writers::Writers(journal::Recorder& recorder) : impl_(std::make_unique<Impl>(recorder)) {}
Writers::~Writers() = default;

uint64_t Writers::resolve(uint32_t tid, uint32_t uid, uint32_t gid) {
  const std::shared_ptr<const Process> process = impl_->find(tid, uid, gid);
  return process ? process->id : 0;
}

void Writers::block(std::set<std::string> families) {
  const MutexLock lock(impl_->mutex);
  impl_->blocking = !families.empty();
  impl_->blocked = std::move(families);
}

bool Writers::refuses(uint32_t tid, uint32_t uid, uint32_t gid) {
  if (!impl_->blocking.load(std::memory_order_relaxed)) return false;
  const std::shared_ptr<const Process> process = impl_->find(tid, uid, gid);
  if (!process || process->pid == getpid()) return false;
  const MutexLock lock(impl_->mutex);
  for (const std::string& one : process->lineage) {
    if (impl_->blocked.contains(one)) return true;
  }
  return false;
}

// Null for pid 0.
std::shared_ptr<const Process> Writers::Impl::find(uint32_t tid, uint32_t uid, uint32_t gid) {
  if (tid == 0) return nullptr;
  Slot& slot = slots[tid % kSlots];
  const MutexLock lock(slot.mutex);
  const Clock::time_point now = Clock::now();
  const bool same = slot.tid == tid && slot.uid == uid && slot.gid == gid && slot.process;
  if (same && now - slot.looked < kReuse) {
    const bool moment_ago = now - slot.asked < kExec;
    slot.asked = now;
    if (moment_ago || slot.process->program.still_runs()) return slot.process;
  }

  bool lasting = false;
  const std::shared_ptr<const Process> process = look(tid, uid, gid, lasting);
  slot.tid = lasting ? tid : 0;
  slot.uid = uid;
  slot.gid = gid;
  slot.looked = slot.asked = now;
  slot.process = process;
  return process;
}

// lasting: an exec will be noticed, so that the answer may be kept. One that could not be recorded has no id, and is not kept.
std::shared_ptr<const Process> Writers::Impl::look(uint32_t tid, uint32_t uid, uint32_t gid, bool& lasting) {
  const std::optional<ProcessIds> ids = process_of(static_cast<pid_t>(tid));
  const pid_t pid = ids ? ids->pid : static_cast<pid_t>(tid);
  const Key key{pid, uid, gid};
  auto process = std::make_shared<Process>();
  process->pid = pid;
  if (ids) {
    // The program first: if it still runs at the end, what was read in between belongs to it.
    process->program = Program::of(pid);
    process->start = start_time(pid);
    process->exe = executable(pid);
    process->certain = process->start != 0;
  }
  const std::shared_ptr<const Process> before = known(key);
  if (before && before->start == process->start && before->exe == process->exe &&
      (before->program.still_runs() || !before->program.valid())) {
    lasting = before->program.valid() && !shares_memory(pid, ids ? ids->parent : 0);
    return before;
  }
  if (!record(*process, ids ? ids->parent : 0, uid, gid)) return process;
  lasting = process->program.still_runs() && !shares_memory(pid, ids ? ids->parent : 0);
  // On borrowed memory (vfork) it is remembered without its program: the exe tells whether it exec'd.
  if (!lasting) process->program = Program();
  remember(key, process);
  return process;
}

std::shared_ptr<const Process> Writers::Impl::known(const Key& key) {
  const MutexLock lock(mutex);
  const auto found = processes.find(key);
  return found == processes.end() ? nullptr : found->second;
}

void Writers::Impl::remember(const Key& key, std::shared_ptr<const Process> process) {
  const MutexLock lock(mutex);
  if (processes.insert_or_assign(key, std::move(process)).second) oldest_first.push_back(key);
  while (processes.size() > kMaxProcesses) {
    processes.erase(oldest_first.front());
    oldest_first.pop_front();
  }
}

bool Writers::Impl::record(Process& process, pid_t parent, uint32_t uid, uint32_t gid) {
  process.lineage = ancestors(parent);
  process.lineage.insert(process.lineage.begin(), std::to_string(process.pid) + ":" + std::to_string(process.start));
  const std::string payload = describe(process, parent, uid, gid);
  const auto reservation = recorder.reserve(payload.size());
  if (!reservation.ok()) return false;
  journal::Draft draft;
  draft.kind = journal::Kind::kWriter;
  draft.payload = std::as_bytes(std::span(payload));
  const Result<uint64_t> appended = recorder.append(draft);
  if (!appended.ok() || *appended == journal::kUnrecorded) return false;
  process.id = *appended;
  return true;
}

}  // namespace rewindfs::live

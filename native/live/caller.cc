#include "live/caller.h"

#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <string>


namespace rewindfs::live {
namespace {

thread_local mode_t current_umask = 0;
thread_local bool has_resource = false;  // CAP_SYS_RESOURCE is effective

// The one supplementary group that matters for a creation: the kernel sends it when it is the directory's.
std::optional<gid_t> supplementary_group(std::span<const std::byte> extensions) {
  while (extensions.size() >= sizeof(fuse::ExtHeader)) {
    const auto* head = reinterpret_cast<const fuse::ExtHeader*>(extensions.data());
    if (head->size < sizeof *head || head->size > extensions.size()) return {};
    const auto content = extensions.subspan(sizeof *head, head->size - sizeof *head);
    if (head->type == fuse::kExtGroups && content.size() >= sizeof(fuse::SuppGroups) + sizeof(uint32_t) &&
        reinterpret_cast<const fuse::SuppGroups*>(content.data())->count >= 1) {
      return *reinterpret_cast<const uint32_t*>(content.data() + sizeof(fuse::SuppGroups));
    }
    extensions = extensions.subspan(std::min(fuse::padded(head->size), extensions.size()));
  }
  return {};
}

// Of this thread.
template <typename Change>
void change_effective(const Change& change) {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &head, data) != 0) return;
  change(data);
  syscall(SYS_capset, &head, data);
}

// With it neither quota nor the blocks that are reserved for root count.
void set_resource(bool wanted) {
  if (wanted == has_resource) return;
  has_resource = wanted;
  change_effective([](__user_cap_data_struct* data) {
    data[0].effective &= ~CAP_TO_MASK(CAP_SYS_RESOURCE);
    if (has_resource) data[0].effective |= data[0].permitted & CAP_TO_MASK(CAP_SYS_RESOURCE);
  });
}

bool runs_as_root() {
  static const bool root = geteuid() == 0;
  return root;
}

// Leaving fsuid 0 drops the file capabilities; what the kernel has already decided must not be decided again.
void raise_effective(uint32_t capabilities) {
  change_effective([capabilities](__user_cap_data_struct* data) { data[0].effective |= data[0].permitted & capabilities; });
}
constexpr uint32_t kOverride = CAP_TO_MASK(CAP_DAC_OVERRIDE) | CAP_TO_MASK(CAP_DAC_READ_SEARCH) | CAP_TO_MASK(CAP_FOWNER) | CAP_TO_MASK(CAP_MKNOD);

// Only asked for the rare file with S_ISGID that its group may not execute.
bool in_group(const fuse::Call& call, gid_t gid) {
  if (is_privileged(call) || call.head.gid == gid) return true;
  std::ifstream status("/proc/" + std::to_string(call.head.pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("Groups:")) continue;
    std::istringstream groups(line.substr(7));
    for (gid_t group; groups >> group;) {
      if (group == gid) return true;
    }
  }
  return false;
}

}  // namespace

long system_call_of(const fuse::Call& call) {
  std::ifstream file("/proc/" + std::to_string(call.head.pid) + "/syscall");
  long number = -1;
  return file >> number ? number : -1;
}

mode_t bits_lost(const fuse::Call& call, const struct statx& stat) {
  if (S_ISDIR(stat.stx_mode)) return 0;
  mode_t bits = stat.stx_mode & S_ISUID;
  if ((stat.stx_mode & S_ISGID) && ((stat.stx_mode & S_IXGRP) || !in_group(call, stat.stx_gid))) bits |= S_ISGID;
  return bits;
}

void detach_thread() {
  unshare(CLONE_FS);
  umask(0);
  current_umask = 0;
  has_resource = true;
  set_resource(false);
}

Spending::Spending(uid_t uid, bool keeps_bits) : changed_(uid != 0 && runs_as_root()) {
  if (runs_as_root()) set_resource(uid == 0);
  if (!changed_) return;
  setfsuid(uid);
  if (keeps_bits) raise_effective(CAP_TO_MASK(CAP_FSETID));
}

Spending::~Spending() {
  if (changed_) setfsuid(0);
}

AsCaller::AsCaller(const fuse::Call& call, uint32_t umask_bits) {
  const auto wanted = static_cast<mode_t>(umask_bits & 0777);
  if (wanted != current_umask) umask(current_umask = wanted);
  if (!runs_as_root()) return;
  set_resource(call.head.uid == 0);
  if (call.head.uid == 0 && call.head.gid == 0) return;
  changed_ = true;
  if (const auto group = supplementary_group(call.extensions())) {
    const gid_t list[1] = {*group};
    grouped_ = syscall(SYS_setgroups, 1, list) == 0;
  }
  setfsgid(call.head.gid);
  if (call.head.uid != 0) {
    setfsuid(call.head.uid);
    raise_effective(kOverride);
  }
}

AsCaller::~AsCaller() {
  if (!changed_) return;
  setfsuid(0);  // brings the capabilities back
  setfsgid(getegid());
  if (grouped_) syscall(SYS_setgroups, 0, nullptr);
}

}  // namespace rewindfs::live

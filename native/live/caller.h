// Doing a call as its caller: a new object gets the caller's owner and group, the directory's rules (setgid, default
// ACL, umask) are applied by the backing file system itself, and its quota is charged.
//
// All of it is per thread: setfsuid(2), setgroups(2) and capset(2) as raw system calls, and a umask of the thread's own
// after detach_thread(). Permission was checked by the kernel (default_permissions), so that CAP_DAC_OVERRIDE is kept.
#pragma once
#include <sys/stat.h>

#include "fuse/call.h"

namespace rewindfs::live {

// Once on each thread that serves requests. The thread gives up CAP_SYS_RESOURCE but for what it does for root, so that
// quotas and a file system's reserved blocks count as they do for the caller.
void detach_thread();

// A call on an open descriptor that may take blocks, for the time of that call: they are taken as the caller takes them.
// Costs two system calls for a caller who is not root, none for root after root. keeps_bits: the file keeps its setuid or
// setgid bits in it; the file system below sees none of the caller's groups and would take them.
class Spending {
 public:
  Spending(uid_t uid, bool keeps_bits);
  ~Spending();
  Spending(const Spending&) = delete;
  Spending& operator=(const Spending&) = delete;

 private:
  const bool changed_;
};

// A call by name.
class AsCaller {
 public:
  AsCaller(const fuse::Call& call, uint32_t umask_bits);
  ~AsCaller();
  AsCaller(const AsCaller&) = delete;
  AsCaller& operator=(const AsCaller&) = delete;

 private:
  bool changed_ = false;
  bool grouped_ = false;
};

// Has the caller the rights of root? The kernel says so with most requests that need to know, but not with all.
inline bool is_privileged(const fuse::Call& call) { return call.head.uid == 0; }

// The system call that the caller is in, for requests that say too little; -1 where nobody may look at that.
long system_call_of(const fuse::Call& call);

// The setuid and setgid bits that anything but a directory loses when this caller, lacking CAP_FSETID, changes its content or
// owner.
mode_t bits_lost(const fuse::Call& call, const struct statx& stat);

}  // namespace rewindfs::live

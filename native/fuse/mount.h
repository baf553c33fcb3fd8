// Mounting and unmounting a FUSE connection: by mount(2) where the caller may, else through fusermount3.
#pragma once
#include <cstdint>
#include <string>

#include "os/failure.h"
#include "os/unique_fd.h"

namespace rewindfs::fuse {

struct MountOptions {
  std::string mountpoint;
  std::string source;       // shown as the mount's device
  std::string subtype;      // the type is fuse.<subtype>
  bool read_only = false;
  uint32_t max_read = 0;    // 0 = the kernel's own limit
  bool nodev = false;       // for root's mounts; fusermount3 always adds nosuid, nodev
  bool nosuid = false;
  bool noexec = false;
};

// Mounts with default_permissions, and allow_other when the caller is root. The descriptor is the connection: the
// mount is dead once every copy of it is closed. The first request to come is INIT.
Outcome<UniqueFd> mount(const MountOptions& options);

Outcome<Done> unmount(const std::string& mountpoint, bool lazy);

}  // namespace rewindfs::fuse

// The kernel's overlayfs (Documentation/filesystems/overlayfs.rst): a writable directory over a read-only one.
//
// Guarantees: directory renames work (redirect_dir); an object has one device and inode number before and after its first
// change where the kernel can (xino); set-user-id bits and devices of the lower layer have no effect (nosuid, nodev).
#pragma once
#include <map>
#include <string>

#include "os/failure.h"

namespace rewindfs {

struct OverlayOptions {
  std::string lower, upper, work;
  std::string mountpoint;
  std::string source;  // shown in the mount table
};

// Blocks on the file systems concerned. The failure of an unfit upper layer is EINVAL, that of a missing right EPERM.
Outcome<Done> mount_overlay(const OverlayOptions& options);

using Xattrs = std::map<std::string, std::string>;

// All extended attributes of an object, a symlink itself; an object without, or on a file system without, has none.
Outcome<Xattrs> read_xattrs(const std::string& path);

}  // namespace rewindfs

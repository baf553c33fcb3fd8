// statx(2) and the forms its answer takes: for the kernel (fuse::Attr) and for the journal (journal::Attr).
#pragma once
#include <sys/stat.h>

#include <string_view>

#include "fuse/wire.h"
#include "journal/format.h"
#include "os/result.h"

namespace rewindfs::live {

inline constexpr uint64_t kForeverSeconds = 365 * 24 * 3600;  // all changes come through the mount, but for Captures::attr_valid

Result<struct statx> stat_fd(int fd);                            // O_PATH will do
Result<struct statx> stat_at(int dir, std::string_view name);    // name is NUL-terminated; not followed

journal::Attr journal_attr(const struct statx& stat);
fuse::Attr wire_attr(const struct statx& stat);
fuse::Statx wire_statx(const struct statx& stat);

}  // namespace rewindfs::live

#include "os/overlay.h"

#include <sys/mount.h>
#include <sys/xattr.h>

#include <vector>

namespace rewindfs {
namespace {

// Commas end an option and colons a lower layer, unless a backslash stands before them.
std::string escaped(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c == '\\' || c == ',' || c == ':') out += '\\';
    out += c;
  }
  return out;
}

// Calls `get(buffer, size)` until its answer fits; ERANGE when it grew in between.
template <typename Get>
Outcome<std::string> sized(const std::string& path, const char* syscall, Get get) {
  for (;;) {
    const ssize_t size = get(nullptr, 0);
    if (size < 0) return Failure{errno, syscall, path};
    std::string value(static_cast<size_t>(size), '\0');
    const ssize_t got = get(value.data(), value.size());
    if (got >= 0) {
      value.resize(static_cast<size_t>(got));
      return value;
    }
    if (errno != ERANGE) return Failure{errno, syscall, path};
  }
}

}  // namespace

Outcome<Done> mount_overlay(const OverlayOptions& options) {
  const std::string words = "lowerdir=" + escaped(options.lower) + ",upperdir=" + escaped(options.upper) + ",workdir=" +
                            escaped(options.work) + ",redirect_dir=on,metacopy=off,index=off,xino=on";
  if (::mount(options.source.c_str(), options.mountpoint.c_str(), "overlay", MS_NOSUID | MS_NODEV, words.c_str()) != 0) {
    return Failure{errno, "mount", options.mountpoint};
  }
  return Done{};
}

Outcome<Xattrs> read_xattrs(const std::string& path) {
  Xattrs found;
  auto names = sized(path, "llistxattr", [&](char* to, size_t size) { return llistxattr(path.c_str(), to, size); });
  if (!names.ok()) {
    if (names.failure().error == EOPNOTSUPP) return found;
    return names.failure();
  }
  for (size_t at = 0; at < (*names).size();) {
    const std::string name((*names).c_str() + at);
    at += name.size() + 1;
    auto value = sized(path, "lgetxattr", [&](char* to, size_t size) { return lgetxattr(path.c_str(), name.c_str(), to, size); });
    if (value.ok()) found[name] = std::move(*value);
    else if (value.failure().error != ENODATA) return value.failure();
  }
  return found;
}

}  // namespace rewindfs

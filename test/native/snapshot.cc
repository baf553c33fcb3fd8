// The whole state of a tree as text: what the oracle compares. One token an object, sorted by path, with everything
// that a user can see; a symlink is never followed and no other file system is entered.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "session.h"

namespace driver {
namespace {

struct Walk {
  dev_t device;
  bool content;  // else only what stat shows
  std::vector<std::string> objects;
  int error = 0;
};

long long nanoseconds(const timespec& t) { return static_cast<long long>(t.tv_sec) * 1'000'000'000ll + t.tv_nsec; }

// The hash of a regular file's bytes; -1 (as text) when it cannot be read.
std::string content_hash(const std::string& path) {
  int fd = open(path.c_str(), O_RDONLY | O_NOATIME | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 && errno == EPERM) fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return std::string("!") + strerrorname_np(errno);
  static char buffer[1 << 18];
  uint64_t h = 0, total = 0;
  // Filled to the brim before it is hashed: short reads must not show.
  for (;;) {
    size_t have = 0;
    while (have < sizeof buffer) {
      ssize_t got = read(fd, buffer + have, sizeof buffer - have);
      if (got < 0) {
        std::string error = std::string("!") + strerrorname_np(errno);
        close(fd);
        return error;
      }
      if (got == 0) break;
      have += static_cast<size_t>(got);
    }
    h = hash(h, buffer, have);
    total += have;
    if (have < sizeof buffer) break;
  }
  close(fd);
  return std::to_string(total) + ":" + std::to_string(h);
}

std::string xattrs(const std::string& path) {
  static char names[65536], data[65536];
  ssize_t bytes = llistxattr(path.c_str(), names, sizeof names);
  if (bytes < 0) return errno == ENOTSUP ? "" : std::string("!") + strerrorname_np(errno);
  std::vector<std::string> all;
  for (const char* p = names; p < names + bytes; p += strlen(p) + 1) {
    ssize_t got = lgetxattr(path.c_str(), p, data, sizeof data);
    all.push_back(std::string(p) + "=" + (got < 0 ? std::string("!") + strerrorname_np(errno) : std::string(data, static_cast<size_t>(got))));
  }
  std::sort(all.begin(), all.end());
  std::string out;
  for (const std::string& one : all) out += one + '\n';
  return out;
}

void visit(Walk& walk, const std::string& path) {
  struct stat st {};
  if (lstat(path.c_str(), &st) < 0) {
    walk.error = errno;
    return;
  }
  char mode[16];
  snprintf(mode, sizeof mode, "%06o", st.st_mode);
  std::string body;
  if (S_ISREG(st.st_mode) && walk.content) body = content_hash(path);
  if (S_ISLNK(st.st_mode)) {
    char target[PATH_MAX];
    ssize_t bytes = readlink(path.c_str(), target, sizeof target);
    body = bytes < 0 ? std::string("!") + strerrorname_np(errno) : std::string(target, static_cast<size_t>(bytes));
  }
  walk.objects.push_back(escape(path) + "|" + mode + "|" + std::to_string(st.st_uid) + "|" + std::to_string(st.st_gid) + "|" +
                         std::to_string(st.st_nlink) + "|" + std::to_string(st.st_size) + "|" + std::to_string(major(st.st_rdev)) + ":" +
                         std::to_string(minor(st.st_rdev)) + "|" + std::to_string(st.st_ino) + "|" + std::to_string(nanoseconds(st.st_atim)) +
                         "|" + std::to_string(nanoseconds(st.st_mtim)) + "|" + std::to_string(nanoseconds(st.st_ctim)) + "|" + escape(body) +
                         "|" + (walk.content ? escape(xattrs(path)) : "%"));
  if (!S_ISDIR(st.st_mode) || st.st_dev != walk.device) return;
  Directory dir(opendir(path.c_str()));
  if (!dir) {
    walk.error = errno;
    return;
  }
  std::vector<std::string> names;
  errno = 0;
  while (dirent* entry = readdir(dir.get()))
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) names.push_back(entry->d_name);
  if (errno != 0) walk.error = errno;
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) visit(walk, path + "/" + name);
}

Reply snapshot_as(const Args& a, bool content) {
  struct stat st {};
  if (stat(a.at(0).c_str(), &st) < 0) return {errno, {}};
  Walk walk{st.st_dev, content, {}, 0};
  char here[PATH_MAX];
  if (!getcwd(here, sizeof here) || chdir(a.at(0).c_str()) < 0) return {errno, {}};
  visit(walk, ".");
  if (chdir(here) < 0) return {errno, {}};
  if (walk.error != 0) return {walk.error, {}};
  Reply reply;
  for (const std::string& object : walk.objects) reply.text += (reply.text.empty() ? "" : " ") + object;
  return reply;
}

Reply snapshot(Session&, const Args& a) { return snapshot_as(a, true); }
Reply metadata(Session&, const Args& a) { return snapshot_as(a, false); }

}  // namespace

void add_snapshot_ops(Table& t) {
  t["snapshot"] = snapshot;
  t["metadata"] = metadata;
}

}  // namespace driver

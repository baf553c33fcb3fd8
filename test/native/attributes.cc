// Operations on attributes: stat, mode, owner, times, extended attributes, the file system itself.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include "session.h"

namespace driver {
namespace {

std::string nanoseconds(const timespec& t) { return std::to_string(static_cast<long long>(t.tv_sec) * 1'000'000'000ll + t.tv_nsec); }

std::string shown(const struct stat& st) {
  char mode[16];
  snprintf(mode, sizeof mode, "%06o", st.st_mode);
  return std::string("mode=") + mode + " uid=" + std::to_string(st.st_uid) + " gid=" + std::to_string(st.st_gid) +
         " nlink=" + std::to_string(st.st_nlink) + " size=" + std::to_string(st.st_size) + " rdev=" +
         std::to_string(major(st.st_rdev)) + ":" + std::to_string(minor(st.st_rdev)) + " ino=" + std::to_string(st.st_ino) +
         " blocks=" + std::to_string(st.st_blocks) + " dev=" + std::to_string(st.st_dev) + " atime=" + nanoseconds(st.st_atim) +
         " mtime=" + nanoseconds(st.st_mtim) + " ctime=" + nanoseconds(st.st_ctim);
}

Reply stat_path(Session&, const Args& a) {
  struct stat st {};
  if (lstat(a.at(0).c_str(), &st) < 0) return {errno, {}};
  return {0, shown(st)};
}

Reply stat_follow(Session&, const Args& a) {
  struct stat st {};
  if (stat(a.at(0).c_str(), &st) < 0) return {errno, {}};
  return {0, shown(st)};
}

Reply stat_open(Session& s, const Args& a) {
  struct stat st {};
  if (fstat(s.fd(a.at(0)), &st) < 0) return {errno, {}};
  return {0, shown(st)};
}

// Birth time, where the file system keeps one.
Reply birth(Session&, const Args& a) {
  struct statx stx {};
  if (statx(AT_FDCWD, a.at(0).c_str(), AT_SYMLINK_NOFOLLOW, STATX_BTIME, &stx) < 0) return {errno, {}};
  if (!(stx.stx_mask & STATX_BTIME)) return {0, "none"};
  return {0, std::to_string(stx.stx_btime.tv_sec * 1'000'000'000ll + stx.stx_btime.tv_nsec)};
}

// path: the magic number of its file system, in hexadecimal
Reply fs_type(Session&, const Args& a) {
  struct statfs st {};
  if (statfs(a.at(0).c_str(), &st) != 0) return {errno, {}};
  char hex[20];
  snprintf(hex, sizeof hex, "%lx", static_cast<unsigned long>(st.f_type));
  return {0, hex};
}

Reply stat_fs(Session&, const Args& a) {
  struct statvfs st {};
  if (statvfs(a.at(0).c_str(), &st) < 0) return {errno, {}};
  return {0, "bsize=" + std::to_string(st.f_bsize) + " blocks=" + std::to_string(st.f_blocks) + " files=" + std::to_string(st.f_files) +
                 " namemax=" + std::to_string(st.f_namemax)};
}

Reply change_mode(Session&, const Args& a) { return done(chmod(a.at(0).c_str(), static_cast<mode_t>(number(a.at(1))))); }
Reply change_mode_open(Session& s, const Args& a) { return done(fchmod(s.fd(a.at(0)), static_cast<mode_t>(number(a.at(1))))); }
Reply change_owner(Session&, const Args& a) {
  return done(lchown(a.at(0).c_str(), static_cast<uid_t>(number(a.at(1))), static_cast<gid_t>(number(a.at(2)))));
}
Reply change_owner_open(Session& s, const Args& a) {
  return done(fchown(s.fd(a.at(0)), static_cast<uid_t>(number(a.at(1))), static_cast<gid_t>(number(a.at(2)))));
}
Reply check_access(Session&, const Args& a) { return done(faccessat(AT_FDCWD, a.at(0).c_str(), static_cast<int>(number(a.at(1))), AT_EACCESS)); }

timespec moment(const std::string& text) {
  if (text == "now") return {0, UTIME_NOW};
  if (text == "omit") return {0, UTIME_OMIT};
  long long ns = number(text), s = ns / 1'000'000'000, rest = ns % 1'000'000'000;
  if (rest < 0) s--, rest += 1'000'000'000;
  return {static_cast<time_t>(s), static_cast<long>(rest)};
}

// path atime mtime
Reply set_times(Session&, const Args& a) {
  timespec times[2] = {moment(a.at(1)), moment(a.at(2))};
  return done(utimensat(AT_FDCWD, a.at(0).c_str(), times, AT_SYMLINK_NOFOLLOW));
}
// slot atime mtime
Reply set_times_open(Session& s, const Args& a) {
  timespec times[2] = {moment(a.at(1)), moment(a.at(2))};
  return done(futimens(s.fd(a.at(0)), times));
}

// path name value flags
Reply set_xattr(Session&, const Args& a) {
  return done(lsetxattr(a.at(0).c_str(), a.at(1).c_str(), a.at(2).data(), a.at(2).size(), static_cast<int>(number(a.at(3)))));
}
Reply remove_xattr(Session&, const Args& a) { return done(lremovexattr(a.at(0).c_str(), a.at(1).c_str())); }
// path name [room]
Reply get_xattr(Session&, const Args& a) {
  std::string data(a.size() > 2 ? static_cast<size_t>(number(a.at(2))) : 65536, '\0');
  ssize_t bytes = lgetxattr(a.at(0).c_str(), a.at(1).c_str(), data.data(), data.size());
  if (bytes < 0) return {errno, {}};
  if (a.size() > 2 && number(a.at(2)) == 0) return {0, std::to_string(bytes)};
  return {0, escape({data.data(), static_cast<size_t>(bytes)})};
}
// path [room]
Reply list_xattr(Session&, const Args& a) {
  std::string data(a.size() > 1 ? static_cast<size_t>(number(a.at(1))) : 65536, '\0');
  ssize_t bytes = llistxattr(a.at(0).c_str(), data.data(), data.size());
  if (bytes < 0) return {errno, {}};
  std::vector<std::string> names;
  for (const char* p = data.data(); p < data.data() + bytes; p += std::string_view(p).size() + 1) names.push_back(escape(p));
  std::sort(names.begin(), names.end());
  Reply reply;
  for (const std::string& name : names) reply.text += (reply.text.empty() ? "" : " ") + name;
  return reply;
}

}  // namespace

void add_attribute_ops(Table& t) {
  t["stat"] = stat_path;
  t["statfollow"] = stat_follow;
  t["fstat"] = stat_open;
  t["birth"] = birth;
  t["statfs"] = stat_fs;
  t["fstype"] = fs_type;
  t["chmod"] = change_mode;
  t["fchmod"] = change_mode_open;
  t["chown"] = change_owner;
  t["fchown"] = change_owner_open;
  t["access"] = check_access;
  t["utimens"] = set_times;
  t["futimens"] = set_times_open;
  t["setxattr"] = set_xattr;
  t["getxattr"] = get_xattr;
  t["listxattr"] = list_xattr;
  t["removexattr"] = remove_xattr;
}

}  // namespace driver

// Operations on names: making, removing, moving, linking, listing.
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "session.h"

namespace driver {
namespace {

Reply base(Session&, const Args& a) { return done(chdir(a.at(0).c_str())); }
Reply make_dir(Session&, const Args& a) { return done(mkdir(a.at(0).c_str(), static_cast<mode_t>(number(a.at(1))))); }
Reply remove_dir(Session&, const Args& a) { return done(rmdir(a.at(0).c_str())); }
Reply remove_name(Session&, const Args& a) { return done(unlink(a.at(0).c_str())); }
Reply make_link(Session&, const Args& a) { return done(linkat(AT_FDCWD, a.at(0).c_str(), AT_FDCWD, a.at(1).c_str(), 0)); }
Reply make_symlink(Session&, const Args& a) { return done(symlink(a.at(0).c_str(), a.at(1).c_str())); }

// from to flags
Reply move(Session&, const Args& a) {
  return done(renameat2(AT_FDCWD, a.at(0).c_str(), AT_FDCWD, a.at(1).c_str(), static_cast<unsigned>(number(a.at(2)))));
}

// slot path: gives an O_TMPFILE file its first name
Reply link_open(Session& s, const Args& a) {
  std::string self = "/proc/self/fd/" + std::to_string(s.fd(a.at(0)));
  return done(linkat(AT_FDCWD, self.c_str(), AT_FDCWD, a.at(1).c_str(), AT_SYMLINK_FOLLOW));
}

Reply read_link(Session&, const Args& a) {
  char target[PATH_MAX];
  ssize_t bytes = readlink(a.at(0).c_str(), target, sizeof target);
  if (bytes < 0) return {errno, {}};
  return {0, escape({target, static_cast<size_t>(bytes)})};
}

// path mode major minor
Reply make_node(Session&, const Args& a) {
  dev_t device = makedev(static_cast<unsigned>(number(a.at(2))), static_cast<unsigned>(number(a.at(3))));
  return done(mknod(a.at(0).c_str(), static_cast<mode_t>(number(a.at(1))), device));
}

Reply bind_socket(Session&, const Args& a) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, a.at(0).c_str(), sizeof address.sun_path - 1);
  Reply reply = done(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
  close(fd);
  return reply;
}

const char* type_letter(unsigned char type) {
  switch (type) {
    case DT_REG: return "f";
    case DT_DIR: return "d";
    case DT_LNK: return "l";
    case DT_FIFO: return "p";
    case DT_SOCK: return "s";
    case DT_CHR: return "c";
    case DT_BLK: return "b";
    default: return "?";
  }
}

// Sorted `type:name`, with . and ..
Reply list(Session&, const Args& a) {
  Directory dir(opendir(a.at(0).c_str()));
  if (!dir) return {errno, {}};
  std::vector<std::string> entries;
  errno = 0;
  while (dirent* entry = readdir(dir.get())) entries.push_back(std::string(type_letter(entry->d_type)) + ":" + escape(entry->d_name));
  if (errno != 0) return {errno, {}};
  std::sort(entries.begin(), entries.end());
  Reply reply;
  for (const std::string& entry : entries) reply.text += (reply.text.empty() ? "" : " ") + entry;
  return reply;
}

// path every: reads the whole directory, then seeks back to each `every`th position and expects the same entry there.
// Answers the number of entries and how many positions led elsewhere; d_ino is compared with stat for those sampled.
Reply seek_dir(Session&, const Args& a) {
  Directory dir(opendir(a.at(0).c_str()));
  if (!dir) return {errno, {}};
  struct Sample {
    long position;
    std::string name;
  };
  std::vector<Sample> samples;
  std::vector<std::string> names;
  long count = 0, every = static_cast<long>(number(a.at(1)));
  for (;;) {
    long position = telldir(dir.get());
    dirent* entry = readdir(dir.get());
    if (!entry) break;
    if (count++ % every == 0) samples.push_back({position, entry->d_name});
    names.push_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  long duplicates = static_cast<long>(names.end() - std::unique(names.begin(), names.end()));
  long wrong = 0;
  for (size_t i = samples.size(); i-- > 0;) {
    seekdir(dir.get(), samples[i].position);
    dirent* entry = readdir(dir.get());
    if (!entry || samples[i].name != entry->d_name) {
      wrong++;
      continue;
    }
    struct stat st {};
    std::string path = a.at(0) + "/" + entry->d_name;
    if (samples[i].name != ".." && (lstat(path.c_str(), &st) != 0 || st.st_ino != entry->d_ino)) wrong++;
  }
  return {0, std::to_string(count) + " duplicates=" + std::to_string(duplicates) + " wrong=" + std::to_string(wrong)};
}

// path count: a stream over `count` files that changes while it is read. Answers what POSIX promises: entries that were
// there all the time and came not exactly once; after rewinding, entries missing or too many.
Reply changing_dir(Session&, const Args& a) {
  Directory dir(opendir(a.at(0).c_str()));
  if (!dir) return {errno, {}};
  const auto name_of = [&](const char* kind, long i) { return a.at(0) + "/" + kind + std::to_string(i); };
  const auto make = [](const std::string& path) { close(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644)); };
  const long count = static_cast<long>(number(a.at(1)));
  for (long i = 0; i < count; i++) make(name_of("stay", i)), make(name_of("go", i));
  std::map<std::string, int> seen;
  const auto read_on = [&](long most) {
    while (most-- > 0) {
      dirent* entry = readdir(dir.get());
      if (!entry) break;
      seen[entry->d_name]++;
    }
  };
  rewinddir(dir.get());
  read_on(count / 2);
  const long position = telldir(dir.get());
  const auto first_part = seen;
  for (long i = 0; i < count; i++) make(name_of("new", i)), unlink(name_of("go", i).c_str());
  read_on(count * 10);
  long wrong = 0, missing = 0, extra = 0;
  for (long i = 0; i < count; i++) wrong += seen["stay" + std::to_string(i)] != 1;
  seen = first_part;
  seekdir(dir.get(), position);
  read_on(count * 10);
  for (long i = 0; i < count; i++) wrong += seen["stay" + std::to_string(i)] != 1;
  seen.clear();
  rewinddir(dir.get());
  read_on(count * 10);
  for (long i = 0; i < count; i++) {
    missing += seen["stay" + std::to_string(i)] != 1 || seen["new" + std::to_string(i)] != 1;
    extra += seen["go" + std::to_string(i)];
  }
  return {0, "wrong=" + std::to_string(wrong) + " missing=" + std::to_string(missing) + " extra=" + std::to_string(extra)};
}

// prefix first count: empty files, quickly
Reply make_many(Session&, const Args& a) {
  for (long long i = number(a.at(1)); i < number(a.at(1)) + number(a.at(2)); i++) {
    int fd = open((a.at(0) + std::to_string(i)).c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644);
    if (fd < 0) return {errno, {}};
    close(fd);
  }
  return {};
}

// prefix first count
Reply remove_many(Session&, const Args& a) {
  for (long long i = number(a.at(1)); i < number(a.at(1)) + number(a.at(2)); i++)
    if (unlink((a.at(0) + std::to_string(i)).c_str()) < 0) return {errno, {}};
  return {};
}

// Removes while reading, as rm -r does: answers how many were removed and how many are left.
Reply empty_dir(Session&, const Args& a) {
  Directory dir(opendir(a.at(0).c_str()));
  if (!dir) return {errno, {}};
  long removed = 0, left = 0;
  while (dirent* entry = readdir(dir.get())) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (unlinkat(dirfd(dir.get()), entry->d_name, 0) < 0) return {errno, {}};
    removed++;
  }
  Directory again(opendir(a.at(0).c_str()));
  while (again && readdir(again.get())) left++;
  return {0, std::to_string(removed) + " left=" + std::to_string(left - 2)};
}

}  // namespace

void add_name_ops(Table& t) {
  t["base"] = base;
  t["mkdir"] = make_dir;
  t["rmdir"] = remove_dir;
  t["unlink"] = remove_name;
  t["rename"] = move;
  t["link"] = make_link;
  t["linkfd"] = link_open;
  t["symlink"] = make_symlink;
  t["readlink"] = read_link;
  t["mknod"] = make_node;
  t["bind"] = bind_socket;
  t["list"] = list;
  t["seekdir"] = seek_dir;
  t["changingdir"] = changing_dir;
  t["many"] = make_many;
  t["unlinkmany"] = remove_many;
  t["emptydir"] = empty_dir;
}

}  // namespace driver

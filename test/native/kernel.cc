// What the kernel offers beside plain calls: watches, leases, limits, file handles, statx, calls with flags, programs.
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "session.h"

namespace driver {
namespace {

int& slot_fd(Session& s, const std::string& slot) { return s.files.try_emplace(std::stoi(slot), -1).first->second; }

// slot path mask: an inotify descriptor with one watch
Reply watch(Session& s, const Args& a) {
  const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0) return {errno, {}};
  if (inotify_add_watch(fd, a.at(1).c_str(), static_cast<uint32_t>(number(a.at(2)))) < 0) {
    const int error = errno;
    close(fd);
    return {error, {}};
  }
  slot_fd(s, a.at(0)) = fd;
  return {};
}

// slot: what came since, as mask:name, in order; waits a moment for the first
Reply events(Session& s, const Args& a) {
  const int fd = s.fd(a.at(0));
  pollfd ready{fd, POLLIN, 0};
  poll(&ready, 1, 200);
  alignas(inotify_event) char buffer[64 << 10];
  Reply reply;
  for (;;) {
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got <= 0) return got < 0 && errno != EAGAIN ? Reply{errno, {}} : reply;
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      char mask[16];
      snprintf(mask, sizeof mask, "%x", event->mask);
      reply.text += (reply.text.empty() ? "" : " ") + std::string(mask) + ":" + escape(event->len > 0 ? event->name : "");
      at += static_cast<ssize_t>(sizeof *event + event->len);
    }
  }
}

// slot read|write|none
Reply lease(Session& s, const Args& a) {
  signal(SIGIO, SIG_IGN);
  const int kind = a.at(1) == "read" ? F_RDLCK : a.at(1) == "write" ? F_WRLCK : F_UNLCK;
  return done(fcntl(s.fd(a.at(0)), F_SETLEASE, kind));
}

// bytes: RLIMIT_FSIZE of this process; -1 is none
Reply limit_size(Session&, const Args& a) {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{number(a.at(0)) < 0 ? RLIM_INFINITY : static_cast<rlim_t>(number(a.at(0))), RLIM_INFINITY};
  return done(setrlimit(RLIMIT_FSIZE, &limit));
}

// path: which of the basic fields and birth are answered, and the attributes that programs ask for
Reply stat_extended(Session&, const Args& a) {
  struct statx st {};
  if (statx(AT_FDCWD, a.at(0).c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &st) < 0) return {errno, {}};
  char mask[16];
  snprintf(mask, sizeof mask, "%x", st.stx_mask & (STATX_BASIC_STATS | STATX_BTIME));
  const bool ordered = st.stx_btime.tv_sec < st.stx_ctime.tv_sec ||
                       (st.stx_btime.tv_sec == st.stx_ctime.tv_sec && st.stx_btime.tv_nsec <= st.stx_ctime.tv_nsec);
  return {0, std::string("mask=") + mask + " blksize=" + std::to_string(st.stx_blksize) + (ordered ? " born-before-changed" : " odd-birth")};
}

Reply sync_file_system(Session& s, const Args& a) { return done(syncfs(s.fd(a.at(0)))); }

std::string pattern(size_t bytes, uint64_t seed) {
  std::string out(bytes, '\0');
  for (size_t i = 0; i < bytes; i++) out[i] = static_cast<char>((i * 131 + seed * 7919 + (i >> 8)) & 0xff);
  return out;
}

// slot offset length seed flags: pwritev2
Reply write_flags(Session& s, const Args& a) {
  std::string data = pattern(static_cast<size_t>(number(a.at(2))), static_cast<uint64_t>(number(a.at(3))));
  const iovec piece{data.data(), data.size()};
  return value(pwritev2(s.fd(a.at(0)), &piece, 1, number(a.at(1)), static_cast<int>(number(a.at(4)))));
}

struct Aligned {
  explicit Aligned(size_t bytes) : data(static_cast<char*>(aligned_alloc(4096, (bytes + 4095) / 4096 * 4096)), free) {}
  std::unique_ptr<char, void (*)(void*)> data;
};

// slot offset length seed: as O_DIRECT wants it, from an aligned buffer
Reply write_aligned(Session& s, const Args& a) {
  const auto bytes = static_cast<size_t>(number(a.at(2)));
  const Aligned buffer(bytes);
  memcpy(buffer.data.get(), pattern(bytes, static_cast<uint64_t>(number(a.at(3)))).data(), bytes);
  return value(pwrite(s.fd(a.at(0)), buffer.data.get(), bytes, number(a.at(1))));
}

// slot offset length
Reply read_aligned(Session& s, const Args& a) {
  const auto bytes = static_cast<size_t>(number(a.at(2)));
  const Aligned buffer(bytes);
  const ssize_t got = pread(s.fd(a.at(0)), buffer.data.get(), bytes, number(a.at(1)));
  if (got < 0) return {errno, {}};
  return {0, std::to_string(got) + " #" + std::to_string(hash(0, buffer.data.get(), static_cast<size_t>(got)))};
}

// slot flags|fiemap: what chattr(1) and filefrag(8) ask
Reply control(Session& s, const Args& a) {
  if (a.at(1) == "flags") {
    int flags = 0;
    return done(ioctl(s.fd(a.at(0)), FS_IOC_GETFLAGS, &flags));
  }
  fiemap map{};
  map.fm_length = FIEMAP_MAX_OFFSET;
  return done(ioctl(s.fd(a.at(0)), FS_IOC_FIEMAP, &map));
}

// path: the object is found again by its file handle
Reply reopen_by_handle(Session&, const Args& a) {
  alignas(file_handle) char room[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto* handle = reinterpret_cast<file_handle*>(room);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (name_to_handle_at(AT_FDCWD, a.at(0).c_str(), handle, &mount, 0) < 0) return {errno, {}};
  const int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int fd = open_by_handle_at(here, handle, O_PATH | O_CLOEXEC);
  const int error = errno;
  close(here);
  if (fd < 0) return {error, {}};
  struct stat by_name {}, by_handle {};
  const bool same = lstat(a.at(0).c_str(), &by_name) == 0 && fstat(fd, &by_handle) == 0 && by_name.st_ino == by_handle.st_ino;
  close(fd);
  return {0, same ? "same" : "another"};
}

// from to mode: a copy of a file from anywhere, as a program to execute
Reply import_file(Session&, const Args& a) {
  const int from = open(a.at(0).c_str(), O_RDONLY | O_CLOEXEC);
  const int to = open(a.at(1).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int error = from < 0 || to < 0 ? errno : 0;
  char buffer[64 << 10];
  for (ssize_t got; error == 0 && (got = read(from, buffer, sizeof buffer)) != 0;)
    if (got < 0 || write(to, buffer, static_cast<size_t>(got)) != got) error = errno;
  if (error == 0 && fchmod(to, static_cast<mode_t>(number(a.at(2)))) < 0) error = errno;
  if (from >= 0) close(from);
  if (to >= 0) close(to);
  return {error, {}};
}

// path arg ...: runs it; what it printed and its exit code, or the errno of execve(2)
Reply run_program(Session&, const Args& a) {
  int ends[2], told[2];
  if (pipe(ends) < 0 || pipe2(told, O_CLOEXEC) < 0) return {errno, {}};
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> argv;
    for (const std::string& one : a) argv.push_back(const_cast<char*>(one.c_str()));
    argv.push_back(nullptr);
    char* envp[] = {nullptr};
    dup2(ends[1], 1);
    execve(a.at(0).c_str(), argv.data(), envp);
    const int error = errno;
    _exit(write(told[1], &error, sizeof error) == sizeof error ? 126 : 127);
  }
  close(ends[1]);
  close(told[1]);
  std::string out;
  char buffer[4096];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) out.append(buffer, static_cast<size_t>(got));
  int error = 0, status = 0;
  const ssize_t got = read(told[0], &error, sizeof error);
  close(ends[0]);
  close(told[0]);
  waitpid(child, &status, 0);
  if (got == sizeof error) return {error, {}};
  return {0, escape(out) + " exit=" + std::to_string(WEXITSTATUS(status))};
}

// slot path arg ...: starts it and answers when it runs; `stop` ends it
Reply start_program(Session& s, const Args& a) {
  int told[2];
  if (pipe2(told, O_CLOEXEC) < 0) return {errno, {}};
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> argv;
    for (size_t i = 1; i < a.size(); i++) argv.push_back(const_cast<char*>(a[i].c_str()));
    argv.push_back(nullptr);
    char* envp[] = {nullptr};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execve(a.at(1).c_str(), argv.data(), envp);
    const int error = errno;
    _exit(write(told[1], &error, sizeof error) == sizeof error ? 126 : 127);
  }
  close(told[1]);
  int error = 0;
  const ssize_t got = read(told[0], &error, sizeof error);
  close(told[0]);
  if (got != sizeof error) return s.children[std::stoi(a.at(0))] = child, Reply{};
  waitpid(child, nullptr, 0);
  return {error, {}};
}

// slot
Reply stop_program(Session& s, const Args& a) {
  const pid_t child = s.children.at(std::stoi(a.at(0)));
  s.children.erase(std::stoi(a.at(0)));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return {};
}

// map-slot offset: reads one byte of a mapping in a child: its value, or the signal that came of it
Reply touch_mapping(Session& s, const Args& a) {
  const char* at = s.maps.at(std::stoi(a.at(0))).data + number(a.at(1));
  const pid_t child = fork();
  if (child == 0) _exit(*reinterpret_cast<const volatile unsigned char*>(at));
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return {0, std::string("SIG") + sigabbrev_np(WTERMSIG(status))};
  return {0, std::to_string(WEXITSTATUS(status))};
}

// path prefix rounds: creates prefix<i> with O_EXCL for each i; how many this process was first at
Reply race(Session&, const Args& a) {
  long won = 0;
  for (long long i = 0; i < number(a.at(2)); i++) {
    const std::string name = a.at(1) + std::to_string(i);
    int result;
    if (a.at(0) == "open") {
      result = open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
      if (result >= 0) close(result);
    } else if (a.at(0) == "mkdir") {
      result = mkdir(name.c_str(), 0755);
    } else if (a.at(0) == "symlink") {
      result = symlink("x", name.c_str());
    } else if (a.at(0) == "link") {
      result = link("source", name.c_str());
    } else if (a.at(0) == "rmdir") {
      result = rmdir(name.c_str());
    } else {
      result = unlink(name.c_str());
    }
    if (result >= 0) won++;
    else if (errno != EEXIST && errno != ENOENT) return {errno, {}};
  }
  return {0, std::to_string(won)};
}

}  // namespace

void add_kernel_ops(Table& t) {
  t["watch"] = watch;
  t["events"] = events;
  t["lease"] = lease;
  t["limitsize"] = limit_size;
  t["statx"] = stat_extended;
  t["syncfs"] = sync_file_system;
  t["writeflags"] = write_flags;
  t["writealigned"] = write_aligned;
  t["readaligned"] = read_aligned;
  t["ioctl"] = control;
  t["byhandle"] = reopen_by_handle;
  t["import"] = import_file;
  t["run"] = run_program;
  t["start"] = start_program;
  t["stop"] = stop_program;
  t["touchmap"] = touch_mapping;
  t["race"] = race;
}

}  // namespace driver

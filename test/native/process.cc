// Operations on the process itself: who it is, its umask, locks, executing a file.
#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session.h"

namespace driver {
namespace {

// uid gid [group ...]: the effective identity; 0 0 is root again
Reply act_as(Session&, const Args& a) {
  if (seteuid(0) < 0 || setegid(0) < 0) return {errno, {}};
  std::vector<gid_t> groups;
  for (size_t i = 2; i < a.size(); i++) groups.push_back(static_cast<gid_t>(number(a[i])));
  if (setgroups(groups.size(), groups.data()) < 0) return {errno, {}};
  if (setegid(static_cast<gid_t>(number(a.at(1)))) < 0) return {errno, {}};
  return done(seteuid(static_cast<uid_t>(number(a.at(0)))));
}

Reply mask(Session&, const Args& a) {
  umask(static_cast<mode_t>(number(a.at(0))));
  return {};
}

Reply lock_file(Session& s, const Args& a) { return done(flock(s.fd(a.at(0)), static_cast<int>(number(a.at(1))))); }

struct flock range(const Args& a) {
  struct flock lock {};
  lock.l_type = a.at(1) == "read" ? F_RDLCK : a.at(1) == "write" ? F_WRLCK : F_UNLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = number(a.at(2));
  lock.l_len = number(a.at(3));
  return lock;
}

// slot read|write|unlock start length
Reply lock_range(Session& s, const Args& a) {
  struct flock lock = range(a);
  return done(fcntl(s.fd(a.at(0)), F_SETLK, &lock));
}

// The same, but waits; EDEADLK where that would be for ever
Reply lock_range_wait(Session& s, const Args& a) {
  struct flock lock = range(a);
  return done(fcntl(s.fd(a.at(0)), F_SETLKW, &lock));
}

Reply lock_range_open(Session& s, const Args& a) {
  struct flock lock = range(a);
  return done(fcntl(s.fd(a.at(0)), F_OFD_SETLK, &lock));
}

Reply test_range(Session& s, const Args& a) {
  struct flock lock = range(a);
  if (fcntl(s.fd(a.at(0)), F_GETLK, &lock) < 0) return {errno, {}};
  return {0, lock.l_type == F_UNLCK ? "free" : lock.l_type == F_RDLCK ? "read" : "write"};
}

// Executes path: its exit code, or the errno of execve(2).
Reply execute(Session&, const Args& a) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return {errno, {}};
  pid_t child = fork();
  if (child == 0) {
    char* argv[] = {const_cast<char*>(a.at(0).c_str()), nullptr};
    char* envp[] = {nullptr};
    execve(a.at(0).c_str(), argv, envp);
    int error = errno;
    _exit(write(ends[1], &error, sizeof error) == sizeof error ? 126 : 127);
  }
  close(ends[1]);
  int error = 0, status = 0;
  ssize_t got = read(ends[0], &error, sizeof error);
  close(ends[0]);
  waitpid(child, &status, 0);
  if (got == sizeof error) return {error, {}};
  return {0, "exit=" + std::to_string(WEXITSTATUS(status))};
}

}  // namespace

void add_process_ops(Table& t) {
  t["as"] = act_as;
  t["umask"] = mask;
  t["flock"] = lock_file;
  t["lock"] = lock_range;
  t["lockwait"] = lock_range_wait;
  t["ofdlock"] = lock_range_open;
  t["testlock"] = test_range;
  t["exec"] = execute;
}

}  // namespace driver

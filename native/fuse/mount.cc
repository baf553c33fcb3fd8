#include "fuse/mount.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <vector>

extern char** environ;

namespace rewindfs::fuse {
namespace {

constexpr int kHelperFd = 3;

struct Ended {
  int status;        // its exit code, or a negative errno when it could not be started
  std::string said;  // on stderr, without the line feed at its end
};

std::string read_to_end(int fd) {
  std::string text;
  char buffer[1024];
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

// Runs a program to its end. comm (if not -1) becomes its descriptor kHelperFd.
Ended run(const std::vector<std::string>& words, const std::vector<std::string>& extra_environment, int comm = -1) {
  std::vector<char*> argv, env;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  for (char** entry = environ; *entry != nullptr; ++entry) env.push_back(*entry);
  for (const auto& entry : extra_environment) env.push_back(const_cast<char*>(entry.c_str()));
  env.push_back(nullptr);
  int pair[2];
  if (pipe2(pair, O_CLOEXEC) != 0) return {-errno, {}};
  const UniqueFd out(pair[0]);
  UniqueFd in(pair[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.get(), STDERR_FILENO);
  if (comm >= 0) posix_spawn_file_actions_adddup2(&actions, comm, kHelperFd);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&actions);
  in.reset();
  if (error != 0) return {-error, {}};
  std::string said = read_to_end(out.get());
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 255, std::move(said)};
}

Failure no_helper() { return {ENOENT, "fusermount3", "", "ERR_NO_FUSERMOUNT", "fusermount3 is not installed"}; }

// The descriptor that fusermount3 sends over its end of a socket pair.
Outcome<UniqueFd> receive_fd(int socket) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = 0;
  while ((got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  const cmsghdr* head = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (head == nullptr || head->cmsg_type != SCM_RIGHTS) return Failure{EPROTO, "fusermount3", "", "ERR_MOUNT_FAILED"};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
  return UniqueFd(fd);
}

std::string flag_words(const MountOptions& options) {
  std::string words = options.read_only ? "ro" : "rw";
  if (options.nosuid) words += ",nosuid";
  if (options.nodev) words += ",nodev";
  if (options.noexec) words += ",noexec";
  return words;
}

// A comma or backslash in the source would end the option.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ',' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

Outcome<UniqueFd> mount_by_helper(const MountOptions& options) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return Failure{errno, "socketpair"};
  const UniqueFd ours(pair[0]), theirs(pair[1]);
  std::string words = flag_words(options) + ",default_permissions,fsname=" + escaped(options.source) +
                      ",subtype=" + options.subtype;
  if (options.max_read != 0) words += ",max_read=" + std::to_string(options.max_read);
  const auto [status, said] = run({"fusermount3", "-o", words, "--", options.mountpoint},
                         {"_FUSE_COMMFD=" + std::to_string(kHelperFd)}, theirs.get());
  if (status == -ENOENT) return no_helper();
  if (status != 0) {
    return Failure{EPERM, {}, {}, "ERR_MOUNT_FAILED", said.empty() ? "fusermount3 ended with " + std::to_string(status) : said};
  }
  return receive_fd(ours.get());
}

}  // namespace

Outcome<UniqueFd> mount(const MountOptions& options) {
  struct stat root;
  if (::stat(options.mountpoint.c_str(), &root) != 0) return Failure{errno, "stat", options.mountpoint};
  UniqueFd fd(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!fd.valid()) return Failure{errno, "open", "/dev/fuse", "ERR_NO_FUSE"};
  char data[256];
  snprintf(data, sizeof data, "fd=%d,rootmode=%o,user_id=%u,group_id=%u,default_permissions%s", fd.get(),
           root.st_mode & S_IFMT, getuid(), getgid(), geteuid() == 0 ? ",allow_other" : "");
  std::string words = data;
  if (options.max_read != 0) words += ",max_read=" + std::to_string(options.max_read);
  const unsigned long flags = (options.read_only ? MS_RDONLY : 0) | (options.nosuid ? MS_NOSUID : 0) |
                              (options.nodev ? MS_NODEV : 0) | (options.noexec ? MS_NOEXEC : 0);
  const std::string type = "fuse." + options.subtype;
  if (::mount(options.source.c_str(), options.mountpoint.c_str(), type.c_str(), flags, words.c_str()) == 0) return fd;
  if (errno != EPERM) return Failure{errno, "mount", options.mountpoint, "ERR_MOUNT_FAILED"};
  return mount_by_helper(options);
}

Outcome<Done> unmount(const std::string& mountpoint, bool lazy) {
  if (umount2(mountpoint.c_str(), (lazy ? MNT_DETACH : 0) | UMOUNT_NOFOLLOW) == 0) return Done{};
  if (errno != EPERM) return Failure{errno, "umount2", mountpoint};
  const auto [status, said] = lazy ? run({"fusermount3", "-u", "-z", "--", mountpoint}, {})
                                   : run({"fusermount3", "-u", "--", mountpoint}, {});
  if (status == -ENOENT) return no_helper();
  if (status != 0) return Failure{EBUSY, "fusermount3 -u", mountpoint, {}, said};
  return Done{};
}

}  // namespace rewindfs::fuse

// `cut-disk MOUNTPOINT LOG NAME=IMAGE...`: a file system with one file a disk, for loop devices to lie on. Each write and
// each flush that reaches a disk goes to the log, so that any instant of it can be made again, with and without what no
// flush had covered yet. Ends when it is unmounted.
//
// One thread: the order of the log is the order in which the disks took the requests.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "fuse/call.h"
#include "fuse/mount.h"
#include "fuse/wire.h"
#include "log.h"

namespace rewindfs::disk {
namespace {

using fuse::Call;
using fuse::Op;

constexpr uint64_t kValid_s = 3600;
constexpr uint64_t kFirstDisk = fuse::kRootId + 1;

struct Disk {
  std::string name;
  UniqueFd image;
  uint64_t size = 0;
};

class Disks {
 public:
  Disks(std::vector<Disk> disks, Log log) : disks_(std::move(disks)), log_(std::move(log)) {}

  void answer(Call& call) {
    switch (static_cast<Op>(call.head.opcode)) {
      case Op::kInit: return init(call);
      case Op::kLookup: return lookup(call);
      case Op::kGetattr:
      case Op::kSetattr: return call.ok(fuse::AttrOut{kValid_s, 0, 0, attributes(call.head.nodeid)});
      case Op::kOpen:
      case Op::kOpendir: return call.ok(fuse::OpenOut{0, fuse::kFopenKeepCache, 0});
      case Op::kRead: return read(call);
      case Op::kWrite: return write(call);
      case Op::kFsync: return flush(call);
      case Op::kStatfs: return call.ok(fuse::StatfsOut{});
      case Op::kReaddir:
      case Op::kRelease:
      case Op::kReleasedir:
      case Op::kFlush:
      case Op::kDestroy: return call.ok();
      case Op::kForget:
      case Op::kBatchForget:
      case Op::kInterrupt: return call.no_answer();
      default: return call.fail(ENOSYS);
    }
  }

 private:
  Disk* disk(uint64_t nodeid) {
    return nodeid >= kFirstDisk && nodeid - kFirstDisk < disks_.size() ? &disks_[nodeid - kFirstDisk] : nullptr;
  }

  fuse::Attr attributes(uint64_t nodeid) {
    fuse::Attr attr{};
    attr.ino = nodeid;
    attr.nlink = 1;
    attr.mode = S_IFDIR | 0700;
    if (const Disk* one = disk(nodeid)) {
      attr.mode = S_IFREG | 0600;
      attr.size = one->size;
      attr.blocks = one->size / 512;
    }
    return attr;
  }

  static void init(Call& call) {
    const auto* in = call.take<fuse::InitIn>();
    if (in == nullptr) return call.fail(EPROTO);
    fuse::InitOut out{};
    out.major = fuse::kMajor;
    out.minor = fuse::kMinor;
    out.max_readahead = in->max_readahead;
    out.flags = in->flags & static_cast<uint32_t>(fuse::kBigWrites | fuse::kMaxPages | fuse::kAsyncRead);
    out.max_background = 64;
    out.congestion_threshold = 48;
    out.max_write = fuse::kMaxWriteBytes;
    out.max_pages = fuse::kMaxWriteBytes / 4096;
    out.time_gran = 1;
    call.ok(out);
  }

  void lookup(Call& call) {
    const std::string_view name = call.take_string();
    for (size_t i = 0; i < disks_.size(); ++i) {
      if (disks_[i].name != name) continue;
      const uint64_t nodeid = kFirstDisk + i;
      return call.ok(fuse::EntryOut{nodeid, 0, kValid_s, kValid_s, 0, 0, attributes(nodeid)});
    }
    call.fail(ENOENT);
  }

  void read(Call& call) {
    const auto* in = call.take<fuse::ReadIn>();
    const Disk* one = disk(call.head.nodeid);
    if (in == nullptr || one == nullptr || in->size > call.out().size()) return call.fail(EINVAL);
    const ssize_t got = pread(one->image.get(), call.out().data(), in->size, static_cast<off_t>(in->offset));
    if (got < 0) return call.fail(errno);
    call.ok_bytes(static_cast<size_t>(got));
  }

  void write(Call& call) {
    const auto* in = call.take<fuse::WriteIn>();
    const Disk* one = disk(call.head.nodeid);
    if (in == nullptr || one == nullptr || call.rest().size() < in->size) return call.fail(EINVAL);
    const std::span<const std::byte> data = call.rest().first(in->size);
    log_.add(Kind::kWrite, static_cast<uint16_t>(call.head.nodeid - kFirstDisk), in->offset, data);
    const ssize_t written = pwrite(one->image.get(), data.data(), data.size(), static_cast<off_t>(in->offset));
    if (written != static_cast<ssize_t>(data.size())) return call.fail(written < 0 ? errno : EIO);
    call.ok(fuse::WriteOut{in->size, 0});
  }

  void flush(Call& call) {
    if (disk(call.head.nodeid) == nullptr) return call.fail(EINVAL);
    log_.add(Kind::kFlush, static_cast<uint16_t>(call.head.nodeid - kFirstDisk), 0, {});
    call.ok();
  }

  std::vector<Disk> disks_;
  Log log_;
};

int serve(int connection, Disks& disks) {
  std::vector<uint64_t> request(fuse::kRequestBufferBytes / 8), room(fuse::kRequestBufferBytes / 8);
  const volatile bool never = false;
  while (true) {
    const ssize_t got = ::read(connection, request.data(), fuse::kRequestBufferBytes);
    if (got < 0 && (errno == EINTR || errno == ENOENT)) continue;
    if (got < static_cast<ssize_t>(sizeof(fuse::InHeader))) return got < 0 && errno == ENODEV ? 0 : 1;
    const auto& head = *reinterpret_cast<const fuse::InHeader*>(request.data());
    const auto frame = std::as_bytes(std::span(request)).first(static_cast<size_t>(got));
    Call call(head, frame.subspan(sizeof head), {}, std::as_writable_bytes(std::span(room)), &never);
    disks.answer(call);
    if (call.silent()) continue;
    fuse::OutHeader out{static_cast<uint32_t>(sizeof(fuse::OutHeader) + call.answer().size()), -call.error(), head.unique};
    const iovec parts[2] = {{&out, sizeof out}, {const_cast<std::byte*>(call.answer().data()), call.answer().size()}};
    if (writev(connection, parts, call.answer().empty() ? 1 : 2) < 0 && errno != ENOENT) return 1;
  }
}

int run(int count, char** words) {
  if (count < 4) {
    std::fputs("usage: cut-disk MOUNTPOINT LOG NAME=IMAGE...\n", stderr);
    return 2;
  }
  std::vector<Disk> disks;
  for (int i = 3; i < count; ++i) {
    const std::string_view word = words[i];
    const size_t equals = word.find('=');
    const std::string path(word.substr(equals + 1));
    Disk one{std::string(word.substr(0, equals)), UniqueFd(open(path.c_str(), O_RDWR | O_CLOEXEC))};
    struct stat status{};
    if (!one.image.valid() || fstat(one.image.get(), &status) != 0) {
      std::perror(path.c_str());
      return 1;
    }
    one.size = static_cast<uint64_t>(status.st_size);
    disks.push_back(std::move(one));
  }
  Disks answering(std::move(disks), Log(words[2]));
  auto mounted = fuse::mount({.mountpoint = words[1], .source = "cut-disk", .subtype = "cut-disk"});
  if (!mounted.ok()) {
    std::fprintf(stderr, "mount: %s\n", std::strerror(mounted.failure().error));
    return 1;
  }
  return serve(mounted->get(), answering);
}

}  // namespace
}  // namespace rewindfs::disk

int main(int count, char** words) { return rewindfs::disk::run(count, words); }

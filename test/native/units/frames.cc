// The engine as bytes in, bytes out: frames as the kernel would send them, and frames that it never would.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "fuse/dispatcher.h"
#include "harness.h"
#include "live/operations.h"
#include "memory_recorder.h"

namespace rewindfs::test {
namespace {

using namespace fuse;
using journal::Kind;

// A frame under construction, 8-byte aligned as in a session.
class Frame {
 public:
  Frame(Op op, uint64_t nodeid) {
    InHeader head{};
    head.opcode = static_cast<uint32_t>(op);
    head.unique = 42;
    head.nodeid = nodeid;
    head.pid = static_cast<uint32_t>(getpid());
    add(head);
  }
  template <typename T>
  Frame& add(const T& value) {
    return add_bytes({reinterpret_cast<const char*>(&value), sizeof value});
  }
  Frame& add_name(std::string_view name) { return add_bytes(std::string(name) + '\0'); }
  Frame& add_bytes(std::string_view bytes) {
    words_.resize((size_ + bytes.size() + 7) / 8);
    std::memcpy(reinterpret_cast<char*>(words_.data()) + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    reinterpret_cast<InHeader*>(words_.data())->len = static_cast<uint32_t>(size_);
    return *this;
  }
  InHeader& head() { return *reinterpret_cast<InHeader*>(words_.data()); }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(words_)).first(size_); }

 private:
  std::vector<uint64_t> words_;
  size_t size_ = 0;
};

struct Answer {
  int error = 0;
  std::string body;
  template <typename T>
  T as() const {
    T value{};
    if (body.size() >= sizeof value) std::memcpy(&value, body.data(), sizeof value);
    return value;
  }
};

// A tree without a mount; the kernel's part is played by the test.
class Server {
 public:
  Server() {
    std::filesystem::create_directory(root);
    auto opened = live::Tree::open(UniqueFd(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), recorder, {".snapshots", ""});
    CHECK(opened.ok());
    tree = std::move(*opened);
    dispatcher = std::make_unique<Dispatcher<live::Tree>>(*tree, live::operations());
  }

  Answer send(std::span<const std::byte> frame) {
    std::span<const std::byte> body, extensions;
    const InHeader* head = parse_frame(frame, body, extensions);
    if (head == nullptr) return {-1, {}};  // dropped
    Call call(*head, body, extensions, room, &never);
    dispatcher->handle(call);
    const auto answer = call.answer();
    return {call.error(), call.error() ? "" : std::string(reinterpret_cast<const char*>(answer.data()), answer.size())};
  }
  Answer send(const Frame& frame) { return send(frame.bytes()); }

  Answer create(std::string_view name) {
    return send(Frame(Op::kCreate, kRootId).add(CreateIn{O_RDWR | O_CREAT, S_IFREG | 0644, 022, 0}).add_name(name));
  }
  Answer write(uint64_t node, uint64_t fh, uint64_t offset, std::string_view data) {
    WriteIn in{};
    in.fh = fh;
    in.offset = offset;
    in.size = static_cast<uint32_t>(data.size());
    return send(Frame(Op::kWrite, node).add(in).add_bytes(data));
  }

  TempDirectory base;
  const std::string root = base / "tree";
  MemoryRecorder recorder;
  std::unique_ptr<live::Tree> tree;
  std::unique_ptr<Dispatcher<live::Tree>> dispatcher;
  std::vector<std::byte> room = std::vector<std::byte>(kMaxWriteBytes + 4096);
  volatile bool never = false;
};

struct Created {
  EntryOut entry;
  OpenOut open;
};

TEST("frames: a file is created, written, read and forgotten, and each change is one record") {
  Server server;
  const auto made = server.create("f").as<Created>();
  CHECK(made.entry.nodeid > kRootId);
  CHECK_EQ(server.write(made.entry.nodeid, made.open.fh, 3, "abc").as<WriteOut>().size, 3u);
  ReadIn read{};
  read.fh = made.open.fh;
  read.size = 4096;
  CHECK_EQ(server.send(Frame(Op::kRead, made.entry.nodeid).add(read)).body, std::string("\0\0\0abc", 6));
  ReleaseIn release{};
  release.fh = made.open.fh;
  CHECK_EQ(server.send(Frame(Op::kRelease, made.entry.nodeid).add(release)).error, 0);
  CHECK_EQ(server.recorder.count(Kind::kCreate), 1u);
  CHECK_EQ(server.recorder.count(Kind::kWrite), 1u);
  CHECK_EQ(server.recorder.count(Kind::kClose), 1u);
  CHECK_EQ(server.tree->inodes.size(), 2u);
  server.send(Frame(Op::kForget, made.entry.nodeid).add(ForgetIn{1}));
  CHECK_EQ(server.tree->inodes.size(), 1u);
  CHECK_EQ(server.send(Frame(Op::kGetattr, made.entry.nodeid).add(GetattrIn{})).error, ESTALE);
}

TEST("frames: names that lead out of a directory are refused, and nothing outside is touched") {
  Server server;
  std::ofstream(server.base / "outside") << "safe";
  for (const std::string name : {"", ".", "..", "../outside", "a/b", "/etc/passwd"}) {
    CHECK(server.send(Frame(Op::kLookup, kRootId).add_name(name)).error != 0);
    CHECK(server.create(name).error != 0);
    CHECK(server.send(Frame(Op::kUnlink, kRootId).add_name(name)).error != 0);
    CHECK(server.send(Frame(Op::kMkdir, kRootId).add(MkdirIn{0755, 0}).add_name(name)).error != 0);
    CHECK(server.send(Frame(Op::kRename, kRootId).add(RenameIn{kRootId}).add_name(name).add_name("x")).error != 0);
  }
  CHECK(std::filesystem::exists(server.base / "outside"));
  CHECK(std::filesystem::is_empty(server.root));
}

TEST("frames: where the journal has no room, ENOSPC is answered and nothing changes") {
  Server server;
  const auto made = server.create("f").as<Created>();
  const size_t records = server.recorder.records().size();
  server.recorder.fail_reserve = ENOSPC;
  CHECK_EQ(server.write(made.entry.nodeid, made.open.fh, 0, "lost").error, ENOSPC);
  CHECK_EQ(server.create("g").error, ENOSPC);
  CHECK_EQ(server.send(Frame(Op::kUnlink, kRootId).add_name("f")).error, ENOSPC);
  CHECK_EQ(server.send(Frame(Op::kMkdir, kRootId).add(MkdirIn{0755, 0}).add_name("d")).error, ENOSPC);
  CHECK_EQ(server.send(Frame(Op::kRename, kRootId).add(RenameIn{kRootId}).add_name("f").add_name("h")).error, ENOSPC);
  SetattrIn set{};
  set.valid = kValidMode;
  CHECK_EQ(server.send(Frame(Op::kSetattr, made.entry.nodeid).add(set)).error, ENOSPC);
  // The end of a save has its room since the open.
  ReleaseIn release{};
  release.fh = made.open.fh;
  CHECK_EQ(server.send(Frame(Op::kRelease, made.entry.nodeid).add(release)).error, 0);
  CHECK_EQ(server.recorder.records().size(), records + 1);
  CHECK_EQ(server.recorder.count(Kind::kClose), 1u);
  CHECK_EQ(std::filesystem::file_size(server.root + "/f"), 0u);
  CHECK_EQ(std::distance(std::filesystem::directory_iterator(server.root), {}), 1);
}

TEST("frames: the snapshots directory is found, empty, and cannot be made, removed or renamed") {
  Server server;
  const auto entry = server.send(Frame(Op::kLookup, kRootId).add_name(".snapshots")).as<EntryOut>();
  CHECK_EQ(entry.attr.mode, static_cast<uint32_t>(S_IFDIR | 0555));
  CHECK_EQ(server.send(Frame(Op::kMkdir, kRootId).add(MkdirIn{0755, 0}).add_name(".snapshots")).error, EEXIST);
  CHECK_EQ(server.send(Frame(Op::kRmdir, kRootId).add_name(".snapshots")).error, EBUSY);
  CHECK_EQ(server.send(Frame(Op::kRename, kRootId).add(RenameIn{kRootId}).add_name(".snapshots").add_name("x")).error, EBUSY);
  CHECK(server.send(Frame(Op::kCreate, entry.nodeid).add(CreateIn{}).add_name("f")).error != 0);
  CHECK_EQ(server.recorder.records().size(), server.recorder.count(Kind::kWriter));
}

TEST("frames: a header that lies about its length is dropped, a body cut short is EINVAL, an unknown opcode ENOSYS") {
  Server server;
  Frame lying(Op::kGetattr, kRootId);
  lying.add(GetattrIn{});
  lying.head().len += 8;
  CHECK_EQ(server.send(lying).error, -1);
  lying.head().len -= 8;
  lying.head().extension_words = 100;
  CHECK_EQ(server.send(lying).error, -1);
  CHECK_EQ(server.send(Frame(Op::kWrite, kRootId).add(uint64_t{1})).error, EINVAL);
  WriteIn beyond{};
  beyond.size = 1 << 20;
  CHECK_EQ(server.send(Frame(Op::kWrite, kRootId).add(beyond)).error, EINVAL);
  CHECK(server.send(Frame(Op::kLookup, kRootId).add_bytes("no end")).error != 0);
  CHECK_EQ(server.send(Frame(static_cast<Op>(4096), kRootId)).error, ENOSYS);
  CHECK_EQ(server.send(Frame(static_cast<Op>(0xffffffff), kRootId)).error, ENOSYS);
}

// What a file may be called by chance, so that some frames get through.
std::string random_body(std::mt19937_64& random) {
  static const char* const kNames[] = {"f", "d", "..", "/", ".snapshots", "x"};
  std::string body;
  for (unsigned parts = random() % 8; parts > 0; --parts) {
    if (random() % 2) {
      const uint64_t number = random() % 3 ? random() % 128 : random();
      body.append(reinterpret_cast<const char*>(&number), 4 + random() % 5);
    } else {
      body.append(kNames[random() % std::size(kNames)]).push_back(random() % 8 ? '\0' : 'y');
    }
  }
  return body;
}

TEST("frames: no garbage crashes the engine or reaches beyond the tree") {
  Server server;
  std::mt19937_64 random(seed());
  std::ofstream(server.base / "outside") << "safe";
  for (int i = 0; i < 200'000; ++i) {
    const auto op = static_cast<Op>(random() % 56);
    if (op == Op::kSyncfs || op == Op::kFsync || op == Op::kFsyncdir || op == Op::kFallocate) continue;  // slow, or fills the disk
    Frame frame(op, random() % 3 ? random() % 80 : random());
    frame.add_bytes(random_body(random));
    if (random() % 16 == 0) frame.head().extension_words = static_cast<uint16_t>(random());
    server.send(frame);
  }
  std::string content;
  std::ifstream(server.base / "outside") >> content;
  CHECK_EQ(content, "safe");
  CHECK_EQ(std::distance(std::filesystem::directory_iterator(server.base.path()), {}), 2);
  CHECK_EQ(server.send(Frame(Op::kGetattr, kRootId).add(GetattrIn{})).error, 0);
}

}  // namespace
}  // namespace rewindfs::test

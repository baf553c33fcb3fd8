// The engine as bytes in, bytes out: frames as the kernel would send them, and frames that it never would.
#include <fstream>

#include "frame_server.h"

namespace rewindfs::test {
namespace {

using namespace fuse;
using journal::Kind;

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

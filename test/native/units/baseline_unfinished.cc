// The baseline when not all goes well: a walk that goes on with one cut short, content that is not all there, no room.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <set>

#include "baseline_session.h"

namespace rewindfs::test {
namespace {

// Inode numbers of which a record says that their content is all there.
std::set<uint64_t> captured(const std::vector<Kept>& records) {
  std::set<uint64_t> inodes;
  for (const Kept& kept : records) {
    if (kept.kind == Kind::kBaseData && (kept.flags & journal::kCaptured)) CHECK(inodes.insert(kept.ino).second);
  }
  return inodes;
}

TEST("with the last of a file's content, whoever comes to it, is said that it is whole") {
  const TempDirectory root;
  make_sample_tree(root.path());
  write_file(root / "holes", "x");
  CHECK_EQ(::truncate((root / "holes").c_str(), 9 << 20), 0);
  std::set<uint64_t> files;
  for (const auto& [ino, node] : read_image(root.path()).nodes) {
    if (S_ISREG(node.attr.mode) && node.attr.size > 0) files.insert(ino);
  }
  Session session(root.path());
  CHECK(session.engine.write("d0/f11", 70000, "in the middle"));
  CHECK(session.engine.unlink("d0/f10"));
  session.baseline.start();
  session.finish();
  CHECK(captured(session.recorder.records()) == files);
}

// The tree of a first mount whose walk had come to d0 alone when it was cut short.
struct CutShort {
  CutShort() {
    make_sample_tree(root.path());
    const uint64_t root_ino = SmallEngine(root.path()).root_ino();
    const Image all = read_image(root.path());
    const uint64_t d0 = all.names.at({root_ino, "d0"});
    known.nodes[root_ino] = all.nodes.at(root_ino);
    for (const auto& [place, ino] : all.names) {
      if (place.first != d0 && ino != d0) continue;
      known.names[place] = ino;
      known.nodes[ino] = all.nodes.at(ino);
    }
    usleep(100'000);
    since_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
  TempDirectory root;
  Image known;
  int64_t since_ns = 0;
};

TEST("a walk that goes on with one that was cut short tells what was so all the time from what may be new") {
  const CutShort cut;
  const auto at = [&](const char* name) { return cut.root / name; };
  write_file(at("d1/f3"), "written while unmounted");
  write_file(at("d2/new"), "made while unmounted");
  CHECK_EQ(::rename(at("d3/f5").c_str(), at("d3/moved").c_str()), 0);
  const Image then = read_image(cut.root.path());
  Session session(cut.root.path());
  session.baseline.go_on(cut.since_ns);
  session.expect(cut.known);
  session.baseline.start();
  session.finish();
  check_image(session, cut.known, then);
  const auto inode = [&](const char* path) {
    struct stat status {};
    CHECK_EQ(stat(at(path).c_str(), &status), 0);
    return status.st_ino;
  };
  const std::set<uint64_t> nodes{inode("d1/f3"), inode("d2"), inode("d2/new"), inode("d3"), inode("d3/moved")};
  for (const Kept& kept : session.recorder.records()) {
    if (kept.kind == Kind::kBaseNode || kept.kind == Kind::kBaseName) {
      CHECK_EQ(kept.flags, uint16_t(nodes.contains(kept.ino) ? journal::kUnmounted : journal::kInitial));
    }
    if (kept.kind == Kind::kBaseData && !nodes.contains(kept.ino)) CHECK_EQ(kept.flags & ~journal::kCaptured, 0);
  }
  CHECK_EQ(session.recorder.count(Kind::kBaseAbsent), 0u);
}

TEST("a file that history knows without its name has had the name from the first mount on, unless it was changed meanwhile") {
  for (const bool changed : {false, true}) {
    const CutShort cut;
    Image known = cut.known;
    const std::string path = cut.root / "d1/f3";
    write_file(path, "written in the first session");  // its record says what it was then
    struct stat status {};
    CHECK_EQ(stat(path.c_str(), &status), 0);
    known.nodes[status.st_ino] = read_image(cut.root.path()).nodes.at(status.st_ino);
    const std::string packed = pack_expected(known);
    if (changed) {
      usleep(20'000);
      CHECK_EQ(::rename(path.c_str(), (path + "-moved").c_str()), 0);
    }
    Session session(cut.root.path());
    session.baseline.go_on(cut.since_ns);
    session.baseline.expect(std::as_bytes(std::span(packed)));
    session.baseline.start();
    session.finish();
    for (const Kept& kept : session.recorder.records()) {
      if (kept.ino != status.st_ino) continue;
      if (kept.kind == Kind::kBaseName) CHECK_EQ(kept.flags, uint16_t(changed ? journal::kUnmounted : journal::kInitial));
      else CHECK(changed);
    }
  }
}

TEST("a file that cannot be read is never said to be whole, and is told of once") {
  const TempDirectory root;
  const Unprivileged user(root.path());
  write_file(root / "secret", "secret");
  CHECK_EQ(::chmod((root / "secret").c_str(), 0), 0);
  Image known;
  for (const bool again : {false, true}) {
    Session session(root.path());
    if (again) {
      std::string packed = pack_expected(known);
      packed[packed.rfind("secret") - 68 + 19] |= static_cast<char>(0x80);  // history lacks its content
      session.baseline.expect(std::as_bytes(std::span(packed)));
    }
    session.baseline.start();
    session.finish(!again);
    CHECK(captured(session.recorder.records()).empty());
    known = read_image(root.path());
  }
}

TEST("a walk that finds no room, at its beginning or at its end, waits for it") {
  for (const bool at_the_end : {false, true}) {
    const TempDirectory root;
    make_sample_tree(root.path());
    const Image before = read_image(root.path());
    Session session(root.path());
    session.expect(before);
    if (!at_the_end) {
      CHECK(session.engine.unlink("d0/sub/deep") && session.engine.unlink("d0/sub/hard") && session.engine.rmdir("d0/sub"));
    }
    std::atomic<bool> full{false};
    session.recorder.on_reserve = [&] {
      if (full || (at_the_end && session.baseline.progress().directories < 13)) return;
      session.recorder.fail_reserve = ENOSPC;
      full = true;
    };
    session.baseline.start();
    while (!full) usleep(1000);
    usleep(50'000);
    CHECK(session.baseline.progress().state < 2);
    session.recorder.fail_reserve = 0;
    session.finish();
  }
}

TEST("a walk that fails says so, once, and the hooks go on") {
  const TempDirectory root;
  make_sample_tree(root.path());
  Session session(root.path());
  std::atomic<int> failed_with{0};
  session.baseline.on_done([&](int error) { failed_with = error; });
  session.recorder.fail_reserve = EIO;
  session.baseline.start();
  while (failed_with == 0) usleep(1000);
  CHECK_EQ(failed_with.load(), EIO);
  CHECK_EQ(session.baseline.progress().state, 3);
  session.recorder.fail_reserve = 0;
  CHECK(session.engine.write("d0/f11", 0, "changed"));
  CHECK_EQ(session.recorder.count(Kind::kBaseData), 1u);
}

}  // namespace
}  // namespace rewindfs::test

// The baseline on a plain directory: a small engine calls the hooks and changes the files, then the base records are
// folded and compared with what the directory held at the start.
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "baseline_session.h"

namespace rewindfs::test {
namespace {

TEST("a walk of a quiet tree captures names, attributes, content, links and extended attributes") {
  const TempDirectory root;
  make_sample_tree(root.path());
  const Image then = read_image(root.path());
  Session session(root.path());
  session.baseline.start();
  session.finish();
  check_image(session, {}, then);
  for (const Kept& kept : session.recorder.records()) CHECK_EQ(kept.flags & ~journal::kCaptured, 0);
}

TEST("the oldest original of an area wins: (A,t1,X,X0), (B,t2,X,X1), (A,t3,Y,Y0) give X0 and Y0") {
  const TempDirectory root;
  const size_t block = journal::kBlockBytes;
  write_file(root / "f", std::string(block, '0') + std::string(block, 'y') + std::string(block, 'z'));
  const Image then = read_image(root.path());
  Session session(root.path());
  CHECK(session.engine.write("f", 10, "X1"));
  CHECK(session.engine.write("f", 10, "X2"));
  CHECK(session.engine.write("f", block + 5, "Y1"));
  CHECK_EQ(session.recorder.count(Kind::kBaseData), 2u);
  CHECK_EQ(session.recorder.count(Kind::kBaseNode), 1u);
  session.baseline.start();
  session.finish();
  CHECK_EQ(session.recorder.count(Kind::kBaseData), 3u);
  check_image(session, {}, then);
}

TEST("a write captures the blocks that it overlaps, not the file") {
  const TempDirectory root;
  write_file(root / "big", std::string(40u << 20, 'b'));
  Session session(root.path());
  CHECK(session.engine.write("big", 20u << 20, std::string(100, 'n')));
  CHECK_EQ(session.recorder.count(Kind::kBaseData), 1u);
  for (const Kept& kept : session.recorder.records()) {
    if (kept.kind == Kind::kBaseData) CHECK_EQ(kept.length, uint64_t{journal::kBlockBytes});
  }
  CHECK(session.engine.write("big", 40u << 20, "appended"));
  CHECK_EQ(session.recorder.count(Kind::kBaseData), 1u);
}

TEST("what is made and what goes before the walk comes does not mislead it") {
  const TempDirectory root;
  make_sample_tree(root.path());
  const Image then = read_image(root.path());
  Session session(root.path());
  SmallEngine& engine = session.engine;
  CHECK(engine.unlink("d0/f5"));
  CHECK(engine.create("d0/f5"));
  CHECK(engine.write("d0/f5", 0, "another file of the same name"));
  CHECK(engine.truncate("d1/f11", 70000));
  CHECK(engine.truncate("d1/f11", 900000));
  CHECK(engine.rename("d2/f7", "d3/f8"));
  CHECK(engine.rename("d4", "d5/moved"));
  CHECK(engine.chmod("d1/f4", 0600));
  CHECK(engine.unlink("d1/f2"));
  CHECK(engine.unlink("d1/sub/hard"));
  CHECK(engine.unlink("d1/sub/deep"));
  CHECK(engine.rmdir("d1/sub"));
  CHECK(engine.mkdir("d1/sub"));
  CHECK(engine.create("d1/sub/deep"));
  session.baseline.start();
  session.finish();
  check_image(session, {}, then);
}

TEST("a remount records only what differs, flagged as unmounted") {
  const TempDirectory root;
  make_sample_tree(root.path());
  write_file(root / "d0/same-size", "0123456789");
  write_file(root / "d0/touched-back", "0123456789");
  const Image before = read_image(root.path());
  const auto at = [&](const char* name) { return root / name; };

  struct stat status {};
  CHECK_EQ(stat(at("d0/touched-back").c_str(), &status), 0);
  write_file(at("d0/created"), "new");
  CHECK_EQ(::unlink(at("d1/f1").c_str()), 0);
  CHECK_EQ(::rename(at("d2/f3").c_str(), at("d3/f3-moved").c_str()), 0);
  CHECK_EQ(::rename(at("d5").c_str(), at("d1/d5-moved").c_str()), 0);
  write_file(at("d3/f9"), pattern(100, 'q'));
  CHECK_EQ(::chmod(at("d4/f6").c_str(), 0400), 0);
  write_file(at("d0/same-size"), "9876543210");
  write_file(at("d0/touched-back"), "abcdefghij");
  const timespec times[2] = {status.st_atim, status.st_mtim};
  CHECK_EQ(utimensat(AT_FDCWD, at("d0/touched-back").c_str(), times, 0), 0);
  CHECK_EQ(::unlink(at("d2/f5").c_str()), 0);
  CHECK_EQ(::mkdir(at("d2/f5").c_str(), 0700), 0);
  CHECK_EQ(::unlink(at("sparse").c_str()), 0);
  write_file(at("sparse"), "perhaps the same inode number");
  const Image then = read_image(root.path());

  Session session(root.path());
  session.expect(before);
  session.baseline.start();
  session.finish();
  check_image(session, before, then);
  for (const Kept& kept : session.recorder.records()) {
    if (kept.kind != Kind::kBaseEnd) CHECK_EQ(kept.flags & ~journal::kCaptured, int{journal::kUnmounted});
  }
  // One name deleted, one moved twice, one replaced: far fewer records than the tree has objects.
  CHECK(session.recorder.records().size() < 70);
  CHECK(session.baseline.progress().differences > 0);
}

TEST("a remount of an unchanged tree records nothing but the end") {
  const TempDirectory root;
  make_sample_tree(root.path());
  const Image before = read_image(root.path());
  Session session(root.path());
  session.expect(before);
  session.baseline.start();
  session.finish();
  CHECK_EQ(session.recorder.records().size(), 1u);
}

TEST("a directory that goes before the walk takes with it the names that history still expects in it") {
  const TempDirectory root;
  make_sample_tree(root.path());
  const Image before = read_image(root.path());
  CHECK_EQ(::unlink((root / "d0/sub/deep").c_str()), 0);
  CHECK_EQ(::unlink((root / "d0/sub/hard").c_str()), 0);
  const Image then = read_image(root.path());
  Session session(root.path());
  session.expect(before);
  session.start_paused();
  CHECK(session.engine.rmdir("d0/sub"));
  session.engine.resume_walk();
  session.finish();
  check_image(session, before, then);
}

// The walk of a remount, with the operations done at its first reservation, in another session at its second, and so on.
void at_every_step(const std::function<void(SmallEngine&)>& operations) {
  bool reached = true;
  for (int step = 0; reached; ++step) {
    const TempDirectory root;
    make_sample_tree(root.path());
    const Image before = read_image(root.path());
    Session session(root.path());
    session.expect(before);
    reached = false;
    session.recorder.on_reserve = [&, left = step]() mutable {
      if (reached || left-- > 0) return;
      reached = true;
      operations(session.engine);
    };
    session.baseline.start();
    session.finish();
    check_image(session, before, before);
  }
}

TEST("a directory that is emptied and removed at any step of the walk keeps what it held at the mount") {
  at_every_step([](SmallEngine& engine) {
    CHECK(engine.unlink("d0/sub/deep"));
    CHECK(engine.rename("d0/sub/hard", "d1/hard"));
    CHECK(engine.rmdir("d0/sub"));
  });
}

TEST("a directory that is emptied, fails to go and is filled anew at any step of the walk keeps what it held at the mount") {
  at_every_step([](SmallEngine& engine) {
    CHECK(engine.unlink("d0/sub/deep"));
    CHECK(engine.unlink("d0/sub/hard"));
    CHECK(!engine.rename("d0/f1", "d0/sub"));
    CHECK(engine.create("d0/sub/new"));
    CHECK(engine.rename("d1/f9", "d0/sub/hard"));
    CHECK(engine.rename("d2/sub", "d0/sub/moved"));
  });
}

enum class Maker { kNobody, kUnmounted, kWhileLoading, kSession };

// d0/sub went while unmounted, and somebody makes objects until one has its inode number (where numbers are used again).
void number_used_again(Maker maker, bool directory) {
  const TempDirectory root;
  make_sample_tree(root.path());
  const Image before = read_image(root.path());
  const uint64_t number = before.names.at({before.names.at({SmallEngine(root.path()).root_ino(), "d0"}), "sub"});
  SmallEngine unmounted(root.path());
  CHECK(unmounted.unlink("d0/sub/deep") && unmounted.unlink("d0/sub/hard") && unmounted.rmdir("d0/sub"));
  const auto make = [&](SmallEngine& engine) {
    struct stat status {};
    for (int i = 0; i < 20 && status.st_ino != number; ++i) {
      const std::string name = "d1/new" + std::to_string(i);
      CHECK(directory ? engine.mkdir(name) : engine.create(name));
      CHECK_EQ(stat((root / name).c_str(), &status), 0);
    }
    CHECK(engine.mkdir("d0/sub"));
  };
  if (maker == Maker::kUnmounted) make(unmounted);
  const Image then = read_image(root.path());
  Session session(root.path());
  session.expect(before);
  if (maker == Maker::kWhileLoading) make(session.engine);
  session.start_paused();
  if (maker == Maker::kSession) make(session.engine);
  session.engine.resume_walk();
  session.finish();
  check_image(session, before, then);
}

TEST("what lay in a directory that went while unmounted is gone, whatever has its name or its inode number now") {
  for (const bool directory : {false, true}) {
    for (const Maker maker : {Maker::kNobody, Maker::kUnmounted, Maker::kWhileLoading, Maker::kSession}) {
      number_used_again(maker, directory);
    }
  }
}

TEST("what lies in a directory that cannot be read stays as history holds it, beside a gap") {
  const TempDirectory root;
  const Unprivileged user(root.path());
  make_sample_tree(root.path());
  const Image before = read_image(root.path());
  CHECK_EQ(::chmod((root / "d0").c_str(), 0), 0);
  CHECK_EQ(::chmod((root / "d1").c_str(), 0600), 0);
  Session session(root.path());
  session.expect(before);
  session.baseline.start();
  session.finish(true);
  CHECK_EQ(session.recorder.count(Kind::kBaseAbsent), 0u);
  for (const char* directory : {"d0", "d1"}) CHECK_EQ(::chmod((root / directory).c_str(), 0700), 0);
}

TEST("a hook that finds no room makes the operation fail unapplied") {
  const TempDirectory root;
  write_file(root / "f", "content");
  const Image then = read_image(root.path());
  Session session(root.path());
  session.recorder.fail_reserve = ENOSPC;
  CHECK(!session.engine.write("f", 0, "changed"));
  CHECK(!session.engine.unlink("f"));
  CHECK_EQ(difference(read_image(root.path()), then), "");
  session.recorder.fail_reserve = 0;
  CHECK(session.engine.write("f", 0, "changed"));
  session.baseline.start();
  session.finish();
  check_image(session, {}, then);
}

void random_session(bool remount, uint64_t number) {
  std::mt19937_64 random(number);
  const TempDirectory root;
  make_sample_tree(root.path());
  Image before;
  if (remount) {
    before = read_image(root.path());
    SmallEngine offline(root.path());
    for (int i = 0; i < 40; ++i) offline.random_step(random);
  }
  const Image then = read_image(root.path());
  Session session(root.path());
  if (remount) session.expect(before);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&session, step_seed = random()] {
      std::mt19937_64 steps(step_seed);
      for (int i = 0; i < 150; ++i) session.engine.random_step(steps);
    });
  }
  usleep(static_cast<useconds_t>(random() % 3000));
  session.baseline.start();
  for (std::thread& thread : threads) thread.join();
  session.finish();
  check_image(session, before, then);
}

TEST("random operations beside the walk of a first mount leave its image whole") {
  const uint64_t first = seed();
  for (uint64_t i = 0; i < 40; ++i) random_session(false, first + i);
}

TEST("random operations beside the walk of a remount leave its image whole") {
  const uint64_t first = seed();
  for (uint64_t i = 0; i < 40; ++i) random_session(true, first + i);
}

}  // namespace
}  // namespace rewindfs::test

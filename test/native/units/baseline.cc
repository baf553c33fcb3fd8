// The baseline on a plain directory: a small engine calls the hooks and changes the files, then the base records are
// folded and compared with what the directory held at the start.
#include "live/baseline.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "harness.h"
#include "image.h"
#include "memory_recorder.h"
#include "os/unique_fd.h"
#include "small_engine.h"

namespace rewindfs::test {
namespace {

using journal::Kind;

void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

std::string pattern(size_t bytes, char first) {
  std::string text(bytes, first);
  for (size_t i = 0; i < bytes; i += 97) text[i] = static_cast<char>(first + i / 97 % 23);
  return text;
}

struct Session {
  explicit Session(const std::string& root) : engine(root), baseline(recorder, engine) { engine.attach(baseline); }
  void finish(bool with_gaps = false) {
    std::mutex mutex;
    std::condition_variable done;
    bool complete = false;
    baseline.on_done([&](int error) {
      const std::lock_guard lock(mutex);
      CHECK_EQ(error, 0);
      complete = true;
      done.notify_all();
    });
    std::unique_lock lock(mutex);
    CHECK(done.wait_for(lock, std::chrono::seconds(120), [&] { return complete; }));
    CHECK_EQ(recorder.count(Kind::kBaseEnd), 1u);
    CHECK_EQ(recorder.count(Kind::kGap) > 0, with_gaps);
    CHECK(!baseline.pending());
  }
  void expect(const Image& image) {
    const std::string packed = pack_expected(image);
    baseline.expect(std::as_bytes(std::span(packed)));
  }
  // History is loaded, the walk has looked at nothing yet.
  void start_paused() {
    engine.pause_walk();
    baseline.start();
    while (baseline.progress().state != 1) usleep(1000);
  }

  MemoryRecorder recorder;
  SmallEngine engine;
  live::Baseline baseline;
};

void check_image(Session& session, const Image& before, const Image& wanted) {
  const std::string different = difference(fold_base(before, session.recorder.records()), wanted);
  if (!different.empty()) fail(__FILE__, __LINE__, different);
}

void make_sample_tree(const std::string& root) {
  for (int d = 0; d < 6; ++d) {
    const std::string directory = root + "/d" + std::to_string(d);
    mkdir(directory.c_str(), 0755);
    mkdir((directory + "/sub").c_str(), 0700);
    for (int f = 0; f < 12; ++f) {
      write_file(directory + "/f" + std::to_string(f), pattern(static_cast<size_t>(f) * 30000, static_cast<char>('a' + d)));
    }
    write_file(directory + "/sub/deep", "deep");
    CHECK_EQ(symlink("f1", (directory + "/link").c_str()), 0);
    CHECK_EQ(link((directory + "/f2").c_str(), (directory + "/sub/hard").c_str()), 0);
    CHECK_EQ(mknod((directory + "/pipe").c_str(), S_IFIFO | 0600, 0), 0);
    CHECK_EQ(setxattr((directory + "/f3").c_str(), "user.colour", "blue", 4, 0), 0);
  }
  const UniqueFd sparse(open((root + "/sparse").c_str(), O_RDWR | O_CREAT, 0600));
  CHECK_EQ(pwrite(sparse.get(), "end", 3, 9 << 20), 3);
}

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

// As root every directory can be read: the walk's thread is another user's then.
class Unprivileged {
 public:
  explicit Unprivileged(const std::string& path) {
    if (!root_) return;
    CHECK_EQ(chown(path.c_str(), kNobody, kNobody), 0);
    CHECK_EQ(seteuid(kNobody), 0);
  }
  ~Unprivileged() {
    if (root_ && seteuid(0) != 0) std::_Exit(1);
  }

 private:
  static constexpr uid_t kNobody = 65534;
  const bool root_ = geteuid() == 0;
};

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

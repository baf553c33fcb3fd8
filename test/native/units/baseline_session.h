// A session of the baseline on a plain directory: what its tests share.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>

#include "harness.h"
#include "image.h"
#include "live/baseline.h"
#include "memory_recorder.h"
#include "os/unique_fd.h"
#include "small_engine.h"

namespace rewindfs::test {

using journal::Kind;

inline void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

inline std::string pattern(size_t bytes, char first) {
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

inline void check_image(Session& session, const Image& before, const Image& wanted) {
  const std::string different = difference(fold_base(before, session.recorder.records()), wanted);
  if (!different.empty()) fail(__FILE__, __LINE__, different);
}

inline void make_sample_tree(const std::string& root) {
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

}  // namespace rewindfs::test

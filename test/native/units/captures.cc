// What the policy's ways of capturing cost, without a mount.
#include <algorithm>
#include <chrono>

#include "frame_server.h"

namespace rewindfs::test {
namespace {

using namespace fuse;

void capture_on_close(Server& server) {
  live::PolicyRule rule;
  rule.parts = {"**", "*"};
  rule.capture = live::Capture::kOnClose;
  server.tree->captures.set(std::make_shared<const live::Policy>(std::vector<live::PolicyRule>{rule}), 3600);
}

// Opens it for writing so often, and closes it again; answers the seconds of the quickest of several rounds.
double open_seconds(Server& server, uint64_t node) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 200; ++i) {
      const auto opened = server.send(Frame(Op::kOpen, node).add(OpenIn{O_RDWR, 0}));
      CHECK_EQ(opened.error, 0);
      ReleaseIn release{};
      release.fh = opened.as<OpenOut>().fh;
      CHECK_EQ(server.send(Frame(Op::kRelease, node).add(release)).error, 0);
    }
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

TEST("captures: an open for writing under on-close costs the same, however many files wait for their interval") {
  Server server;
  capture_on_close(server);
  std::vector<uint64_t> nodes;
  for (int i = 0; i < 20'000; ++i) {
    const auto made = server.create("f" + std::to_string(i)).as<Created>();
    nodes.push_back(made.entry.nodeid);
    ReleaseIn release{};
    release.fh = made.open.fh;
    server.send(Frame(Op::kRelease, made.entry.nodeid).add(release));
  }
  const double first = open_seconds(server, nodes.front()), last = open_seconds(server, nodes.back());
  std::printf("200 opens of the first file: %.0f us, of the last: %.0f us\n", first * 1e6, last * 1e6);
  CHECK(last < 3 * first);
}

TEST("captures: what was opened, captured and left out in a gap is so anew after it") {
  Server server;
  capture_on_close(server);
  server.recorder.in_gap = true;
  const auto made = server.create("opened-in-the-gap").as<Created>();
  FsyncIn fsync{};
  fsync.fh = made.open.fh;
  CHECK_EQ(server.write(made.entry.nodeid, made.open.fh, 0, "in the gap").error, 0);
  CHECK_EQ(server.send(Frame(Op::kFsync, made.entry.nodeid).add(fsync)).error, 0);
  CHECK(server.recorder.records().empty());

  server.recorder.in_gap = false;
  server.tree->captures.begin_anew();
  live::open_anew(*server.tree);
  CHECK_EQ(server.recorder.count(journal::Kind::kOpen), 1u);
  ReleaseIn release{};
  release.fh = made.open.fh;
  CHECK_EQ(server.send(Frame(Op::kRelease, made.entry.nodeid).add(release)).error, 0);
  const auto records = server.recorder.records();
  const auto written = std::ranges::find(records, journal::Kind::kWrite, &Kept::kind);
  CHECK(written != records.end());
  CHECK_EQ(written->payload, "in the gap");
  CHECK_EQ(server.recorder.count(journal::Kind::kClose), 1u);
  server.create("another");
  CHECK_EQ(server.recorder.count(journal::Kind::kGap), 1u);
}

}  // namespace
}  // namespace rewindfs::test

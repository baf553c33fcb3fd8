// What the policy's ways of capturing cost, without a mount.
#include <chrono>

#include "frame_server.h"

namespace rewindfs::test {
namespace {

using namespace fuse;

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
  live::PolicyRule rule;
  rule.parts = {"**", "*"};
  rule.capture = live::Capture::kOnClose;
  server.tree->captures.set(std::make_shared<const live::Policy>(std::vector<live::PolicyRule>{rule}), 3600);
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

}  // namespace
}  // namespace rewindfs::test

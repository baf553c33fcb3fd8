// A gap ends between two changes of a mounted tree.
#include <atomic>
#include <thread>

#include "harness.h"
#include "live/engine.h"
#include "memory_recorder.h"

namespace rewindfs::test {
namespace {

using namespace std::chrono_literals;

TEST("a gap ends between two changes: none is made until the mount record says that one was there") {
  const TempDirectory base;
  const std::string root = base / "tree";
  std::filesystem::create_directory(root);
  const auto recorder = std::make_shared<MemoryRecorder>();
  live::EngineOptions options;
  options.backing = options.mountpoint = root;
  options.fsname = "test";
  options.snapshots = {".snapshots", ""};
  live::Engine engine(options, recorder, [] {});
  CHECK(engine.start().ok());
  recorder->in_gap = true;
  std::filesystem::create_directory(root + "/unrecorded");

  std::atomic<bool> made{false};
  std::thread maker;
  recorder->on_resume = [&] {
    maker = std::thread([&] { made = std::filesystem::create_directory(root + "/recorded"); });
    std::this_thread::sleep_for(100ms);
    CHECK(!made);
  };
  const size_t before = recorder->records().size();
  CHECK(engine.resume(0).ok());
  maker.join();
  CHECK(made.load());
  const auto records = recorder->records();
  CHECK(records.at(before).kind == journal::Kind::kMount);
  CHECK(records[before].payload.find(R"("unrecorded":"{\"error\":\"ENOSPC\",\"since_ns\":\"1\",\"records\":3}")") != std::string::npos);
  CHECK_EQ(recorder->count(journal::Kind::kMkdir), 1u);
  CHECK(engine.stop(false, "the test is over").ok());
}

}  // namespace
}  // namespace rewindfs::test

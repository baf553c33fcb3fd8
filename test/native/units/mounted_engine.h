// An engine on a mount of its own with a real journal that nobody reads, so that tests decide when history catches up.
#pragma once
#include <fcntl.h>

#include <memory>
#include <string>

#include "harness.h"
#include "journal_fixture.h"
#include "live/engine.h"

namespace rewindfs::test {

class MountedEngine {
 public:
  // change: may alter the options before the start.
  explicit MountedEngine(journal::Options of_journal, const std::function<void(live::EngineOptions&)>& change = {})
      : journal(std::make_shared<journal::Journal>(std::move(of_journal))) {
    CHECK(journal->open().ok());
    std::filesystem::create_directory(root);
    live::EngineOptions options;
    options.backing = options.mountpoint = root;
    options.fsname = "test";
    options.snapshots = {".snapshots", ""};
    if (change) change(options);
    engine = std::make_unique<live::Engine>(options, journal, [] {});
    const auto started = engine->start();
    if (!started.ok()) fail(__FILE__, __LINE__, "mount: " + started.failure().syscall + " " + std::to_string(started.failure().error) + " " + started.failure().detail);
  }
  ~MountedEngine() { CHECK(engine->stop(false, "the test is over").ok()); }

  std::string operator/(const std::string& name) const { return root + "/" + name; }

  TempDirectory base;
  const std::string root = base / "tree";
  std::shared_ptr<journal::Journal> journal;
  std::unique_ptr<live::Engine> engine;
};

}  // namespace rewindfs::test

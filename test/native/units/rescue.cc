// live/rescue.h: reads that wait for somebody who knows what they should have got.
#include "live/rescue.h"

#include <cstring>
#include <string>
#include <thread>

#include "harness.h"

namespace rewindfs::test {
namespace {

using live::Rescue;
using live::Trouble;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST("AReadGetsWhatItShouldHaveGot") {
  Rescue rescue;
  rescue.set_patience(milliseconds(5000));
  std::thread answering;
  rescue.listen([&] {
    answering = std::thread([&] {
      const auto troubles = rescue.take();
      CHECK_EQ(troubles.size(), size_t{1});
      CHECK_EQ(troubles[0].ino, uint64_t{7});
      rescue.answer(troubles[0].id, bytes("hello, but too long"));
    });
  });
  std::byte into[5];
  const auto got = rescue.read({0, "read", 7, 0, 5, EIO, 1}, into, nullptr);
  answering.join();
  CHECK(got.has_value());
  CHECK_EQ(*got, size_t{5});
  CHECK(std::memcmp(into, "hello", 5) == 0);
}

TEST("NobodyWaitsWithoutPatienceOrListener") {
  Rescue rescue;
  std::byte into[1];
  const auto before = steady_clock::now();
  rescue.set_patience(milliseconds(5000));
  CHECK(!rescue.read({0, "read", 7, 0, 1, EIO, 1}, into, nullptr));
  rescue.listen([] {});
  rescue.set_patience(milliseconds(0));
  CHECK(!rescue.read({0, "read", 7, 0, 1, EIO, 1}, into, nullptr));
  CHECK(rescue.take().empty());
  CHECK(steady_clock::now() - before < milliseconds(1000));
}

TEST("AReadWaitsNoLongerThanThePatienceAndALateAnswerIsDropped") {
  Rescue rescue;
  rescue.listen([] {});
  rescue.set_patience(milliseconds(150));
  std::byte into[1];
  const auto before = steady_clock::now();
  CHECK(!rescue.read({0, "read", 7, 0, 1, EIO, 1}, into, nullptr));
  const auto waited = steady_clock::now() - before;
  CHECK(waited >= milliseconds(150) && waited < milliseconds(3000));
  const auto troubles = rescue.take();
  CHECK_EQ(troubles.size(), size_t{1});
  rescue.answer(troubles[0].id, bytes("x"));
}

TEST("AReaderThatIsInterruptedAndAStopEndTheWait") {
  Rescue rescue;
  rescue.listen([] {});
  rescue.set_patience(milliseconds(20000));
  std::byte into[1];
  const auto before = steady_clock::now();
  volatile bool interrupted = true;
  CHECK(!rescue.read({0, "read", 7, 0, 1, EIO, 1}, into, &interrupted));
  std::thread stopping([&] {
    std::this_thread::sleep_for(milliseconds(50));
    rescue.stop();
  });
  CHECK(!rescue.read({0, "read", 7, 0, 1, EIO, 1}, into, nullptr));
  stopping.join();
  CHECK(steady_clock::now() - before < milliseconds(3000));
}

}  // namespace
}  // namespace rewindfs::test

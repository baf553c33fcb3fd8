// Which change has to void answers that are still on their way.
#include "live/onlookers.h"

#include "harness.h"

namespace rewindfs::test {
namespace {

using live::Onlookers;

TEST("who looked and changes it itself is told nothing") {
  Onlookers onlookers;
  CHECK(!onlookers.told(1));
  CHECK(!onlookers.changed(1));
}

TEST("a change that another thread may still be answered without voids that answer") {
  Onlookers onlookers;
  (void)onlookers.told(1);
  CHECK(onlookers.changed(2));
}

TEST("of several who looked, the last is not all: the others are remembered") {
  Onlookers onlookers;
  (void)onlookers.told(1);
  (void)onlookers.told(2);
  CHECK(onlookers.changed(2));
}

TEST("what was looked up beside a change is looked up again") {
  Onlookers onlookers;
  (void)onlookers.changed(1);
  CHECK(onlookers.told(2));
}

TEST("nobody looked: nothing is voided") {
  Onlookers onlookers;
  CHECK(!onlookers.changed(1));
}

}  // namespace
}  // namespace rewindfs::test

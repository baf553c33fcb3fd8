// What a new place means for the capture of an object (operations.h).
#include "live/operations.h"

namespace rewindfs::live {

CaptureMove::CaptureMove(Tree& tree, Inode& object) : tree_(tree), object_(object) {
  if (tree.captures.policy()->trivial()) return;
  before_ = tree.captures.of(object);
  if (object.is_directory()) path_ = tree.captures.path(object);
}

int CaptureMove::done() {
  const auto policy = tree_.captures.policy();
  if (policy->trivial()) return 0;
  object_.decided.store(0, std::memory_order_relaxed);
  if (object_.is_directory()) {
    tree_.captures.forget_decisions();
    const bool other_rule = tree_.captures.of(object_).rule != before_.rule;
    if (other_rule || policy->has_paths()) tree_.recapture.enqueue(tree_.captures.path(object_), path_, policy);
    return 0;
  }
  if (!object_.is_regular() || before_.capture != Capture::kNone || tree_.captures.of(object_).capture == Capture::kNone) return 0;
  object_.assert_state();
  return tree_.captures.capture_whole(object_).error();
}

}  // namespace rewindfs::live

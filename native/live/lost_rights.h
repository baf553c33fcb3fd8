// What a file loses beside when its content or owner changes: setuid and setgid (callers without CAP_FSETID), and
// security.capability. The file system below takes them before the change itself, which may fail then.
//
// Guarantee: whatever was taken is recorded, with the change or, where that failed, by itself.
#pragma once
#include <vector>

#include "live/operations.h"

namespace rewindfs::live {

// For one change, under the inode's lock from before the change until its record is appended.
class LostRights {
 public:
  // takes_capability: changes of content and of the owner do, others do not.
  explicit LostRights(Inode& inode, bool takes_capability = true);

  // Takes the bits that this caller's change takes, when there are any; an errno. Before the change, so that no instant shows
  // new content with them; after one that may turn out to be none.
  int take_bits(const Call& call);
  // Has the file bits that this caller's change leaves: setgid of a file that is no program, for a member of its group?
  bool leaves_bits() const { return leaves_bits_; }
  // After the change: what is to be recorded with it.
  std::vector<XattrChange> capability();
  // The change failed with `error`: records what it did all the same, in the room of the record that is not written now.
  int failed(Tree& tree, Recording& recording, int error);

 private:
  Inode& inode_;
  const bool had_capability_;
  bool took_bits_ = false;
  bool leaves_bits_ = false;
};

}  // namespace rewindfs::live

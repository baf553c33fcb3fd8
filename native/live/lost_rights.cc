#include "live/lost_rights.h"

#include "live/caller.h"

namespace rewindfs::live {
namespace {

bool capability_of(Inode& inode) {
  inode.assert_state();
  return had_capability(inode);
}

// A file system that finds its disk full or failing has set the file's times by then, and may have done a part.
bool left_something(int error) { return error == ENOSPC || error == EDQUOT || error == EIO; }

}  // namespace

LostRights::LostRights(Inode& inode, bool takes_capability)
    : inode_(inode), had_capability_(takes_capability && capability_of(inode)) {}

int LostRights::take_bits(const Call& call) {
  const auto stat = stat_fd(inode_.path().get());
  if (!stat.ok()) return stat.error();
  const mode_t bits = bits_lost(call, *stat);
  leaves_bits_ = stat->stx_mode & (S_ISUID | S_ISGID) & ~bits;
  if (bits == 0) return 0;
  if (chmod(inode_.path().proc().c_str(), stat->stx_mode & 07777 & ~bits) != 0) return errno;
  took_bits_ = true;
  return 0;
}

std::vector<XattrChange> LostRights::capability() {
  inode_.assert_state();
  return capability_lost(inode_, had_capability_);
}

int LostRights::failed(Tree& tree, Recording& recording, int error) {
  const auto lost = capability();
  if (!took_bits_ && lost.empty() && !left_something(error)) return error;
  const uint64_t writer = recording.draft.writer, save = recording.draft.save;
  recording.draft = {};
  recording.draft.kind = journal::Kind::kSetattr;
  recording.draft.aux = (took_bits_ ? journal::kSetMode : 0u) | (left_something(error) ? journal::kSetMtime : 0u);
  recording.draft.writer = writer;
  recording.draft.save = save;
  if (const auto after = recording.object(inode_); !after.ok()) return after.error();
  const auto appended = append_with(tree, recording, lost);
  return appended.ok() ? error : appended.error();
}

}  // namespace rewindfs::live

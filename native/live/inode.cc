#include "live/inode.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include "fuse/wire.h"

namespace rewindfs::live {

UniqueFd Inode::open_unnoticed() const {
  const Path held = path();
  const std::string name = held.proc();
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  UniqueFd fd(open(name.c_str(), kFlags | O_NOATIME));
  if (!fd.valid() && errno == EPERM) fd.reset(open(name.c_str(), kFlags));  // for the owner and root only
  return fd;
}

void InodeTable::set_root(InodePtr root) {
  root_ = root;
  const MutexLock lock(mutex_);
  by_id_[root->id] = root;
  by_object_[{root->dev, root->ino}] = root;
}

InodePtr InodeTable::find(uint64_t id) {
  if (id == fuse::kRootId) return root_;
  const MutexLock lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

InodePtr InodeTable::find_object(dev_t dev, uint64_t ino) {
  const MutexLock lock(mutex_);
  const auto found = by_object_.find({dev, ino});
  return found == by_object_.end() ? nullptr : found->second.lock();
}

InodePtr InodeTable::intern(UniqueFd fd, const struct statx& stat, bool counted) {
  const Key key{makedev(stat.stx_dev_major, stat.stx_dev_minor), stat.stx_ino};
  const MutexLock lock(mutex_);
  auto& known = by_object_[key];
  InodePtr inode = known.lock();
  if (!inode) {
    // An Inode that was never counted leaves its empty entry behind: taken over here, or swept when they pile up.
    if (by_object_.size() > 2 * by_id_.size() + 4096) {
      std::erase_if(by_object_, [&key](const auto& entry) { return entry.second.expired() && !(entry.first == key); });
    }
    inode = std::make_shared<Inode>(next_id_++, stat.stx_ino, key.dev, stat.stx_mode, paths, std::move(fd));
    by_object_[key] = inode;
  }
  if (counted) {
    ++inode->lookups_;
    by_id_.emplace(inode->id, inode);
  }
  return inode;
}

void InodeTable::count(const InodePtr& inode) {
  const MutexLock lock(mutex_);
  ++inode->lookups_;
  by_id_.emplace(inode->id, inode);
}

void InodeTable::forget(uint64_t id, uint64_t lookups) {
  InodePtr last;  // its descriptor is closed after the lock is released
  const MutexLock lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || id == fuse::kRootId) return;
  Inode& inode = *found->second;
  inode.lookups_ -= std::min(lookups, inode.lookups_);
  if (inode.lookups_ > 0) return;
  last = std::move(found->second);
  by_id_.erase(found);
  if (last.use_count() == 1) by_object_.erase({last->dev, last->ino});
}

size_t InodeTable::size() {
  const MutexLock lock(mutex_);
  return by_id_.size();
}

uint64_t HandleTable::add(HandlePtr handle) {
  const MutexLock lock(mutex_);
  handles_.emplace(next_, std::move(handle));
  return next_++;
}

HandlePtr HandleTable::find(uint64_t fh) {
  const MutexLock lock(mutex_);
  const auto found = handles_.find(fh);
  return found == handles_.end() ? nullptr : found->second;
}

HandlePtr HandleTable::remove(uint64_t fh) {
  const MutexLock lock(mutex_);
  const auto found = handles_.find(fh);
  if (found == handles_.end()) return nullptr;
  HandlePtr handle = std::move(found->second);
  handles_.erase(found);
  return handle;
}

std::vector<HandlePtr> HandleTable::all() {
  const MutexLock lock(mutex_);
  std::vector<HandlePtr> all;
  for (const auto& [fh, handle] : handles_) all.push_back(handle);
  return all;
}

size_t HandleTable::size() {
  const MutexLock lock(mutex_);
  return handles_.size();
}

void HandleTable::clear() {
  std::unordered_map<uint64_t, HandlePtr> gone;
  const MutexLock lock(mutex_);
  gone.swap(handles_);
}

}  // namespace rewindfs::live

#include "journal/sync_mark.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "journal/crc32c.h"

namespace rewindfs::journal {
namespace {

uint32_t crc_of(SyncMarkBytes bytes) {
  bytes.crc = 0;
  return crc32c(0, &bytes, sizeof bytes);
}

std::string marks_path(const std::string& directory) { return directory + "/synced"; }

}  // namespace

std::string this_boot() {
  const UniqueFd fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  char text[sizeof SyncMarkBytes::boot_id];
  if (!fd.valid() || ::read(fd.get(), text, sizeof text) != sizeof text) return {};
  return {text, sizeof text};
}

SyncMark read_mark(FileIo& io, const std::string& directory, const StoreId& store) {
  SyncMarkBytes bytes{};
  const Result<UniqueFd> fd = io.open(marks_path(directory), O_RDONLY, 0);
  if (!fd.ok() || !read_all(io, fd->get(), &bytes, sizeof bytes, 0).ok()) return {};
  if (std::memcmp(bytes.magic, kSyncMarkMagic, sizeof bytes.magic) != 0 || bytes.crc != crc_of(bytes) ||
      std::memcmp(bytes.store_id, store.data(), store.size()) != 0) {
    return {};
  }
  return {{bytes.boot_id, strnlen(bytes.boot_id, sizeof bytes.boot_id)}, bytes.synced_seq};
}

Outcome<UniqueFd> open_marks(FileIo& io, const std::string& directory) {
  Result<UniqueFd> fd = io.open(marks_path(directory), O_RDWR | O_CREAT, 0600);
  if (!fd.ok()) return Failure{fd.error(), "open", marks_path(directory)};
  return std::move(*fd);
}

Result<void> write_mark(FileIo& io, int fd, const StoreId& store, const std::string& boot, uint64_t synced_seq) {
  SyncMarkBytes bytes{};
  std::memcpy(bytes.magic, kSyncMarkMagic, sizeof bytes.magic);
  std::memcpy(bytes.store_id, store.data(), store.size());
  std::memcpy(bytes.boot_id, boot.data(), std::min(boot.size(), sizeof bytes.boot_id));
  bytes.synced_seq = synced_seq;
  bytes.crc = crc_of(bytes);
  iovec part{&bytes, sizeof bytes};
  return write_all(io, fd, &part, 1, 0);
}

}  // namespace rewindfs::journal

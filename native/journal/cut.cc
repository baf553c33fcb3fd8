#include "journal/cut.h"

#include <fcntl.h>

#include <algorithm>
#include <functional>

namespace rewindfs::journal {
namespace {

constexpr size_t kPieceBytes = 1u << 20;

Failure failure(const Segment& segment, int error, const char* call, uint64_t offset) {
  return {error, call, segment.path, {}, {}, static_cast<int64_t>(offset)};
}

// Each piece from `from` on that is not all zeroes, without the zeroes at its end; an errno ends it.
using Piece = std::function<Result<void>(std::span<std::byte>, uint64_t offset)>;
Outcome<Done> each_piece(FileIo& io, const Segment& segment, uint64_t from, const Piece& piece) {
  std::vector<std::byte> buffer(kPieceBytes);
  for (uint64_t at = from; at < kSegmentBytes;) {
    const Result<uint64_t> data = io.next_data(segment.fd.get(), at);
    if (!data.ok()) return failure(segment, data.error(), "lseek", at);
    if (*data >= kSegmentBytes) break;
    at = std::max(at, *data);
    const size_t bytes = std::min<uint64_t>(buffer.size(), kSegmentBytes - at);
    if (const auto got = read_all(io, segment.fd.get(), buffer.data(), bytes, at); !got.ok()) {
      return failure(segment, got.error(), "read", at);
    }
    size_t used = bytes;
    while (used > 0 && buffer[used - 1] == std::byte{0}) --used;
    if (used > 0) {
      if (const auto done = piece(std::span(buffer).first(used), at); !done.ok()) {
        return failure(segment, done.error(), "write", at);
      }
    }
    at += bytes;
  }
  return Done{};
}

// A name that no earlier cut has taken.
Outcome<std::pair<UniqueFd, std::string>> create_aside(FileIo& io, const std::string& directory, uint64_t seq) {
  const std::string stem = directory + "/" + segment_name(seq).substr(0, 16);
  for (unsigned attempt = 0;; ++attempt) {
    const std::string path = stem + (attempt == 0 ? "" : "-" + std::to_string(attempt)) + ".cut";
    Result<UniqueFd> fd = io.open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd.ok()) return std::pair(std::move(*fd), path);
    if (fd.error() != EEXIST) return Failure{fd.error(), "open", path};
  }
}

Result<void> sync_directory(FileIo& io, const std::string& path) {
  const Result<UniqueFd> directory = io.open(path, O_RDONLY | O_DIRECTORY, 0);
  if (!directory.ok()) return Errno{directory.error()};
  return io.fsync(directory->get());
}

}  // namespace

Outcome<std::string> keep_tail(FileIo& io, const std::string& directory, const Segment& segment, uint64_t offset,
                               uint64_t seq) {
  auto aside = create_aside(io, directory, seq);
  if (!aside.ok()) return aside.failure();
  const UniqueFd& fd = aside->first;
  const std::string& path = aside->second;
  const auto copied = each_piece(io, segment, offset, [&io, &fd, offset](std::span<std::byte> bytes, uint64_t at) {
    iovec part{bytes.data(), bytes.size()};
    return write_all(io, fd.get(), &part, 1, at - offset);
  });
  if (!copied.ok()) return copied.failure();
  if (const auto synced = io.fsync(fd.get()); !synced.ok()) return Failure{synced.error(), "fsync", path};
  if (const auto synced = sync_directory(io, directory); !synced.ok()) return Failure{synced.error(), "fsync", directory};
  return path;
}

Outcome<Done> keep_spare(FileIo& io, const std::string& directory, const std::string& path, uint64_t seq) {
  auto aside = create_aside(io, directory, seq);
  if (!aside.ok()) return aside.failure();
  if (const auto moved = io.rename(path, aside->second); !moved.ok()) return Failure{moved.error(), "rename", path};
  return Done{};
}

Outcome<uint64_t> cut_tail(FileIo& io, const Segment& segment, uint64_t offset) {
  if (const auto allocated = io.allocate(segment.fd.get(), kSegmentBytes); !allocated.ok()) {
    return failure(segment, allocated.error(), "fallocate", 0);
  }
  uint64_t last_used = offset;
  const auto zeroed = each_piece(io, segment, offset, [&](std::span<std::byte> bytes, uint64_t at) {
    last_used = at + bytes.size();
    std::ranges::fill(bytes, std::byte{0});
    iovec part{bytes.data(), bytes.size()};
    return write_all(io, segment.fd.get(), &part, 1, at);
  });
  if (!zeroed.ok()) return zeroed.failure();
  if (last_used > offset) {
    if (const auto synced = io.fdatasync(segment.fd.get()); !synced.ok()) {
      return failure(segment, synced.error(), "fdatasync", offset);
    }
  }
  return last_used - offset;
}

}  // namespace rewindfs::journal

// A journal in a directory of its own, with the few calls that the tests repeat.
#pragma once
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "harness.h"
#include "journal/journal.h"

namespace rewindfs::test {

inline journal::Options options_for(const std::string& directory) {
  journal::Options options;
  options.directory = directory;
  options.store_id.fill(7);
  options.min_free_bytes = 0;
  options.sync_interval_ms = 0;
  return options;
}

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

inline uint64_t append(journal::Journal& journal, std::string_view payload,
                       journal::Kind kind = journal::Kind::kWrite) {
  const auto reservation = journal.reserve(payload.size(), 1, nullptr);
  CHECK(reservation.ok());
  journal::Draft draft;
  draft.kind = kind;
  draft.payload = bytes_of(payload);
  draft.length = payload.size();
  const auto appended = journal.append(draft);
  CHECK(appended.ok());
  return *appended;
}

struct Record {
  journal::RecordHead head;
  std::string rest;  // sections, names and payload with padding
};

// All records from `from` on, in calls of at most max_bytes.
inline std::vector<Record> read_records(journal::Journal& journal, uint64_t from, uint64_t max_bytes = 1 << 20) {
  std::vector<Record> records;
  while (true) {
    auto bytes = journal.read(from, max_bytes);
    CHECK(bytes.ok());
    if (bytes->empty()) return records;
    for (size_t at = 0; at < bytes->size();) {
      Record record;
      std::memcpy(&record.head, bytes->data() + at, sizeof record.head);
      record.rest.assign(reinterpret_cast<const char*>(bytes->data()) + at + sizeof record.head,
                         record.head.size - sizeof record.head);
      CHECK_EQ(record.head.seq, from);
      ++from;
      at += record.head.size;
      records.push_back(std::move(record));
    }
  }
}

inline std::string payload_of(const Record& record) {
  const size_t padded = (record.head.payload_bytes + 7) & ~size_t{7};
  return record.rest.substr(record.rest.size() - padded, record.head.payload_bytes);
}

// Names of a journal's files but for that of the sync marks.
inline std::vector<std::string> files_in(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename() != "synced") names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

inline std::string read_file(const std::string& path, size_t limit = SIZE_MAX) {
  std::string bytes(std::min<size_t>(limit, std::filesystem::file_size(path)), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  CHECK(file.good());
  return bytes;
}

inline void overwrite(const std::string& path, uint64_t offset, std::string_view bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  CHECK(file.good());
}

}  // namespace rewindfs::test

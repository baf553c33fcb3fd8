#include "journal/encode.h"

#include <cstring>

#include "journal/crc32c.h"

namespace rewindfs::journal {
namespace {

constexpr size_t padded(size_t bytes) { return (bytes + kRecordAlignment - 1) & ~size_t{kRecordAlignment - 1}; }

uint32_t front_crc(const std::byte* front, size_t bytes) {
  const uint32_t crc = crc32c(0, front, sizeof(RecordHead::size));
  return crc32c(crc, front + offsetof(RecordHead, seq), bytes - offsetof(RecordHead, seq));
}

size_t front_bytes_of(const RecordHead& head) {
  size_t bytes = sizeof(RecordHead) + head.name_bytes + head.name2_bytes;
  if (head.sections & kHasAttr) bytes += sizeof(Attr);
  if (head.sections & kHasParent) bytes += sizeof(Attr);
  if (head.sections & kHasParent2) bytes += sizeof(InoAttr);
  if (head.sections & kHasTarget) bytes += sizeof(InoAttr);
  return padded(bytes);
}

RecordHead head_of(const Draft& draft) {
  RecordHead head{};
  head.writer = draft.writer;
  head.save = draft.save;
  head.ino = draft.ino;
  head.parent = draft.parent;
  head.offset = draft.offset;
  head.length = draft.length;
  head.kind = static_cast<uint16_t>(draft.kind);
  head.flags = draft.flags;
  head.sections = static_cast<uint16_t>((draft.attr ? kHasAttr : 0) | (draft.parent_attr ? kHasParent : 0) |
                                        (draft.parent2 ? kHasParent2 : 0) | (draft.target ? kHasTarget : 0));
  head.name_bytes = static_cast<uint16_t>(draft.name.size());
  head.name2_bytes = static_cast<uint16_t>(draft.name2.size());
  head.aux = draft.aux;
  head.payload_bytes = static_cast<uint32_t>(draft.payload.size());
  head.payload_crc = draft.payload.empty() ? 0 : crc32c(0, draft.payload.data(), draft.payload.size());
  return head;
}

}  // namespace

Result<void> Encoded::encode(const Draft& draft) {
  if (draft.name.size() > kMaxNameBytes || draft.name2.size() > kMaxNameBytes ||
      draft.payload.size() > kMaxPayloadBytes) {
    return Errno{EINVAL};
  }
  RecordHead head = head_of(draft);
  front_bytes_ = front_bytes_of(head);
  padding_ = padded(head.payload_bytes) - head.payload_bytes;
  size_ = static_cast<uint32_t>(front_bytes_ + padded(head.payload_bytes));
  head.size = size_;

  std::byte* to = front_.data();
  std::memset(to + front_bytes_ - kRecordAlignment, 0, kRecordAlignment);
  const auto put = [&to](const void* from, size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
    to += bytes;
  };
  put(&head, sizeof head);
  if (draft.attr) put(draft.attr, sizeof *draft.attr);
  if (draft.parent_attr) put(draft.parent_attr, sizeof *draft.parent_attr);
  if (draft.parent2) put(draft.parent2, sizeof *draft.parent2);
  if (draft.target) put(draft.target, sizeof *draft.target);
  put(draft.name.data(), draft.name.size());
  put(draft.name2.data(), draft.name2.size());
  return {};
}

void Encoded::seal(uint64_t seq, uint64_t time_ns) {
  std::byte* front = front_.data();
  std::memcpy(front + offsetof(RecordHead, seq), &seq, sizeof seq);
  std::memcpy(front + offsetof(RecordHead, time_ns), &time_ns, sizeof time_ns);
  const uint32_t crc = front_crc(front, front_bytes_);
  std::memcpy(front + offsetof(RecordHead, crc), &crc, sizeof crc);
}

Parsed parse_record(std::span<const std::byte> bytes) {
  Parsed parsed{Found::kEnd, {}};
  RecordHead& head = parsed.head;
  const auto answer = [&parsed](Found found) {
    parsed.found = found;
    return parsed;
  };
  if (bytes.size() < sizeof(uint32_t)) return answer(Found::kShort);
  std::memcpy(&head.size, bytes.data(), sizeof head.size);
  if (head.size == 0) return answer(Found::kEnd);
  if (head.size < sizeof(RecordHead) || head.size > kMaxRecordBytes || head.size % kRecordAlignment != 0) {
    return answer(Found::kBroken);
  }
  if (bytes.size() < head.size) return answer(Found::kShort);
  std::memcpy(&head, bytes.data(), sizeof head);
  const size_t front_bytes = front_bytes_of(head);
  if (head.payload_bytes > kMaxPayloadBytes || front_bytes + padded(head.payload_bytes) != head.size ||
      front_crc(bytes.data(), front_bytes) != head.crc) {
    return answer(Found::kBroken);
  }
  const uint32_t payload_crc = head.payload_bytes ? crc32c(0, bytes.data() + front_bytes, head.payload_bytes) : 0;
  return answer(payload_crc == head.payload_crc ? Found::kRecord : Found::kBroken);
}

}  // namespace rewindfs::journal

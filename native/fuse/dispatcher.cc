#include "fuse/dispatcher.h"

namespace rewindfs::fuse {

const InHeader* parse_frame(std::span<const std::byte> frame, std::span<const std::byte>& body,
                            std::span<const std::byte>& extensions) {
  if (frame.size() < sizeof(InHeader)) return nullptr;
  const auto* head = reinterpret_cast<const InHeader*>(frame.data());
  if (head->len != frame.size()) return nullptr;
  const size_t extension_bytes = size_t{head->extension_words} * 8;
  if (sizeof(InHeader) + extension_bytes > frame.size()) return nullptr;
  body = frame.subspan(sizeof(InHeader), frame.size() - sizeof(InHeader) - extension_bytes);
  extensions = frame.last(extension_bytes);
  return head;
}

}  // namespace rewindfs::fuse

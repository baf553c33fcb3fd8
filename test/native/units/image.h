// A tree as history sees it, by inode number: read from a directory, or folded from base records. What the baseline
// promises is that the two are equal.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "journal/format.h"
#include "memory_recorder.h"

namespace rewindfs::test {

struct ImageNode {
  journal::Attr attr{};
  std::string content;  // of a file; the target of a link
  std::map<std::string, std::string> xattrs;
};

struct Image {
  std::map<std::pair<uint64_t, std::string>, uint64_t> names;
  std::map<uint64_t, ImageNode> nodes;
};

Image read_image(const std::string& root);
// Lays the base records over what history held, whatever their order.
Image fold_base(Image image, const std::vector<Kept>& records);
// What Engine.expect gets.
std::string pack_expected(const Image& image);
// Empty when equal; else the first differences, in words. Times of access are not compared.
std::string difference(const Image& actual, const Image& wanted);

}  // namespace rewindfs::test

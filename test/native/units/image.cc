#include "image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "harness.h"
#include "os/attributes.h"

namespace rewindfs::test {
namespace {

ImageNode read_node(const std::string& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, kStatxMask, &status) != 0) fail(__FILE__, __LINE__, path);
  ImageNode node;
  node.attr = to_attr(status);
  if (S_ISREG(node.attr.mode)) {
    std::ifstream file(path, std::ios::binary);
    node.content.assign(std::istreambuf_iterator<char>(file), {});
  } else if (S_ISLNK(node.attr.mode)) {
    node.content = std::filesystem::read_symlink(path).string();
  }
  char list[4096], value[4096];
  const ssize_t listed = llistxattr(path.c_str(), list, sizeof list);
  for (ssize_t at = 0; at < listed; at += static_cast<ssize_t>(std::strlen(list + at)) + 1) {
    const ssize_t got = lgetxattr(path.c_str(), list + at, value, sizeof value);
    if (got >= 0) node.xattrs[list + at] = std::string(value, static_cast<size_t>(got));
  }
  return node;
}

void read_directory(const std::string& path, uint64_t ino, Image& image) {
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    const std::string child = entry.path().string();
    struct stat status {};
    if (lstat(child.c_str(), &status) != 0) fail(__FILE__, __LINE__, child);
    image.names[{ino, entry.path().filename().string()}] = status.st_ino;
    image.nodes[status.st_ino] = read_node(child);
    if (S_ISDIR(status.st_mode)) read_directory(child, status.st_ino, image);
  }
}

template <typename T>
T take(const std::string& from, size_t& at) {
  T value{};
  std::memcpy(&value, from.data() + at, sizeof value);
  at += sizeof value;
  return value;
}

void fold_node(ImageNode& node, const Kept& record) {
  if ((node.attr.mode ^ record.attr.mode) & S_IFMT) node.content.clear();  // another object took the number
  node.attr = record.attr;
  size_t at = 0;
  const auto target_bytes = take<uint32_t>(record.payload, at);
  if (S_ISLNK(node.attr.mode)) node.content = record.payload.substr(at, target_bytes);
  if (S_ISREG(node.attr.mode)) node.content.resize(node.attr.size);
  at += target_bytes;
  node.xattrs.clear();
  while (at < record.payload.size()) {
    const auto name_bytes = take<uint16_t>(record.payload, at);
    const auto value_bytes = take<uint32_t>(record.payload, at);
    const std::string name = record.payload.substr(at, name_bytes);
    node.xattrs[name] = record.payload.substr(at + name_bytes, value_bytes);
    at += name_bytes + size_t{value_bytes};
  }
}

template <typename T>
void put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

bool same_node(const ImageNode& a, const ImageNode& b) {
  journal::Attr x = a.attr, y = b.attr;
  x.atime_s = y.atime_s = 0;
  x.atime_ns = y.atime_ns = 0;
  x.btime_s = y.btime_s = 0;
  x.btime_ns = y.btime_ns = 0;
  return std::memcmp(&x, &y, sizeof x) == 0 && a.content == b.content && a.xattrs == b.xattrs;
}

std::string describe(const ImageNode& node) {
  std::ostringstream text;
  text << std::oct << node.attr.mode << std::dec << " nlink " << node.attr.nlink << " size " << node.attr.size << " ctime "
       << node.attr.ctime_s << "." << node.attr.ctime_ns << " content " << node.content.size() << " bytes, hash "
       << std::hash<std::string>{}(node.content);
  return text.str();
}

}  // namespace

Image read_image(const std::string& root) {
  struct stat status {};
  if (stat(root.c_str(), &status) != 0) fail(__FILE__, __LINE__, root);
  Image image;
  image.nodes[status.st_ino] = read_node(root);
  read_directory(root, status.st_ino, image);
  return image;
}

Image fold_base(Image image, const std::vector<Kept>& records) {
  using journal::Kind;
  // As in history, a new object under an old inode number has no name until a record gives it one.
  std::map<uint64_t, bool> reborn;
  for (const Kept& record : records) {
    if (record.kind == Kind::kBaseNode && image.nodes.contains(record.ino) && !reborn.contains(record.ino)) {
      const journal::Attr before = image.nodes[record.ino].attr;
      reborn[record.ino] = before.btime_s != record.attr.btime_s || before.btime_ns != record.attr.btime_ns;
      if (reborn[record.ino]) {
        image.nodes[record.ino] = {};
        // What lay in a directory went with it; one made anew under its number goes on as that one (lib/extractor/fold-base.ts).
        const bool directory_went = S_ISDIR(before.mode) && !S_ISDIR(record.attr.mode);
        std::erase_if(image.names, [&](const auto& name) {
          return name.second == record.ino || (directory_went && name.first.first == record.ino);
        });
      }
    }
    if (record.kind == Kind::kBaseNode) fold_node(image.nodes[record.ino], record);
    if (record.kind == Kind::kBaseName) image.names[{record.parent, record.name}] = record.ino;
    if (record.kind == Kind::kBaseAbsent) image.names.erase({record.parent, record.name});
  }
  for (const Kept& record : records) {
    if (record.kind != Kind::kBaseData) continue;
    ImageNode& node = image.nodes[record.ino];
    if (record.offset + record.length > node.content.size()) fail(__FILE__, __LINE__, "base data beyond the file's end");
    if (record.payload.empty()) {
      std::fill_n(node.content.begin() + static_cast<ptrdiff_t>(record.offset), record.length, '\0');
    } else {
      node.content.replace(record.offset, record.length, record.payload);
    }
  }
  // What no name leads to is not part of the tree; the root has none.
  std::set<uint64_t> live, directories;
  for (const auto& [place, ino] : image.names) live.insert(ino), directories.insert(place.first);
  for (const uint64_t directory : directories) {
    if (!live.contains(directory) && image.nodes.contains(directory)) live.insert(directory);
  }
  std::erase_if(image.nodes, [&](const auto& node) { return !live.contains(node.first); });
  return image;
}

std::string pack_expected(const Image& image) {
  std::string packed;
  auto places = image.names;
  for (const auto& [ino, node] : image.nodes) {
    const bool named = std::any_of(image.names.begin(), image.names.end(), [&](const auto& name) { return name.second == ino; });
    if (!named) places[{0, ""}] = ino;  // the root
  }
  for (const auto& [place, ino] : places) {
    const journal::Attr& attr = image.nodes.at(ino).attr;
    put(packed, place.first);
    put(packed, ino);
    for (const uint32_t value : {attr.mode, attr.uid, attr.gid, attr.nlink}) put(packed, value);
    put(packed, attr.size);
    put(packed, attr.mtime_s);
    put(packed, attr.mtime_ns);
    put(packed, attr.ctime_s);
    put(packed, attr.ctime_ns);
    put(packed, static_cast<uint32_t>(place.second.size()));
    packed += place.second;
  }
  return packed;
}

std::string difference(const Image& actual, const Image& wanted) {
  std::ostringstream text;
  for (const auto& [place, ino] : wanted.names) {
    const auto found = actual.names.find(place);
    if (found == actual.names.end()) text << "missing " << place.first << "/" << place.second << "\n";
    if (found != actual.names.end() && found->second != ino) text << place.second << " leads to another inode\n";
  }
  for (const auto& [place, ino] : actual.names) {
    if (!wanted.names.contains(place)) text << "too much: " << place.first << "/" << place.second << " -> " << ino << "\n";
  }
  for (const auto& [ino, node] : wanted.nodes) {
    const auto found = actual.nodes.find(ino);
    if (found == actual.nodes.end()) {
      text << "no node " << ino << "\n";
    } else if (!same_node(found->second, node)) {
      text << "node " << ino << " is " << describe(found->second) << ", expected " << describe(node) << "\n";
    }
  }
  return text.str();
}

}  // namespace rewindfs::test

// A tree without a mount: frames as the kernel would send them, and their answers.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fuse/dispatcher.h"
#include "harness.h"
#include "live/operations.h"
#include "memory_recorder.h"

namespace rewindfs::test {

using fuse::Op;

// A frame under construction, 8-byte aligned as in a session.
class Frame {
 public:
  Frame(Op op, uint64_t nodeid) {
    fuse::InHeader head{};
    head.opcode = static_cast<uint32_t>(op);
    head.unique = 42;
    head.nodeid = nodeid;
    head.pid = static_cast<uint32_t>(getpid());
    add(head);
  }
  template <typename T>
  Frame& add(const T& value) {
    return add_bytes({reinterpret_cast<const char*>(&value), sizeof value});
  }
  Frame& add_name(std::string_view name) { return add_bytes(std::string(name) + '\0'); }
  Frame& add_bytes(std::string_view bytes) {
    words_.resize((size_ + bytes.size() + 7) / 8);
    std::memcpy(reinterpret_cast<char*>(words_.data()) + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    reinterpret_cast<fuse::InHeader*>(words_.data())->len = static_cast<uint32_t>(size_);
    return *this;
  }
  fuse::InHeader& head() { return *reinterpret_cast<fuse::InHeader*>(words_.data()); }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(words_)).first(size_); }

 private:
  std::vector<uint64_t> words_;
  size_t size_ = 0;
};

struct Answer {
  int error = 0;
  std::string body;
  template <typename T>
  T as() const {
    T value{};
    if (body.size() >= sizeof value) std::memcpy(&value, body.data(), sizeof value);
    return value;
  }
};

// A tree without a mount; the kernel's part is played by the test.
class Server {
 public:
  Server() {
    std::filesystem::create_directory(root);
    auto opened = live::Tree::open(UniqueFd(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), recorder, {".snapshots", ""});
    CHECK(opened.ok());
    tree = std::move(*opened);
    dispatcher = std::make_unique<fuse::Dispatcher<live::Tree>>(*tree, live::operations());
  }

  Answer send(std::span<const std::byte> frame) {
    std::span<const std::byte> body, extensions;
    const fuse::InHeader* head = fuse::parse_frame(frame, body, extensions);
    if (head == nullptr) return {-1, {}};  // dropped
    fuse::Call call(*head, body, extensions, room, &never);
    dispatcher->handle(call);
    const auto answer = call.answer();
    return {call.error(), call.error() ? "" : std::string(reinterpret_cast<const char*>(answer.data()), answer.size())};
  }
  Answer send(const Frame& frame) { return send(frame.bytes()); }

  Answer create(std::string_view name) {
    return send(Frame(Op::kCreate, fuse::kRootId).add(fuse::CreateIn{O_RDWR | O_CREAT, S_IFREG | 0644, 022, 0}).add_name(name));
  }
  Answer write(uint64_t node, uint64_t fh, uint64_t offset, std::string_view data) {
    fuse::WriteIn in{};
    in.fh = fh;
    in.offset = offset;
    in.size = static_cast<uint32_t>(data.size());
    return send(Frame(Op::kWrite, node).add(in).add_bytes(data));
  }

  TempDirectory base;
  const std::string root = base / "tree";
  MemoryRecorder recorder;
  std::unique_ptr<live::Tree> tree;
  std::unique_ptr<fuse::Dispatcher<live::Tree>> dispatcher;
  std::vector<std::byte> room = std::vector<std::byte>(fuse::kMaxWriteBytes + 4096);
  volatile bool never = false;
};

struct Created {
  fuse::EntryOut entry;
  fuse::OpenOut open;
};

}  // namespace rewindfs::test

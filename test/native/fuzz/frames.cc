// Frames as no kernel would send them: whatever comes, the engine answers and stays within its tree.
//
// The input is a row of frames: opcode (u8; 255: what follows is a whole frame, header and all), node (u8), length of the
// body (u16), body.
#include <sys/resource.h>

#include <csignal>

#include "input.h"
#include "units/frame_server.h"

namespace rewindfs::test {
namespace {

constexpr uint8_t kWhole = 255;

// Slow, or fills the disk.
bool is_left_out(uint32_t opcode) {
  const auto op = static_cast<Op>(opcode);
  return op == Op::kSyncfs || op == Op::kFsync || op == Op::kFsyncdir || op == Op::kFallocate;
}

void send_next(Server& server, Input& input) {
  const auto opcode = input.take<uint8_t>();
  const uint64_t node = input.take<uint8_t>();
  const auto body = input.take_bytes(input.take<uint16_t>());
  if (opcode != kWhole) {
    if (!is_left_out(opcode)) server.send(Frame(static_cast<Op>(opcode), node).add_bytes(body));
    return;
  }
  std::vector<uint64_t> words((body.size() + 7) / 8);  // aligned, as in a session
  std::memcpy(words.data(), body.data(), body.size());
  fuse::InHeader head{};
  std::memcpy(&head, body.data(), std::min(body.size(), sizeof head));
  if (!is_left_out(head.opcode)) server.send(std::as_bytes(std::span(words)).first(body.size()));
}

void limit_files() {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{1 << 20, 1 << 20};
  CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

}  // namespace
}  // namespace rewindfs::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rewindfs::test;
  static const bool limited = (limit_files(), true);
  (void)limited;
  Server server;
  for (Input input(data, size); !input.empty();) send_next(server, input);
  CHECK_EQ(std::distance(std::filesystem::directory_iterator(server.base.path()), {}), 1);
  CHECK_EQ(server.send(Frame(Op::kGetattr, rewindfs::fuse::kRootId).add(rewindfs::fuse::GetattrIn{})).error, 0);
  return 0;
}

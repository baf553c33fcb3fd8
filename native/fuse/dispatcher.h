// Bytes of a request in, an answer out: by one table of operations. Needs no mount, so that it is tested with raw frames.
// What changes the tree passes the server's gate.
#pragma once
#include <array>
#include <atomic>
#include <span>

#include "fuse/call.h"
#include "os/gate.h"

namespace rewindfs::fuse {

// One row of the table of operations.
template <typename Server>
struct Operation {
  Op op;
  const char* name;
  bool recorded;  // does it change the tree, and so append to the journal?
  void (*handle)(Server&, Call&);
};

// The request's header when the frame is whole and its lengths agree, else null.
const InHeader* parse_frame(std::span<const std::byte> frame, std::span<const std::byte>& body,
                            std::span<const std::byte>& extensions);

template <typename Server>
class Dispatcher {
 public:
  Dispatcher(Server& server, std::span<const Operation<Server>> table) : server_(server) {
    for (const auto& row : table) rows_[static_cast<unsigned>(row.op)] = &row;
  }

  // Answers into call. Unknown operations are ENOSYS, so that the kernel stops asking.
  void handle(Call& call) {
    const unsigned op = call.head.opcode;
    if (op >= kOpLimit || rows_[op] == nullptr) return call.fail(ENOSYS);
    counts_[op].fetch_add(1, std::memory_order_relaxed);
    if (!rows_[op]->recorded) return rows_[op]->handle(server_, call);
    const Gate::Pass change(server_.changes);
    rows_[op]->handle(server_, call);
  }

  template <typename Visit>
  void count(Visit visit) const {
    for (unsigned op = 0; op < kOpLimit; ++op) {
      if (rows_[op] != nullptr) visit(rows_[op]->name, counts_[op].load(std::memory_order_relaxed));
    }
  }

 private:
  Server& server_;
  std::array<const Operation<Server>*, kOpLimit> rows_{};
  std::array<std::atomic<uint64_t>, kOpLimit> counts_{};
};

}  // namespace rewindfs::fuse

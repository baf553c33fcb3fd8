#include "os/io_ring.h"

#include <sys/syscall.h>

#include <atomic>
#include <cstring>

namespace rewindfs {
namespace {

constexpr size_t kEntryBytes = 128;

uint32_t load(const uint32_t& shared) { return __atomic_load_n(&shared, __ATOMIC_ACQUIRE); }
void store(uint32_t& shared, uint32_t value) { __atomic_store_n(&shared, value, __ATOMIC_RELEASE); }

}  // namespace

Result<IoRing> IoRing::create(unsigned entries) {
  IoRing ring;
  ring.params_.flags = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED;
  ring.fd_.reset(static_cast<int>(syscall(SYS_io_uring_setup, entries, &ring.params_)));
  if (!ring.fd_.valid()) return last_errno();
  const io_uring_params& p = ring.params_;
  auto submissions = Mapping::create(p.sq_off.array + p.sq_entries * sizeof(uint32_t), ring.fd_.get(), IORING_OFF_SQ_RING);
  auto completions = Mapping::create(p.cq_off.cqes + p.cq_entries * sizeof(io_uring_cqe), ring.fd_.get(), IORING_OFF_CQ_RING);
  auto table = Mapping::create(p.sq_entries * kEntryBytes, ring.fd_.get(), IORING_OFF_SQES);
  if (!submissions.ok() || !completions.ok() || !table.ok()) return Errno{ENOMEM};
  ring.submissions_ = std::move(*submissions);
  ring.completions_ = std::move(*completions);
  ring.entries_ = std::move(*table);
  for (uint32_t i = 0; i < p.sq_entries; ++i) (&ring.at(ring.submissions_, p.sq_off.array))[i] = i;
  return ring;
}

uint32_t& IoRing::at(const Mapping& mapping, uint32_t offset) const {
  return *reinterpret_cast<uint32_t*>(mapping.data() + offset);
}

Result<void> IoRing::enable() {
  if (syscall(SYS_io_uring_register, fd_.get(), IORING_REGISTER_ENABLE_RINGS, nullptr, 0) < 0) return last_errno();
  return {};
}

io_uring_sqe& IoRing::next() {
  uint32_t& tail = at(submissions_, params_.sq_off.tail);
  std::byte* entry = entries_.data() + (tail & (params_.sq_entries - 1)) * kEntryBytes;
  std::memset(entry, 0, kEntryBytes);
  store(tail, tail + 1);  // the kernel looks at it in submit() only
  return *reinterpret_cast<io_uring_sqe*>(entry);
}

Result<void> IoRing::submit(unsigned wait) {
  const uint32_t pending = at(submissions_, params_.sq_off.tail) - load(at(submissions_, params_.sq_off.head));
  if (syscall(SYS_io_uring_enter, fd_.get(), pending, wait, IORING_ENTER_GETEVENTS, nullptr, 0) < 0) return last_errno();
  return {};
}

const io_uring_cqe* IoRing::peek() const {
  const uint32_t head = at(completions_, params_.cq_off.head);
  if (head == load(at(completions_, params_.cq_off.tail))) return nullptr;
  return reinterpret_cast<const io_uring_cqe*>(completions_.data() + params_.cq_off.cqes) + (head & (params_.cq_entries - 1));
}

void IoRing::take() {
  uint32_t& head = at(completions_, params_.cq_off.head);
  store(head, head + 1);
}

}  // namespace rewindfs

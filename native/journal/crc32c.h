// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as iSCSI, ext4 and RocksDB use it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace rewindfs::journal {

// The checksum of what `crc` covers followed by `data`; start with 0. Uses SSE4.2 where the processor has it.
uint32_t crc32c(uint32_t crc, const void* data, size_t bytes);

// The same without special instructions: other processors use it, and tests compare the two.
uint32_t crc32c_portable(uint32_t crc, const void* data, size_t bytes);

}  // namespace rewindfs::journal

#include "journal/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rewindfs::journal {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;

using Table = std::array<uint32_t, 256>;

// tables[k][b]: the register after byte b and k zero bytes, from a register of 0.
constexpr std::array<Table, 8> make_slicing_tables() {
  std::array<Table, 8> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (uint32_t byte = 0; byte < 256; ++byte) {
    for (size_t k = 1; k < 8; ++k) tables[k][byte] = (tables[k - 1][byte] >> 8) ^ tables[0][tables[k - 1][byte] & 0xff];
  }
  return tables;
}
constexpr std::array<Table, 8> kSlicing = make_slicing_tables();

uint64_t load64(const uint8_t* p) {
  uint64_t value;
  std::memcpy(&value, p, 8);
  return value;
}

#if defined(__x86_64__)
// The crc32 instruction has a latency of three cycles and a throughput of one: three strips of kStripBytes are summed
// side by side and then joined. Joining needs the register after kStripBytes zeroes, which is linear in the register:
// four tables, one for each of its bytes.
constexpr size_t kStripBytes = 1024;

constexpr uint32_t after_zeroes(uint32_t crc, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) crc = (crc >> 8) ^ kSlicing[0][crc & 0xff];
  return crc;
}

std::array<Table, 4> make_strip_tables() {
  std::array<uint32_t, 32> bits{};
  for (uint32_t bit = 0; bit < 32; ++bit) bits[bit] = after_zeroes(1u << bit, kStripBytes);
  std::array<Table, 4> tables{};
  for (uint32_t position = 0; position < 4; ++position) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      for (uint32_t bit = 0; bit < 8; ++bit) {
        if (byte & (1u << bit)) tables[position][byte] ^= bits[position * 8 + bit];
      }
    }
  }
  return tables;
}

uint32_t skip_strip(const std::array<Table, 4>& tables, uint32_t crc) {
  return tables[0][crc & 0xff] ^ tables[1][(crc >> 8) & 0xff] ^ tables[2][(crc >> 16) & 0xff] ^ tables[3][crc >> 24];
}

__attribute__((target("sse4.2"))) uint32_t crc32c_sse42(uint32_t crc, const uint8_t* p, size_t bytes) {
  static const std::array<Table, 4> strip = make_strip_tables();
  uint64_t a = ~crc & 0xffffffffu;
  while (bytes >= 3 * kStripBytes) {
    uint64_t b = 0, c = 0;
    for (size_t i = 0; i < kStripBytes; i += 8) {
      a = _mm_crc32_u64(a, load64(p + i));
      b = _mm_crc32_u64(b, load64(p + kStripBytes + i));
      c = _mm_crc32_u64(c, load64(p + 2 * kStripBytes + i));
    }
    a = skip_strip(strip, static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(b);
    a = skip_strip(strip, static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(c);
    p += 3 * kStripBytes;
    bytes -= 3 * kStripBytes;
  }
  for (; bytes >= 8; p += 8, bytes -= 8) a = _mm_crc32_u64(a, load64(p));
  for (; bytes > 0; ++p, --bytes) a = _mm_crc32_u8(static_cast<uint32_t>(a), *p);
  return ~static_cast<uint32_t>(a);
}
#endif

}  // namespace

uint32_t crc32c_portable(uint32_t crc, const void* data, size_t bytes) {
  const auto* p = static_cast<const uint8_t*>(data);
  crc = ~crc;
  if constexpr (std::endian::native == std::endian::little) {
    for (; bytes >= 8; p += 8, bytes -= 8) {
      const uint64_t word = load64(p) ^ crc;
      crc = 0;
      for (size_t i = 0; i < 8; ++i) crc ^= kSlicing[7 - i][(word >> (8 * i)) & 0xff];
    }
  }
  for (; bytes > 0; ++p, --bytes) crc = (crc >> 8) ^ kSlicing[0][(crc ^ *p) & 0xff];
  return ~crc;
}

uint32_t crc32c(uint32_t crc, const void* data, size_t bytes) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return crc32c_sse42(crc, static_cast<const uint8_t*>(data), bytes);
#endif
  return crc32c_portable(crc, data, bytes);
}

}  // namespace rewindfs::journal

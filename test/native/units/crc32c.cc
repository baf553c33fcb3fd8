#include "journal/crc32c.h"

#include <string>
#include <vector>

#include "harness.h"

namespace rewindfs::test {
namespace {

using journal::crc32c;
using journal::crc32c_portable;

TEST("CRC-32C gives the values of RFC 3720 B.4") {
  std::vector<uint8_t> bytes(32, 0);
  CHECK_EQ(crc32c(0, bytes.data(), 32), 0x8a9136aau);
  std::fill(bytes.begin(), bytes.end(), 0xff);
  CHECK_EQ(crc32c(0, bytes.data(), 32), 0x62a8ab43u);
  for (uint8_t i = 0; i < 32; ++i) bytes[i] = i;
  CHECK_EQ(crc32c(0, bytes.data(), 32), 0x46dd794eu);
  CHECK_EQ(crc32c(0, "123456789", 9), 0xe3069283u);
  CHECK_EQ(crc32c(0, "", 0), 0u);
}

TEST("CRC-32C is the same with and without the processor's instruction, in one piece and in several") {
  std::mt19937_64 random(seed());
  std::vector<uint8_t> bytes(20000);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  for (int i = 0; i < 500; ++i) {
    const size_t begin = random() % 100, length = random() % (bytes.size() - begin), cut = length ? random() % length : 0;
    const uint8_t* at = bytes.data() + begin;
    const uint32_t whole = crc32c(0, at, length);
    CHECK_EQ(crc32c_portable(0, at, length), whole);
    CHECK_EQ(crc32c(crc32c(0, at, cut), at + cut, length - cut), whole);
  }
}

}  // namespace
}  // namespace rewindfs::test

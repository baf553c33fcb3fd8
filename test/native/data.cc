// Operations on content: open, read, write, map, allocate, seek, copy, sync.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

#include "session.h"

namespace driver {
namespace {

// The bytes that a test writes: a function of the seed alone; seed 0 is zeroes.
std::string pattern(size_t bytes, uint64_t seed) {
  std::string out(bytes, '\0');
  uint64_t x = seed;
  for (size_t i = 0; seed != 0 && i < bytes; i += 8) {
    x = x * 6364136223846793005ull + 1442695040888963407ull;
    uint64_t word = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ull;
    memcpy(&out[i], &word, std::min<size_t>(8, bytes - i));
  }
  return out;
}

// Short content as it is, long content as its hash.
std::string shown(const std::string& data) {
  if (data.size() <= 64) return std::to_string(data.size()) + " " + escape(data);
  return std::to_string(data.size()) + " #" + std::to_string(hash(0, data.data(), data.size()));
}

// slot path flags mode
Reply open_file(Session& s, const Args& a) {
  int slot = std::stoi(a.at(0));
  int fd = open(a.at(1).c_str(), static_cast<int>(number(a.at(2))) | O_CLOEXEC, static_cast<mode_t>(number(a.at(3))));
  if (fd < 0) return {errno, {}};
  if (auto it = s.files.find(slot); it != s.files.end()) close(it->second);
  s.files[slot] = fd;
  return {};
}

Reply close_file(Session& s, const Args& a) {
  int fd = s.fd(a.at(0));
  s.files.erase(std::stoi(a.at(0)));
  return done(close(fd));
}

// slot offset length; offset -1 = where the descriptor stands
Reply read_file(Session& s, const Args& a) {
  long long offset = number(a.at(1));
  std::string data(static_cast<size_t>(number(a.at(2))), '\0');
  ssize_t got = offset < 0 ? read(s.fd(a.at(0)), data.data(), data.size()) : pread(s.fd(a.at(0)), data.data(), data.size(), offset);
  if (got < 0) return {errno, {}};
  data.resize(static_cast<size_t>(got));
  return {0, shown(data)};
}

// slot offset length seed; offset -1 = where the descriptor stands
Reply write_file(Session& s, const Args& a) {
  long long offset = number(a.at(1));
  std::string data = pattern(static_cast<size_t>(number(a.at(2))), static_cast<uint64_t>(number(a.at(3))));
  return value(offset < 0 ? write(s.fd(a.at(0)), data.data(), data.size()) : pwrite(s.fd(a.at(0)), data.data(), data.size(), offset));
}

// slot text
Reply write_text(Session& s, const Args& a) { return value(write(s.fd(a.at(0)), a.at(1).data(), a.at(1).size())); }

// slot offset length seed: the same in pieces of 1000 bytes in one call
Reply write_vector(Session& s, const Args& a) {
  std::string data = pattern(static_cast<size_t>(number(a.at(2))), static_cast<uint64_t>(number(a.at(3))));
  std::vector<iovec> pieces;
  for (size_t at = 0; at < data.size(); at += 1000) pieces.push_back({&data[at], std::min<size_t>(1000, data.size() - at)});
  return value(pwritev(s.fd(a.at(0)), pieces.data(), static_cast<int>(pieces.size()), number(a.at(1))));
}

Reply truncate_path(Session&, const Args& a) { return done(truncate(a.at(0).c_str(), number(a.at(1)))); }
Reply truncate_open(Session& s, const Args& a) { return done(ftruncate(s.fd(a.at(0)), number(a.at(1)))); }
Reply seek(Session& s, const Args& a) { return value(lseek(s.fd(a.at(0)), number(a.at(1)), static_cast<int>(number(a.at(2))))); }
Reply sync_file(Session& s, const Args& a) { return done(fsync(s.fd(a.at(0)))); }
Reply sync_data(Session& s, const Args& a) { return done(fdatasync(s.fd(a.at(0)))); }

// slot mode offset length
Reply allocate(Session& s, const Args& a) {
  return done(fallocate(s.fd(a.at(0)), static_cast<int>(number(a.at(1))), number(a.at(2)), number(a.at(3))));
}

// from-slot offset to-slot offset length
Reply copy_range(Session& s, const Args& a) {
  off_t from = number(a.at(1)), to = number(a.at(3));
  return value(copy_file_range(s.fd(a.at(0)), &from, s.fd(a.at(2)), &to, static_cast<size_t>(number(a.at(4))), 0));
}

// out-slot in-slot offset length
Reply send_file(Session& s, const Args& a) {
  off_t from = number(a.at(2));
  return value(sendfile(s.fd(a.at(0)), s.fd(a.at(1)), &from, static_cast<size_t>(number(a.at(3)))));
}

// map-slot slot length prot (1 read, 2 write) shared (1) or private (2)
Reply map(Session& s, const Args& a) {
  size_t bytes = static_cast<size_t>(number(a.at(2)));
  void* data = mmap(nullptr, bytes, static_cast<int>(number(a.at(3))), static_cast<int>(number(a.at(4))), s.fd(a.at(1)), 0);
  if (data == MAP_FAILED) return {errno, {}};
  s.maps[std::stoi(a.at(0))] = {static_cast<char*>(data), bytes};
  return {};
}

// map-slot offset length seed
Reply map_write(Session& s, const Args& a) {
  std::string data = pattern(static_cast<size_t>(number(a.at(2))), static_cast<uint64_t>(number(a.at(3))));
  memcpy(s.maps.at(std::stoi(a.at(0))).data + number(a.at(1)), data.data(), data.size());
  return {};
}

// map-slot offset length
Reply map_read(Session& s, const Args& a) {
  return {0, shown(std::string(s.maps.at(std::stoi(a.at(0))).data + number(a.at(1)), static_cast<size_t>(number(a.at(2)))))};
}

Reply map_sync(Session& s, const Args& a) {
  auto& m = s.maps.at(std::stoi(a.at(0)));
  return done(msync(m.data, m.bytes, MS_SYNC));
}

Reply unmap(Session& s, const Args& a) {
  auto m = s.maps.at(std::stoi(a.at(0)));
  s.maps.erase(std::stoi(a.at(0)));
  return done(munmap(m.data, m.bytes));
}

// slot count tag: appends `count` lines of 32 bytes that carry the tag; for several appenders at once
Reply append_lines(Session& s, const Args& a) {
  for (long long i = 0; i < number(a.at(1)); i++) {
    char line[33];
    snprintf(line, sizeof line, "%-8.8s %022lld\n", a.at(2).c_str(), i);
    if (write(s.fd(a.at(0)), line, 32) != 32) return {errno, {}};
  }
  return {};
}

// slot: of a file that appendlines wrote: how many lines, how many that are none, how many that do not follow their
// writer's last one
Reply check_lines(Session& s, const Args& a) {
  std::map<std::string, long long> last;
  long lines = 0, torn = 0, disordered = 0;
  char line[33] = {};
  for (off_t at = 0; pread(s.fd(a.at(0)), line, 32, at) == 32; at += 32) {
    char tag[9] = {};
    long long i = -1;
    lines++;
    if (line[31] != '\n' || sscanf(line, "%8s %lld", tag, &i) != 2) torn++;
    else if (auto [it, first] = last.try_emplace(tag, -1); i != it->second + 1) disordered++;
    else it->second = i;
  }
  return {0, std::to_string(lines) + " torn=" + std::to_string(torn) + " disordered=" + std::to_string(disordered)};
}

}  // namespace

void add_data_ops(Table& t) {
  t["open"] = open_file;
  t["close"] = close_file;
  t["read"] = read_file;
  t["write"] = write_file;
  t["text"] = write_text;
  t["writev"] = write_vector;
  t["truncate"] = truncate_path;
  t["ftruncate"] = truncate_open;
  t["seek"] = seek;
  t["fsync"] = sync_file;
  t["fdatasync"] = sync_data;
  t["fallocate"] = allocate;
  t["copyrange"] = copy_range;
  t["sendfile"] = send_file;
  t["map"] = map;
  t["mapwrite"] = map_write;
  t["mapread"] = map_read;
  t["mapsync"] = map_sync;
  t["unmap"] = unmap;
  t["appendlines"] = append_lines;
  t["checklines"] = check_lines;
}

}  // namespace driver

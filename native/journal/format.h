// The byte layout of the journal, version 1. docs/journal.md says the same in words and worked bytes;
// test/lib/extractor/format.ts holds this header, that page and the TypeScript decoder together.
//
// Everything is little-endian. A record is a RecordHead, then the sections named in `sections` in the order of
// their bits, then name, name2, zero padding to 8, the payload, zero padding to 8.
#pragma once
#include <cstddef>
#include <cstdint>

namespace rewindfs::journal {

inline constexpr char kSegmentMagic[8] = {'R', 'W', 'N', 'D', 'S', 'E', 'G', '1'};
inline constexpr uint32_t kFormatVersion = 1;
inline constexpr uint64_t kSegmentBytes = 64ull << 20;
inline constexpr uint32_t kMaxPayloadBytes = 1u << 20;  // longer data is cut into several records
inline constexpr uint32_t kRecordAlignment = 8;
inline constexpr uint32_t kBlockBytes = 64u << 10;      // baseline content is captured in aligned blocks of this size

struct SegmentHead {
  char magic[8];
  uint32_t version;
  uint32_t crc;          // CRC-32C of this struct with crc = 0
  uint8_t store_id[16];
  uint64_t first_seq;    // also the file's name: 16 hex digits + ".seg"
  uint64_t created_ns;
  uint64_t reserved[2];
};
static_assert(sizeof(SegmentHead) == 64);

inline constexpr char kSyncMarkMagic[8] = {'R', 'W', 'N', 'D', 'S', 'Y', 'N', '1'};

// The file `synced` beside the segments.
struct SyncMarkBytes {
  char magic[8];
  uint32_t crc;          // CRC-32C of this struct with crc = 0
  char boot_id[36];      // of the machine, as /proc/sys/kernel/random/boot_id has it; zeroes when it is not known
  uint8_t store_id[16];
  uint64_t synced_seq;   // up to here records are on stable storage
};
static_assert(sizeof(SyncMarkBytes) == 72);

enum class Kind : uint16_t {
  kMount = 1,        // payload JSON: boot_id, pid, mountpoint, root_ino, clean, version, name, tags
  kUnmount = 2,      // payload JSON: reason
  kWriter = 3,       // payload JSON: pid, start, ppid, exe, argv, uid, gid, cgroup, ancestors, session, certain; the record's seq is the writer's id
  kGap = 4,          // payload JSON: reason, and what it concerns
  kMark = 5,         // payload JSON: kind, name, note, detail; a point

  kCreate = 8,       // regular file, opened for writing in the same call when kOpened is set
  kMkdir = 9,
  kSymlink = 10,     // payload: target
  kMknod = 11,       // fifo, socket, device, or a regular file made by mknod(2)
  kTmpfile = 12,     // no name, parent = the directory it was made in
  kLink = 13,
  kUnlink = 14,
  kRmdir = 15,
  kRename = 16,      // parent/name -> parent2/name2; target section when something was replaced or exchanged

  kWrite = 24,       // offset, payload; length = payload bytes
  kTruncate = 25,    // length = the new size
  kFallocate = 26,   // aux = mode of fallocate(2), offset, length
  kSetattr = 27,     // aux = SetattrMask
  kSetxattr = 28,    // name = the attribute's, payload = value
  kRemovexattr = 29,

  kOpen = 32,        // open for writing; the record's seq is the save's id
  kClose = 33,       // last reference of that open gone

  kBaseNode = 40,    // the object as it was at this session's kMount; payload: BaseNode payload (docs/journal.md)
  kBaseName = 41,    // parent/name led to ino at kMount
  kBaseAbsent = 42,  // parent/name did not exist at kMount
  kBaseData = 43,    // offset, length; payload of `length` bytes, or none: a hole
  kBaseEnd = 44,     // the walk is complete: history holds the whole tree as of kMount
};

enum Flags : uint16_t {
  kOpened = 1,     // kCreate, kTmpfile: the call also opened the file for writing; this record's seq is the save's id
  kExchange = 2,   // kRename: RENAME_EXCHANGE
  kMore = 4,       // the same call goes on in the next record of this inode (its effect is whole only there)
  kWriteback = 8,  // kWrite: from the page cache (mmap); the writer is the opener, not known for certain
  kUnmounted = 16, // kBase*: differs from history because it changed while the tree was not mounted
  kNoReplace = 32, // kRename: RENAME_NOREPLACE was asked for (no effect on the fold)
  kUncaptured = 64,  // kCreate, kOpen, kTruncate, kClose, kBaseNode: from here on the content of ino is not recorded (policy)
  kCaptured = 128,   // kWrite, kFallocate, kTruncate: part of a whole content that was read from the file; with kMore but on the last.
                     // kBaseData: with it, all of the content that the file had at the mount is in the journal
  kInitial = 256,    // kBaseNode, kBaseName: it was so at the first mount of all, whose walk was cut short
};

enum SetattrMask : uint32_t { kSetMode = 1, kSetUid = 2, kSetGid = 4, kSetAtime = 8, kSetMtime = 16 };

enum Sections : uint16_t {
  kHasAttr = 1,     // Attr of ino after the change
  kHasParent = 2,   // Attr of parent after the change
  kHasParent2 = 4,  // u64 ino, Attr of the other directory after the change (kRename between two directories or within one)
  kHasTarget = 8,   // u64 ino, Attr of what was replaced (nlink 0 when it is gone) or exchanged
};

struct Attr {
  uint32_t mode;   // type and permission bits, as st_mode
  uint32_t uid;
  uint32_t gid;
  uint32_t nlink;
  uint64_t size;
  uint64_t rdev;   // new_encode_dev as in st_rdev of statx: (major << 32) | minor
  int64_t atime_s, mtime_s, ctime_s, btime_s;
  uint32_t atime_ns, mtime_ns, ctime_ns, btime_ns;
};
static_assert(sizeof(Attr) == 80);

struct InoAttr {
  uint64_t ino;
  Attr attr;
};
static_assert(sizeof(InoAttr) == 88);

struct RecordHead {
  uint32_t size;         // whole record with padding, a multiple of 8
  uint32_t crc;          // CRC-32C of `size`, then of everything from `seq` up to (not with) the payload
  uint64_t seq;
  uint64_t time_ns;      // since the epoch
  uint64_t writer;       // seq of the kWriter record, 0 = not known
  uint64_t save;         // seq of the record that opened the handle (kOpen, or kCreate/kTmpfile with kOpened), 0 = none
  uint64_t ino;
  uint64_t parent;
  uint64_t offset;
  uint64_t length;
  uint16_t kind;
  uint16_t flags;
  uint16_t sections;
  uint16_t name_bytes;
  uint16_t name2_bytes;
  uint16_t reserved;
  uint32_t aux;
  uint32_t payload_bytes;
  uint32_t payload_crc;  // CRC-32C of the payload, 0 when there is none
};
static_assert(sizeof(RecordHead) == 96);
static_assert(offsetof(RecordHead, seq) == 8);
static_assert(offsetof(RecordHead, kind) == 72);
static_assert(offsetof(RecordHead, aux) == 84);
static_assert(offsetof(RecordHead, payload_crc) == 92);

}  // namespace rewindfs::journal

// The kernel's FUSE protocol, version 7, as far as rewindfs speaks it: a stable ABI (facts: linux/fuse.h, minor 45).
// Debian's header is older than the kernels we run on, so the constants stand here. Every struct's size is asserted.
#pragma once
#include <cstddef>
#include <cstdint>

namespace rewindfs::fuse {

inline constexpr uint32_t kMajor = 7;
inline constexpr uint32_t kMinor = 42;  // what we speak; the kernel's may be higher
inline constexpr uint64_t kRootId = 1;
inline constexpr uint32_t kMaxWriteBytes = 1u << 20;
inline constexpr size_t kRequestBufferBytes = kMaxWriteBytes + 4096;
inline constexpr uint32_t kCloneIoctl = 0x8004e500;  // FUSE_DEV_IOC_CLONE = _IOR(229, 0, u32)
inline constexpr uint32_t kBackingOpenIoctl = 0x4010e501;   // FUSE_DEV_IOC_BACKING_OPEN = _IOW(229, 1, BackingMap)
inline constexpr uint32_t kBackingCloseIoctl = 0x4004e502;  // FUSE_DEV_IOC_BACKING_CLOSE = _IOW(229, 2, u32)
inline constexpr int32_t kNotifyInvalInode = 2;             // the error of an OutHeader with unique 0

enum class Op : uint32_t {
  kLookup = 1, kForget = 2, kGetattr = 3, kSetattr = 4, kReadlink = 5, kSymlink = 6, kMknod = 8, kMkdir = 9,
  kUnlink = 10, kRmdir = 11, kRename = 12, kLink = 13, kOpen = 14, kRead = 15, kWrite = 16, kStatfs = 17,
  kRelease = 18, kFsync = 20, kSetxattr = 21, kGetxattr = 22, kListxattr = 23, kRemovexattr = 24, kFlush = 25,
  kInit = 26, kOpendir = 27, kReaddir = 28, kReleasedir = 29, kFsyncdir = 30, kGetlk = 31, kSetlk = 32, kSetlkw = 33,
  kAccess = 34, kCreate = 35, kInterrupt = 36, kBmap = 37, kDestroy = 38, kIoctl = 39, kPoll = 40,
  kNotifyReply = 41, kBatchForget = 42, kFallocate = 43, kReaddirplus = 44, kRename2 = 45, kLseek = 46,
  kCopyFileRange = 47, kSyncfs = 50, kTmpfile = 51, kStatx = 52, kCopyFileRange64 = 53,
};
inline constexpr unsigned kOpLimit = 64;  // opcodes from here on are unknown

// INIT flags; bits from 32 on travel in flags2 and need kInitExt.
enum InitFlag : uint64_t {
  kAsyncRead = 1ull << 0, kPosixLocks = 1ull << 1, kAtomicOTrunc = 1ull << 3, kExportSupport = 1ull << 4,
  kBigWrites = 1ull << 5, kDontMask = 1ull << 6, kFlockLocks = 1ull << 10, kAutoInvalData = 1ull << 12,
  kDoReaddirplus = 1ull << 13, kReaddirplusAuto = 1ull << 14, kAsyncDio = 1ull << 15, kWritebackCache = 1ull << 16,
  kNoOpenSupport = 1ull << 17, kParallelDirops = 1ull << 18, kHandleKillpriv = 1ull << 19, kPosixAcl = 1ull << 20,
  kMaxPages = 1ull << 22, kCacheSymlinks = 1ull << 23, kNoOpendirSupport = 1ull << 24,
  kExplicitInvalData = 1ull << 25, kHandleKillprivV2 = 1ull << 28, kSetxattrExt = 1ull << 29, kInitExt = 1ull << 30,
  kCreateSuppGroup = 1ull << 34, kPassthrough = 1ull << 37, kOverIoUring = 1ull << 41,
};

enum OpenFlag : uint32_t {
  kFopenDirectIo = 1, kFopenKeepCache = 2, kFopenCacheDir = 8, kFopenNoFlush = 32, kFopenPassthrough = 128,
};
enum SetattrValid : uint32_t {
  kValidMode = 1, kValidUid = 2, kValidGid = 4, kValidSize = 8, kValidAtime = 16, kValidMtime = 32, kValidFh = 64,
  kValidAtimeNow = 128, kValidMtimeNow = 256, kValidCtime = 1024, kValidKillSuidgid = 2048,
};
inline constexpr uint32_t kGetattrFh = 1;
inline constexpr uint32_t kWriteCache = 1;          // from the page cache: the pid is not the writer's
inline constexpr uint32_t kWriteKillSuidgid = 4;
inline constexpr uint32_t kOpenKillSuidgid = 1;
inline constexpr uint32_t kSetxattrAclKillSgid = 1;
inline constexpr uint32_t kFsyncDataOnly = 1;
inline constexpr uint32_t kExtGroups = 32;          // extension with the caller's supplementary groups

struct InHeader {
  uint32_t len, opcode;
  uint64_t unique, nodeid;
  uint32_t uid, gid, pid;      // pid is a thread's
  uint16_t extension_words;    // 8-byte units at the end of the request
  uint16_t padding;
};
struct OutHeader {
  uint32_t len;
  int32_t error;               // 0 or a negative errno
  uint64_t unique;
};
struct Attr {
  uint64_t ino, size, blocks, atime, mtime, ctime;
  uint32_t atime_ns, mtime_ns, ctime_ns, mode, nlink, uid, gid, rdev, blksize, flags;
};
struct EntryOut {
  uint64_t nodeid, generation, entry_valid, attr_valid;
  uint32_t entry_valid_ns, attr_valid_ns;
  Attr attr;
};
struct AttrOut {
  uint64_t attr_valid;
  uint32_t attr_valid_ns, padding;
  Attr attr;
};
struct StatxTime {
  int64_t seconds;
  uint32_t nanoseconds;
  int32_t reserved;
};
struct Statx {
  uint32_t mask, blksize;
  uint64_t attributes;
  uint32_t nlink, uid, gid;
  uint16_t mode, spare0;
  uint64_t ino, size, blocks, attributes_mask;
  StatxTime atime, btime, ctime, mtime;
  uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
  uint64_t spare2[14];
};
struct StatxIn {
  uint32_t getattr_flags, reserved;
  uint64_t fh;
  uint32_t flags, mask;
};
struct StatxOut {
  uint64_t attr_valid;
  uint32_t attr_valid_ns, flags;
  uint64_t spare[2];
  Statx stat;
};
struct ForgetIn { uint64_t nlookup; };
struct ForgetOne { uint64_t nodeid, nlookup; };
struct BatchForgetIn { uint32_t count, padding; };
struct GetattrIn { uint32_t flags, padding; uint64_t fh; };
struct SetattrIn {
  uint32_t valid, padding;
  uint64_t fh, size, lock_owner, atime, mtime, ctime;
  uint32_t atime_ns, mtime_ns, ctime_ns, mode, unused4, uid, gid, unused5;
};
struct MknodIn { uint32_t mode, rdev, umask, padding; };
struct MkdirIn { uint32_t mode, umask; };
struct RenameIn { uint64_t new_dir; };
struct Rename2In { uint64_t new_dir; uint32_t flags, padding; };
struct LinkIn { uint64_t nodeid; };
struct OpenIn { uint32_t flags, open_flags; };
struct CreateIn { uint32_t flags, mode, umask, open_flags; };
struct BackingMap { int32_t fd; uint32_t flags; uint64_t padding; };
struct NotifyInvalInode { uint64_t nodeid; int64_t offset, length; };
struct OpenOut { uint64_t fh; uint32_t open_flags; int32_t backing_id; };
struct ReleaseIn { uint64_t fh; uint32_t flags, release_flags; uint64_t lock_owner; };
struct FlushIn { uint64_t fh; uint32_t unused, padding; uint64_t lock_owner; };
struct ReadIn { uint64_t fh, offset; uint32_t size, read_flags; uint64_t lock_owner; uint32_t flags, padding; };
struct WriteIn { uint64_t fh, offset; uint32_t size, write_flags; uint64_t lock_owner; uint32_t flags, padding; };
struct WriteOut { uint32_t size, padding; };
struct StatfsOut {
  uint64_t blocks, bfree, bavail, files, ffree;
  uint32_t bsize, namelen, frsize, padding, spare[6];
};
struct FsyncIn { uint64_t fh; uint32_t flags, padding; };
struct SetxattrIn { uint32_t size, flags, setxattr_flags, padding; };  // the long form, with kSetxattrExt
struct GetxattrIn { uint32_t size, padding; };
struct GetxattrOut { uint32_t size, padding; };
struct InterruptIn { uint64_t unique; };
struct FallocateIn { uint64_t fh, offset, length; uint32_t mode, padding; };
struct LseekIn { uint64_t fh, offset; uint32_t whence, padding; };
struct LseekOut { uint64_t offset; };
struct CopyFileRangeIn { uint64_t fh_in, offset_in, nodeid_out, fh_out, offset_out, length, flags; };
struct CopyFileRangeOut { uint64_t bytes; };
struct InitIn { uint32_t major, minor, max_readahead, flags, flags2, unused[11]; };
struct InitOut {
  uint32_t major, minor, max_readahead, flags;
  uint16_t max_background, congestion_threshold;
  uint32_t max_write, time_gran;
  uint16_t max_pages, map_alignment;
  uint32_t flags2, max_stack_depth;
  uint16_t request_timeout, unused[11];
};
struct Dirent { uint64_t ino, off; uint32_t namelen, type; };  // then the name, padded to 8
struct Direntplus { EntryOut entry; Dirent dirent; };          // likewise
struct ExtHeader { uint32_t size, type; };                     // size includes this header
struct SuppGroups { uint32_t count; };                         // then count gids

// Over io_uring: what a command's 80 bytes hold, and the memory in which a request comes and its answer goes.
inline constexpr uint32_t kUringRegister = 1, kUringCommitAndFetch = 2;
struct UringCommand {
  uint64_t flags, commit_id;
  uint16_t queue;
  uint8_t padding[6];
};
struct UringEntry {
  uint64_t flags, commit_id;
  uint32_t payload_bytes, padding;
  uint64_t reserved;
};
struct UringHeader {
  union {
    InHeader in;
    OutHeader out;
    std::byte head[128];
  };
  std::byte op[128];  // the operation's own arguments; names and data are in the payload
  UringEntry entry;
};

inline constexpr size_t padded(size_t bytes) { return (bytes + 7) & ~size_t{7}; }

static_assert(sizeof(InHeader) == 40 && sizeof(OutHeader) == 16 && sizeof(Attr) == 88 && sizeof(EntryOut) == 128);
static_assert(sizeof(AttrOut) == 104 && sizeof(Statx) == 256 && sizeof(StatxOut) == 288 && sizeof(StatxIn) == 24);
static_assert(sizeof(SetattrIn) == 88 && sizeof(MknodIn) == 16 && sizeof(CreateIn) == 16 && sizeof(OpenOut) == 16);
static_assert(sizeof(BackingMap) == 16 && sizeof(NotifyInvalInode) == 24);
static_assert(sizeof(ReleaseIn) == 24 && sizeof(ReadIn) == 40 && sizeof(WriteIn) == 40 && sizeof(StatfsOut) == 80);
static_assert(sizeof(FallocateIn) == 32 && sizeof(LseekIn) == 24 && sizeof(CopyFileRangeIn) == 56);
static_assert(sizeof(UringCommand) == 24 && sizeof(UringEntry) == 32 && sizeof(UringHeader) == 288);
static_assert(sizeof(InitIn) == 64 && sizeof(InitOut) == 64 && sizeof(Dirent) == 24 && sizeof(Direntplus) == 152);

}  // namespace rewindfs::fuse

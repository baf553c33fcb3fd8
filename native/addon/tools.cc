// Small calls that Node has no function for: unmount, lockFile, syncPath, syncFileSystem, crc32c, peerOf (lib/native.ts NativeAddon).
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon/async.h"
#include "addon/exports.h"
#include "fuse/mount.h"
#include "journal/crc32c.h"
#include "os/unique_fd.h"

namespace rewindfs::addon {
namespace {

Napi::Value unmount(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  const bool lazy = info[1].ToBoolean();
  return run_async(info.Env(), {}, [path, lazy] { return fuse::unmount(path, lazy); });
}

// Opens the path and syncs what this call syncs of it.
Napi::Value sync_by(const Napi::CallbackInfo& info, int (*sync)(int), const char* name) {
  const std::string path = info[0].As<Napi::String>();
  return run_async(info.Env(), {}, [path, sync, name]() -> Outcome<Done> {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return Failure{errno, "open", path};
    if (sync(fd.get()) != 0) return Failure{errno, name, path};
    return Done{};
  });
}

Napi::Value sync_path(const Napi::CallbackInfo& info) { return sync_by(info, fdatasync, "fdatasync"); }
Napi::Value sync_file_system(const Napi::CallbackInfo& info) { return sync_by(info, syncfs, "syncfs"); }

// The lock lives as long as the descriptor, which the returned object owns: also until it is collected.
Napi::Value lock_file(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  const bool shared = info[1].ToBoolean();
  auto fd = std::make_shared<UniqueFd>(open(path.c_str(), (shared ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0600));
  if (!fd->valid()) throw to_error(env, Failure{errno, "open", path});
  if (flock(fd->get(), (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return env.Null();
    throw to_error(env, Failure{errno, "flock", path});
  }
  Napi::Object lock = Napi::Object::New(env);
  lock.Set("release", Napi::Function::New(env, [fd](const Napi::CallbackInfo&) { fd->reset(); }, "release"));
  return lock;
}

Napi::Value peer_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ucred peer{};
  socklen_t length = sizeof peer;
  if (getsockopt(info[0].As<Napi::Number>().Int32Value(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
    throw to_error(env, Failure{errno, "getsockopt"});
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("pid", Napi::Number::New(env, peer.pid));
  result.Set("uid", Napi::Number::New(env, peer.uid));
  return result;
}

Napi::Value crc32c(const Napi::CallbackInfo& info) {
  const auto data = info[0].As<Napi::Buffer<uint8_t>>();
  const uint32_t seed = info.Length() > 1 && info[1].IsNumber() ? info[1].As<Napi::Number>().Uint32Value() : 0;
  return Napi::Number::New(info.Env(), journal::crc32c(seed, data.Data(), data.Length()));
}

}  // namespace

void init_tools(Napi::Env env, Napi::Object exports) {
  exports.Set("unmount", Napi::Function::New(env, unmount, "unmount"));
  exports.Set("syncPath", Napi::Function::New(env, sync_path, "syncPath"));
  exports.Set("syncFileSystem", Napi::Function::New(env, sync_file_system, "syncFileSystem"));
  exports.Set("lockFile", Napi::Function::New(env, lock_file, "lockFile"));
  exports.Set("peerOf", Napi::Function::New(env, peer_of, "peerOf"));
  exports.Set("crc32c", Napi::Function::New(env, crc32c, "crc32c"));
}

}  // namespace rewindfs::addon

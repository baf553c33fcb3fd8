// mountOverlay and readXattrs of lib/native.ts, on the thread pool.
#include "os/overlay.h"

#include "addon/async.h"
#include "addon/exports.h"

namespace rewindfs::addon {
namespace {

Napi::Value mount_overlay_js(const Napi::CallbackInfo& info) {
  const auto from = info[0].As<Napi::Object>();
  const auto text = [&](const char* name) -> std::string { return from.Get(name).As<Napi::String>(); };
  const OverlayOptions options{text("lower"), text("upper"), text("work"), text("mountpoint"), text("source")};
  return run_async(info.Env(), {}, [options] { return mount_overlay(options); });
}

Napi::Value to_entries(Napi::Env env, Xattrs& found) {
  Napi::Array entries = Napi::Array::New(env, found.size());
  uint32_t at = 0;
  for (const auto& [name, value] : found) {
    Napi::Array entry = Napi::Array::New(env, 2);
    entry.Set(0u, Napi::Buffer<char>::Copy(env, name.data(), name.size()));
    entry.Set(1u, Napi::Buffer<char>::Copy(env, value.data(), value.size()));
    entries.Set(at++, entry);
  }
  return entries;
}

Napi::Value read_xattrs_js(const Napi::CallbackInfo& info) {
  const auto bytes = info[0].As<Napi::Buffer<char>>();
  const std::string path(bytes.Data(), bytes.Length());
  return run_async<Xattrs>(info.Env(), {}, [path] { return read_xattrs(path); }, to_entries);
}

}  // namespace

void init_overlay(Napi::Env env, Napi::Object exports) {
  exports.Set("mountOverlay", Napi::Function::New(env, mount_overlay_js, "mountOverlay"));
  exports.Set("readXattrs", Napi::Function::New(env, read_xattrs_js, "readXattrs"));
}

}  // namespace rewindfs::addon

// The module: each file of this folder adds its exports. A new one is declared in exports.h and called here.
#include <malloc.h>

#include "addon/exports.h"

namespace rewindfs::addon {

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  // Dozens of threads run in this process, and glibc would give each a heap that keeps all it ever took.
  mallopt(M_ARENA_MAX, 2);
  init_engine(env, exports);
  init_journal(env, exports);
  init_overlay(env, exports);
  init_policy(env, exports);
  init_tools(env, exports);
  init_tree(env, exports);
  init_view_channel(env, exports);
  return exports;
}

}  // namespace rewindfs::addon

static Napi::Object init_module(Napi::Env env, Napi::Object exports) { return rewindfs::addon::init(env, exports); }

NODE_API_MODULE(rewindfs, init_module)

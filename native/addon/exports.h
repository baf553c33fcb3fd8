// What each file of the addon gives to JavaScript: one init function a file, called once when the module is loaded.
// The exports together are NativeAddon in lib/native.ts.
#pragma once
#include <napi.h>

namespace rewindfs::addon {

void init_engine(Napi::Env env, Napi::Object exports);
void init_journal(Napi::Env env, Napi::Object exports);
void init_overlay(Napi::Env env, Napi::Object exports);
void init_policy(Napi::Env env, Napi::Object exports);
void init_tools(Napi::Env env, Napi::Object exports);
void init_tree(Napi::Env env, Napi::Object exports);
void init_view_channel(Napi::Env env, Napi::Object exports);

}  // namespace rewindfs::addon

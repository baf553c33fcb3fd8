// Rules as lib/policy compiles them (lib/native.ts NativeRule), as the engine's.
#pragma once
#include <napi.h>

#include <memory>

#include "live/policy.h"

namespace rewindfs::addon {

std::shared_ptr<const live::Policy> policy_of(const Napi::Value& rules);

}  // namespace rewindfs::addon

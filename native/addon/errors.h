// The one translation of failures to JavaScript errors: an Error with errno (positive), code, syscall and, where they
// are known, path and offset.
#pragma once
#include <napi.h>

#include "os/failure.h"

namespace rewindfs::addon {

Napi::Error to_error(Napi::Env env, const Failure& failure);

}  // namespace rewindfs::addon

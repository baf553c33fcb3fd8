#include "addon/errors.h"

#include <cstring>

namespace rewindfs::addon {

Napi::Error to_error(Napi::Env env, const Failure& failure) {
  const char* name = strerrorname_np(failure.error);
  const std::string code = !failure.code.empty() ? failure.code : name ? name : "EUNKNOWN";
  std::string message = code + ": ";
  if (failure.detail.empty()) {
    const char* text = strerrordesc_np(failure.error);
    message += text ? text : "unknown error";
  } else {
    message += failure.detail;
  }
  if (!failure.syscall.empty()) message += ", " + failure.syscall;
  if (!failure.path.empty()) message += " '" + failure.path + "'";
  if (failure.offset >= 0) message += " at byte " + std::to_string(failure.offset);

  Napi::Error error = Napi::Error::New(env, message);
  Napi::Object object = error.Value();
  object.Set("errno", failure.error);
  object.Set("code", code);
  if (!failure.syscall.empty()) object.Set("syscall", failure.syscall);
  if (!failure.path.empty()) object.Set("path", failure.path);
  if (failure.offset >= 0) object.Set("offset", static_cast<double>(failure.offset));
  return error;
}

}  // namespace rewindfs::addon

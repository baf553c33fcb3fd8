// Promises for work that can wait. run_async does it on libuv's threadpool; a ThreadPromise is settled by any thread.
//
// Guarantees: `work` never touches JavaScript and runs once; the object that owns what it uses is kept alive until the
// promise is settled.
#pragma once
#include <napi.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "addon/errors.h"
#include "os/failure.h"

namespace rewindfs::addon {

inline Napi::Value to_undefined(Napi::Env env, Done&) { return env.Undefined(); }
inline Napi::Value to_number(Napi::Env env, uint64_t& value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

template <typename T>
class AsyncWork final : public Napi::AsyncWorker {
 public:
  using Work = std::function<Outcome<T>()>;
  using Convert = std::function<Napi::Value(Napi::Env, T&)>;

  AsyncWork(Napi::Env env, Napi::Object keep, Work work, Convert convert)
      : Napi::AsyncWorker(env), deferred_(env), work_(std::move(work)), convert_(std::move(convert)) {
    if (!keep.IsEmpty()) keep_ = Napi::Persistent(keep);
  }
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { outcome_.emplace(work_()); }
  void OnOK() override {
    if (outcome_->ok()) {
      deferred_.Resolve(convert_(Env(), **outcome_));
    } else {
      deferred_.Reject(to_error(Env(), outcome_->failure()).Value());
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference keep_;
  Work work_;
  Convert convert_;
  std::optional<Outcome<T>> outcome_;
};

// The worker deletes itself once the promise is settled (Napi::AsyncWorker's contract).
template <typename T>
Napi::Promise run_async(Napi::Env env, Napi::Object keep, typename AsyncWork<T>::Work work,
                        typename AsyncWork<T>::Convert convert) {
  auto worker = std::make_unique<AsyncWork<T>>(env, keep, std::move(work), std::move(convert));
  Napi::Promise promise = worker->promise();
  worker.release()->Queue();
  return promise;
}

inline Napi::Promise run_async(Napi::Env env, Napi::Object keep, AsyncWork<Done>::Work work) {
  return run_async<Done>(env, keep, std::move(work), to_undefined);
}

}  // namespace rewindfs::addon

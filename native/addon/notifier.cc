#include "addon/notifier.h"

namespace rewindfs::addon {

Notifier::Notifier(Napi::Env env, Napi::Function callback, const char* name, Arguments arguments)
    : state_(std::make_shared<State>()) {
  state_->arguments = std::move(arguments);
  auto context = std::make_unique<std::shared_ptr<State>>(state_);
  function_ = Function::New(
      env, callback, name, 0, 1, context.get(),
      [](Napi::Env, void*, std::shared_ptr<State>* owned) {
        const std::unique_ptr<std::shared_ptr<State>> last(owned);
        const std::lock_guard lock((*last)->mutex);
        (*last)->freed = true;
      },
      static_cast<void*>(nullptr));
  context.release();
  function_.Unref(env);
}

Notifier::~Notifier() {
  state_->dead.store(true);
  const std::lock_guard lock(state_->mutex);
  if (!state_->freed) function_.Release();
}

void Notifier::notify() {
  if (state_->queued.exchange(true, std::memory_order_acq_rel)) return;
  const std::lock_guard lock(state_->mutex);
  if (state_->freed || function_.NonBlockingCall() != napi_ok) state_->queued.store(false);
}

void Notifier::call(Napi::Env env, Napi::Function callback, std::shared_ptr<State>* context, void*) {
  State& state = **context;
  state.queued.store(false, std::memory_order_release);
  if (static_cast<napi_env>(env) == nullptr || callback.IsEmpty() || state.dead.load()) return;
  callback.Call(state.arguments(env));
}

}  // namespace rewindfs::addon

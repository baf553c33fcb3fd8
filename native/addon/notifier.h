// Calls into JavaScript from any thread.
//
// Notifier: many notify() become one call; none is lost (a notify() after the call began makes another call).
// It does not keep the process alive. Once it is destroyed, on the JavaScript thread, nothing is called any more.
#pragma once
#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace rewindfs::addon {

class Notifier {
 public:
  // arguments: makes the arguments of a call, on the JavaScript thread.
  using Arguments = std::function<std::vector<napi_value>(Napi::Env)>;

  Notifier(Napi::Env env, Napi::Function callback, const char* name, Arguments arguments);
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  void notify();

 private:
  struct State {
    std::atomic<bool> queued{false};
    std::atomic<bool> dead{false};
    // Node frees the function at the end of its environment, before the objects that own a Notifier and while other
    // threads still run: nobody may use it then.
    std::mutex mutex;
    bool freed = false;
    Arguments arguments;
  };
  static void call(Napi::Env env, Napi::Function callback, std::shared_ptr<State>* state, void*);
  using Function = Napi::TypedThreadSafeFunction<std::shared_ptr<State>, void, &Notifier::call>;

  std::shared_ptr<State> state_;
  Function function_;
};

}  // namespace rewindfs::addon

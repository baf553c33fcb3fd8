// ViewChannel of lib/native.ts: hands the requests of a view to JavaScript in batches and takes its replies.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "addon/async.h"
#include "addon/exports.h"
#include "addon/notifier.h"
#include "fuse/view_connection.h"

namespace rewindfs::addon {
namespace {

Napi::Value bytes_of(Napi::Env env, const std::vector<std::byte>& bytes) {
  return Napi::Buffer<std::byte>::Copy(env, bytes.data(), bytes.size());
}

class ViewChannelObject final : public Napi::ObjectWrap<ViewChannelObject> {
 public:
  explicit ViewChannelObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ViewChannelObject>(info) {
    const Napi::Env env = info.Env();
    if (!info[0].IsObject()) throw Napi::TypeError::New(env, "options: an object was expected");
    const auto from = info[0].As<Napi::Object>();
    fuse::MountOptions options;
    options.mountpoint = from.Get("mountpoint").As<Napi::String>();
    options.source = from.Get("fsname").As<Napi::String>();
    options.subtype = from.Get("subtype").As<Napi::String>();
    // The connection's callbacks hold it only through weak pointers: it owns the thread that calls them.
    auto place = std::make_shared<std::weak_ptr<fuse::ViewConnection>>();
    requests_ = std::make_unique<Notifier>(env, from.Get("onRequests").As<Napi::Function>(), "rewindfs.onRequests",
                                           [place](Napi::Env inner) -> std::vector<napi_value> {
                                             const auto connection = place->lock();
                                             return {bytes_of(inner, connection ? connection->take() : std::vector<std::byte>())};
                                           });
    gone_ = std::make_unique<Notifier>(env, from.Get("onGone").As<Napi::Function>(), "rewindfs.onGone",
                                       [](Napi::Env) -> std::vector<napi_value> { return {}; });
    connection_ = std::make_shared<fuse::ViewConnection>(
        std::move(options), fuse::ViewConnection::Events{[notifier = requests_.get()] { notifier->notify(); },
                                                         [notifier = gone_.get()] { notifier->notify(); }});
    *place = connection_;
  }
  // The reader ends before the notifiers that it calls.
  ~ViewChannelObject() override { connection_.reset(); }

  static void define(Napi::Env env, Napi::Object exports) {
    exports.Set("ViewChannel", DefineClass(env, "ViewChannel",
                                           {InstanceMethod<&ViewChannelObject::start>("start"),
                                            InstanceMethod<&ViewChannelObject::reply>("reply"),
                                            InstanceMethod<&ViewChannelObject::stop>("stop")}));
  }

 private:
  Napi::Value start(const Napi::CallbackInfo& info) {
    return run_async(info.Env(), Value(), [connection = connection_] { return connection->start(); });
  }

  Napi::Value reply(const Napi::CallbackInfo& info) {
    const auto unique = static_cast<uint64_t>(info[0].As<Napi::Number>().DoubleValue());
    const int error = info[1].As<Napi::Number>().Int32Value();
    std::span<const std::byte> body;
    if (info[2].IsBuffer()) {
      const auto buffer = info[2].As<Napi::Buffer<std::byte>>();
      body = {buffer.Data(), buffer.Length()};
    }
    return Napi::Number::New(info.Env(), connection_->reply(unique, error, body));
  }

  Napi::Value stop(const Napi::CallbackInfo& info) {
    const bool lazy = info[0].IsObject() && info[0].As<Napi::Object>().Get("lazy").ToBoolean();
    return run_async(info.Env(), Value(), [connection = connection_, lazy] { return connection->stop(lazy); });
  }

  std::unique_ptr<Notifier> requests_;
  std::unique_ptr<Notifier> gone_;
  std::shared_ptr<fuse::ViewConnection> connection_;
};

}  // namespace

void init_view_channel(Napi::Env env, Napi::Object exports) { ViewChannelObject::define(env, exports); }

}  // namespace rewindfs::addon

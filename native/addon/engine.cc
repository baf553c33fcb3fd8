// Engine (lib/native.ts): a live tree as a JavaScript class.
#include "live/engine.h"

#include "addon/async.h"
#include "addon/errors.h"
#include "addon/exports.h"
#include "addon/journal.h"
#include "addon/notifier.h"
#include "addon/policy.h"
#include "live/backing_disk.h"

namespace rewindfs::addon {
namespace {

std::string text(const Napi::Object& from, const char* name) { return from.Get(name).As<Napi::String>(); }

live::EngineOptions parse_options(const Napi::Object& from) {
  live::EngineOptions options;
  options.backing = text(from, "backing");
  options.mountpoint = text(from, "mountpoint");
  options.fsname = text(from, "fsname");
  options.snapshots.name = text(from, "snapshotsName");
  if (from.Get("snapshotsLink").IsString()) options.snapshots.link = text(from, "snapshotsLink");
  options.boot_id = text(from, "bootId");
  options.version = text(from, "version");
  if (from.Get("purpose").IsString()) options.purpose = text(from, "purpose");
  if (from.Get("tags").IsArray()) {
    const auto tags = from.Get("tags").As<Napi::Array>();
    for (uint32_t i = 0; i < tags.Length(); ++i) options.tags.push_back(tags.Get(i).As<Napi::String>());
  }
  if (from.Get("unrecorded").IsString()) options.unrecorded = text(from, "unrecorded");
  options.clean = from.Get("clean").ToBoolean();
  bool exact = true;
  if (from.Get("baselineSinceNs").IsBigInt()) options.baseline_since_ns = from.Get("baselineSinceNs").As<Napi::BigInt>().Int64Value(&exact);
  if (from.Get("transport").IsString()) {
    const std::string over = text(from, "transport");
    options.over = over == "dev" ? fuse::Over::kDev : over == "io_uring" ? fuse::Over::kUring : fuse::Over::kAuto;
  }
  if (from.Get("threads").IsNumber()) options.threads = from.Get("threads").As<Napi::Number>().Uint32Value();
  return options;
}

class EngineObject final : public Napi::ObjectWrap<EngineObject> {
 public:
  explicit EngineObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EngineObject>(info) {
    if (!info[0].IsObject()) throw Napi::TypeError::New(info.Env(), "options: an object was expected");
    const auto options = info[0].As<Napi::Object>();
    engine_ = std::make_shared<live::Engine>(parse_options(options), journal_of(options.Get("journal")), [this] {
      if (gone_) gone_->notify();
    });
  }

  static void define(Napi::Env env, Napi::Object exports) {
    exports.Set("Engine", DefineClass(env, "Engine",
                                      {InstanceMethod<&EngineObject::start>("start"),
                                       InstanceMethod<&EngineObject::expect>("expect"),
                                       InstanceMethod<&EngineObject::set_policy>("setPolicy"),
                                       InstanceMethod<&EngineObject::block>("block"),
                                       InstanceMethod<&EngineObject::start_baseline>("startBaseline"),
                                       InstanceMethod<&EngineObject::baseline_done>("baselineDone"),
                                       InstanceMethod<&EngineObject::stats>("stats"),
                                       InstanceMethod<&EngineObject::on_trouble>("onTrouble"),
                                       InstanceMethod<&EngineObject::set_patience>("setPatience"),
                                       InstanceMethod<&EngineObject::answer_trouble>("answerTrouble"),
                                       InstanceMethod<&EngineObject::read_backing>("readBacking"),
                                       InstanceMethod<&EngineObject::sync_backing>("syncBacking"),
                                       InstanceMethod<&EngineObject::resume>("resume"),
                                       InstanceMethod<&EngineObject::stop>("stop"),
                                       InstanceMethod<&EngineObject::on_gone>("onGone")}));
  }

 private:
  live::Tree& started_tree(Napi::Env env) {
    if (engine_->tree() == nullptr) throw Napi::Error::New(env, "the engine is not started");
    return *engine_->tree();
  }

  static Napi::Value started_of(Napi::Env env, live::Started& started) {
    Napi::Object result = Napi::Object::New(env);
    result.Set("mountSeq", static_cast<double>(started.mount_seq));
    result.Set("rootIno", Napi::BigInt::New(env, started.root_ino));
    return result;
  }

  Napi::Value start(const Napi::CallbackInfo& info) {
    return run_async<live::Started>(info.Env(), Value(), [engine = engine_] { return engine->start(); }, started_of);
  }

  Napi::Value resume(const Napi::CallbackInfo& info) {
    bool exact = true;
    const int64_t since = info[0].IsBigInt() ? info[0].As<Napi::BigInt>().Int64Value(&exact) : 0;
    return run_async<live::Started>(info.Env(), Value(), [engine = engine_, since] { return engine->resume(since); }, started_of);
  }

  Napi::Value expect(const Napi::CallbackInfo& info) {
    started_tree(info.Env());
    const auto buffer = info[0].As<Napi::Buffer<uint8_t>>();
    const auto* data = reinterpret_cast<const std::byte*>(buffer.Data());
    return run_async(info.Env(), Value(), [engine = engine_, entries = std::vector<std::byte>(data, data + buffer.Length())] {
      engine->tree()->baseline.expect(entries);
      return Outcome<Done>(Done{});
    });
  }

  void set_policy(const Napi::CallbackInfo& info) {
    engine_->set_policy(policy_of(info[0]), info[1].As<Napi::Number>().Uint32Value());
  }

  void block(const Napi::CallbackInfo& info) {
    const auto list = info[0].As<Napi::Array>();
    std::set<std::string> families;
    for (uint32_t i = 0; i < list.Length(); ++i) families.insert(list.Get(i).As<Napi::String>());
    engine_->block(std::move(families));
  }

  void start_baseline(const Napi::CallbackInfo& info) { started_tree(info.Env()).baseline.start(); }

  Napi::Value baseline_done(const Napi::CallbackInfo& info) {
    auto& baseline = started_tree(info.Env()).baseline;
    const auto deferred = std::make_shared<Napi::Promise::Deferred>(info.Env());
    const auto failed_with = std::make_shared<std::atomic<int>>(0);
    const auto settle = Napi::Function::New(info.Env(), [deferred, failed_with](const Napi::CallbackInfo& called) {
      const int error = failed_with->load();
      if (error == 0) deferred->Resolve(called.Env().Undefined());
      else deferred->Reject(to_error(called.Env(), Failure{error, "baseline"}).Value());
    });
    done_ = std::make_unique<Notifier>(info.Env(), settle, "rewindfs.baselineDone",
                                       [](Napi::Env) { return std::vector<napi_value>{}; });
    baseline.on_done([this, failed_with](int error) {
      failed_with->store(error);
      done_->notify();
    });
    return deferred->Promise();
  }

  Napi::Value stats(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    live::Tree& tree = started_tree(env);
    Napi::Object result = Napi::Object::New(env), requests = Napi::Object::New(env), baseline = Napi::Object::New(env);
    engine_->count_requests([&](const char* name, uint64_t count) {
      if (count > 0) requests.Set(name, static_cast<double>(count));
    });
    const live::Baseline::Progress progress = tree.baseline.progress();
    constexpr const char* kStates[] = {"loading", "walking", "done", "failed"};
    baseline.Set("state", kStates[progress.state]);
    baseline.Set("directories", static_cast<double>(progress.directories));
    baseline.Set("files", static_cast<double>(progress.files));
    baseline.Set("bytes", static_cast<double>(progress.bytes));
    baseline.Set("differences", static_cast<double>(progress.differences));
    result.Set("transport", engine_->transport());
    result.Set("transportReason", engine_->transport_reason());
    result.Set("requests", requests);
    result.Set("inodes", static_cast<double>(tree.inodes.size()));
    result.Set("handles", static_cast<double>(tree.handles.size()));
    result.Set("baseline", baseline);
    result.Set("passthrough", tree.captures.passes_on());
    result.Set("recapturing", tree.recapture.busy());
    return result;
  }

  Napi::Value stop(const Napi::CallbackInfo& info) {
    const auto options = info[0].As<Napi::Object>();
    const bool lazy = options.Get("lazy").ToBoolean();
    const std::string reason = text(options, "reason");
    return run_async(info.Env(), Value(), [engine = engine_, lazy, reason] { return engine->stop(lazy, reason); });
  }

  void on_gone(const Napi::CallbackInfo& info) {
    gone_ = std::make_unique<Notifier>(info.Env(), info[0].As<Napi::Function>(), "rewindfs.onGone",
                                       [](Napi::Env) { return std::vector<napi_value>{}; });
  }

  void on_trouble(const Napi::CallbackInfo& info) {
    live::Tree& tree = started_tree(info.Env());
    trouble_ = std::make_unique<Notifier>(info.Env(), info[0].As<Napi::Function>(), "rewindfs.onTrouble",
                                          [&tree](Napi::Env env) { return std::vector<napi_value>{troubles(env, tree)}; });
    tree.rescue.listen([this] { trouble_->notify(); });
  }

  static Napi::Value troubles(Napi::Env env, live::Tree& tree) {
    Napi::Array list = Napi::Array::New(env);
    for (const live::Trouble& trouble : tree.rescue.take()) {
      Napi::Object one = Napi::Object::New(env);
      one.Set("id", static_cast<double>(trouble.id));
      one.Set("what", trouble.what);
      one.Set("ino", static_cast<double>(trouble.ino));
      one.Set("offset", static_cast<double>(trouble.offset));
      one.Set("length", static_cast<double>(trouble.length));
      one.Set("errno", trouble.error);
      one.Set("thread", trouble.thread);
      list.Set(list.Length(), one);
    }
    return list;
  }

  void set_patience(const Napi::CallbackInfo& info) {
    started_tree(info.Env()).rescue.set_patience(std::chrono::milliseconds(info[0].As<Napi::Number>().Uint32Value()));
  }

  void answer_trouble(const Napi::CallbackInfo& info) {
    const auto id = static_cast<uint64_t>(info[0].As<Napi::Number>().DoubleValue());
    std::optional<std::span<const std::byte>> bytes;
    if (info[1].IsBuffer()) {
      const auto buffer = info[1].As<Napi::Buffer<std::byte>>();
      bytes.emplace(buffer.Data(), buffer.Length());
    }
    started_tree(info.Env()).rescue.answer(id, bytes);
  }

  Napi::Value read_backing(const Napi::CallbackInfo& info) {
    (void)started_tree(info.Env());
    const auto name = info[0].As<Napi::Buffer<char>>();
    const std::string path(name.Data(), name.Length());
    const auto offset = static_cast<uint64_t>(info[1].As<Napi::Number>().DoubleValue());
    const size_t length = info[2].As<Napi::Number>().Uint32Value();
    return run_async<live::BackingPiece>(
        info.Env(), Value(),
        [engine = engine_, path, offset, length]() -> Outcome<live::BackingPiece> {
          auto piece = live::read_backing(*engine->tree(), path, offset, length);
          if (!piece.ok()) return Failure{piece.error(), "read", path};
          return std::move(*piece);
        },
        [](Napi::Env env, live::BackingPiece& piece) -> Napi::Value {
          Napi::Object result = Napi::Object::New(env);
          result.Set("data", Napi::Buffer<std::byte>::Copy(env, piece.data.data(), piece.data.size()));
          result.Set("size", static_cast<double>(piece.size));
          result.Set("ino", static_cast<double>(piece.ino));
          result.Set("ctimeNs", Napi::BigInt::New(env, piece.ctime_ns));
          result.Set("writers", piece.writers);
          return result;
        });
  }

  Napi::Value sync_backing(const Napi::CallbackInfo& info) {
    (void)started_tree(info.Env());
    return run_async(info.Env(), Value(), [engine = engine_]() -> Outcome<Done> {
      if (const auto synced = live::sync_backing(*engine->tree()); !synced.ok()) return Failure{synced.error(), "syncfs"};
      return Done{};
    });
  }

  std::unique_ptr<Notifier> gone_, done_, trouble_;
  std::shared_ptr<live::Engine> engine_;
};

}  // namespace

void init_engine(Napi::Env env, Napi::Object exports) { EngineObject::define(env, exports); }

}  // namespace rewindfs::addon

#include "addon/journal.h"

#include <cstring>

#include "addon/async.h"
#include "addon/exports.h"
#include "addon/notifier.h"

namespace rewindfs::addon {
namespace {

constexpr napi_type_tag kJournalTag = {0x7265776e64667331, 0x6a6f75726e616c31};

uint64_t number_or(const Napi::Object& options, const char* name, uint64_t otherwise) {
  const Napi::Value value = options.Get(name);
  return value.IsNumber() ? static_cast<uint64_t>(value.As<Napi::Number>().DoubleValue()) : otherwise;
}

journal::Options parse_options(Napi::Env env, const Napi::Object& from) {
  journal::Options options;
  options.directory = from.Get("directory").As<Napi::String>();
  const Napi::Value id = from.Get("storeId");
  if (!id.IsBuffer() || id.As<Napi::Buffer<uint8_t>>().Length() != options.store_id.size()) {
    throw Napi::TypeError::New(env, "storeId: a Buffer of 16 bytes was expected");
  }
  std::memcpy(options.store_id.data(), id.As<Napi::Buffer<uint8_t>>().Data(), options.store_id.size());
  options.next_seq = number_or(from, "nextSeq", options.next_seq);
  options.sync_interval_ms = static_cast<unsigned>(number_or(from, "syncIntervalMs", options.sync_interval_ms));
  options.backlog_hard_bytes = number_or(from, "backlogHardBytes", options.backlog_hard_bytes);
  options.min_free_bytes = number_or(from, "minFreeBytes", options.min_free_bytes);
  options.read_only = from.Get("readOnly").ToBoolean();
  return options;
}

Napi::Value bytes_to_buffer(Napi::Env env, std::vector<std::byte>& bytes) {
  auto owned = std::make_unique<std::vector<std::byte>>(std::move(bytes));
  auto* data = reinterpret_cast<uint8_t*>(owned->data());
  const size_t size = owned->size();
  if (size == 0) return Napi::Buffer<uint8_t>::New(env, 0);
  const auto buffer = Napi::Buffer<uint8_t>::New(
      env, data, size, [](Napi::Env, uint8_t*, std::vector<std::byte>* vector) {
        const std::unique_ptr<std::vector<std::byte>> freed(vector);
      },
      owned.get());
  owned.release();
  return buffer;
}

Napi::Value stranded_of(Napi::Env env, const journal::Opened& opened) {
  Napi::Object stranded = Napi::Object::New(env);
  stranded.Set("firstSeq", static_cast<double>(opened.stranded.first_seq));
  stranded.Set("lastSeq", static_cast<double>(opened.stranded.last_seq));
  stranded.Set("kept", opened.kept);
  return stranded;
}

Napi::Value gap_of(Napi::Env env, const journal::Gap& gap) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("errno", gap.error);
  result.Set("sinceNs", Napi::BigInt::New(env, gap.since_ns));
  result.Set("records", static_cast<double>(gap.records));
  return result;
}

class JournalObject final : public Napi::ObjectWrap<JournalObject> {
 public:
  explicit JournalObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<JournalObject>(info) {
    info.This().As<Napi::Object>().TypeTag(&kJournalTag);
    if (!info[0].IsObject()) throw Napi::TypeError::New(info.Env(), "options: an object was expected");
    journal_ = std::make_shared<journal::Journal>(parse_options(info.Env(), info[0].As<Napi::Object>()));
  }
  ~JournalObject() override { journal_->on_append(nullptr); }

  static void define(Napi::Env env, Napi::Object exports) {
    exports.Set("Journal", DefineClass(env, "Journal",
                                       {InstanceMethod<&JournalObject::open>("open"),
                                        InstanceMethod<&JournalObject::read>("read"),
                                        InstanceMethod<&JournalObject::append>("append"),
                                        InstanceMethod<&JournalObject::sync>("sync"),
                                        InstanceMethod<&JournalObject::release>("release"),
                                        InstanceMethod<&JournalObject::history_stands>("historyStands"),
                                        InstanceMethod<&JournalObject::on_append>("onAppend"),
                                        InstanceMethod<&JournalObject::arm>("arm"),
                                        InstanceMethod<&JournalObject::work_first>("workFirst"),
                                        InstanceMethod<&JournalObject::stats>("stats"),
                                        InstanceMethod<&JournalObject::close>("close")}));
  }
  const std::shared_ptr<journal::Journal>& journal() const { return journal_; }

 private:
  Napi::Value open(const Napi::CallbackInfo& info) {
    return run_async<journal::Opened>(
        info.Env(), Value(), [journal = journal_] { return journal->open(); },
        [](Napi::Env env, journal::Opened& opened) -> Napi::Value {
          Napi::Object state = Napi::Object::New(env);
          state.Set("firstSeq", static_cast<double>(opened.first_seq));
          state.Set("lastSeq", static_cast<double>(opened.last_seq));
          state.Set("cutBytes", static_cast<double>(opened.cut_bytes));
          state.Set("stranded", opened.stranded.first_seq == 0 ? env.Null() : stranded_of(env, opened));
          return state;
        });
  }

  Napi::Value read(const Napi::CallbackInfo& info) {
    const auto from = static_cast<uint64_t>(info[0].As<Napi::Number>().DoubleValue());
    const auto max = static_cast<uint64_t>(info[1].As<Napi::Number>().DoubleValue());
    return run_async<std::vector<std::byte>>(
        info.Env(), Value(), [journal = journal_, from, max] { return journal->read(from, max); }, bytes_to_buffer);
  }

  Napi::Value append(const Napi::CallbackInfo& info) {
    const auto kind = static_cast<journal::Kind>(info[0].As<Napi::Number>().Uint32Value());
    const auto buffer = info[1].As<Napi::Buffer<uint8_t>>();
    const auto* data = reinterpret_cast<const std::byte*>(buffer.Data());
    const std::vector<std::byte> payload(data, data + buffer.Length());
    const auto work = [journal = journal_, kind, payload]() -> Outcome<journal::Appended> {
      const auto reservation = journal->reserve(payload.size(), 1, nullptr);
      if (!reservation.ok()) return Failure{reservation.error(), "append"};
      journal::Draft draft;
      draft.kind = kind;
      draft.payload = payload;
      const auto appended = journal->append_timed(draft);
      if (!appended.ok()) return Failure{appended.error(), "append"};
      if (appended->seq == journal::kUnrecorded) return Failure{journal->stats().gap.error, "append"};
      return *appended;
    };
    return run_async<journal::Appended>(info.Env(), Value(), work,
                                        [](Napi::Env env, journal::Appended& appended) -> Napi::Value {
                                          Napi::Object result = Napi::Object::New(env);
                                          result.Set("seq", static_cast<double>(appended.seq));
                                          result.Set("timeNs", Napi::BigInt::New(env, appended.time_ns));
                                          return result;
                                        });
  }

  Napi::Value sync(const Napi::CallbackInfo& info) {
    return run_async<uint64_t>(
        info.Env(), Value(),
        [journal = journal_]() -> Outcome<uint64_t> {
          if (const auto synced = journal->sync(); !synced.ok()) return Failure{synced.error(), "fdatasync"};
          return journal->synced_seq();
        },
        to_number);
  }

  Napi::Value release(const Napi::CallbackInfo& info) {
    const auto seq = static_cast<uint64_t>(info[0].As<Napi::Number>().DoubleValue());
    return run_async(info.Env(), Value(), [journal = journal_, seq] { return journal->release(seq); });
  }

  void history_stands(const Napi::CallbackInfo& info) { journal_->history_stands(info[0].As<Napi::Number>().Int32Value()); }
  void work_first(const Napi::CallbackInfo& info) { journal_->work_first(info[0].ToBoolean()); }

  void on_append(const Napi::CallbackInfo& info) {
    journal_->on_append(nullptr);
    notifier_.reset();
    if (!info[0].IsFunction()) return;
    notifier_ = std::make_unique<Notifier>(
        info.Env(), info[0].As<Napi::Function>(), "rewindfs.onAppend",
        [journal = journal_](Napi::Env env) -> std::vector<napi_value> {
          return {Napi::Number::New(env, static_cast<double>(journal->last_seq()))};
        });
    journal_->on_append([this] {
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (armed_) tell();
    });
  }

  // An append stores its seq and then looks whether somebody is armed, this does it the other way round: one sees the other.
  void arm(const Napi::CallbackInfo& info) {
    const auto after = static_cast<uint64_t>(info[0].As<Napi::Number>().DoubleValue());
    armed_ = true;
    if (journal_->last_seq() > after) tell();
  }

  void tell() {
    if (armed_.exchange(false) && notifier_) notifier_->notify();
  }

  Napi::Value stats(const Napi::CallbackInfo& info) {
    const journal::Stats stats = journal_->stats();
    Napi::Object result = Napi::Object::New(info.Env());
    const auto set = [&result](const char* name, uint64_t value) { result.Set(name, static_cast<double>(value)); };
    set("firstSeq", stats.first_seq);
    set("lastSeq", stats.last_seq);
    set("releasedSeq", stats.released_seq);
    set("syncedSeq", stats.synced_seq);
    set("segments", stats.segments);
    set("backlogBytes", stats.backlog_bytes);
    set("backlogHardBytes", stats.backlog_hard_bytes);
    set("appendedBytes", stats.appended_bytes);
    set("syncs", stats.syncs);
    set("freeBytes", stats.free_bytes);
    result.Set("failedErrno", stats.failed);
    result.Set("refusedErrno", stats.refused);
    result.Set("gap", stats.gap.error == 0 ? info.Env().Null() : gap_of(info.Env(), stats.gap));
    return result;
  }

  Napi::Value close(const Napi::CallbackInfo& info) {
    return run_async(info.Env(), Value(), [journal = journal_] { return journal->close(); });
  }

  std::shared_ptr<journal::Journal> journal_;
  std::unique_ptr<Notifier> notifier_;
  std::atomic<bool> armed_{false};
};

}  // namespace

std::shared_ptr<journal::Journal> journal_of(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kJournalTag)) {
    throw Napi::TypeError::New(value.Env(), "journal: a Journal was expected");
  }
  return JournalObject::Unwrap(value.As<Napi::Object>())->journal();
}

void init_journal(Napi::Env env, Napi::Object exports) { JournalObject::define(env, exports); }

}  // namespace rewindfs::addon

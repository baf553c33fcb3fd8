// openTree and TreeWriter of lib/native.ts: JavaScript operations -> native/os/tree_writer.h, on the thread pool.
//
// The bytes of `data` and `value` are not copied: the operations are kept alive until the promise is settled.
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "addon/async.h"
#include "addon/exports.h"
#include "os/own_files_thread.h"
#include "os/tree_writer.h"

namespace rewindfs::addon {
namespace {

using Kind = TreeOp::Kind;

constexpr std::pair<std::string_view, Kind> kKinds[] = {
    {"write", Kind::kWrite},       {"create", Kind::kCreate},     {"unlink", Kind::kUnlink},
    {"mkdir", Kind::kMkdir},       {"rmdir", Kind::kRmdir},       {"rename", Kind::kRename},
    {"chmod", Kind::kChmod},       {"chown", Kind::kChown},       {"times", Kind::kTimes},
    {"truncate", Kind::kTruncate}, {"punch", Kind::kPunch},       {"symlink", Kind::kSymlink},
    {"mknod", Kind::kMknod},       {"link", Kind::kLink},         {"setxattr", Kind::kSetxattr},
    {"removexattr", Kind::kRemovexattr}, {"fsync", Kind::kFsync},
};

// Members of one operation. A member that is missing or of another type is its zero value; the call then fails by
// its own rules (an empty path is the root).
class Members {
 public:
  explicit Members(Napi::Object object) : object_(object) {}

  std::span<const std::byte> bytes(const char* name) const {
    const Napi::Value value = object_.Get(name);
    if (!value.IsBuffer()) return {};
    const auto buffer = value.As<Napi::Buffer<std::byte>>();
    return {buffer.Data(), buffer.Length()};
  }
  std::string text(const char* name) const {
    const auto data = bytes(name);
    return {reinterpret_cast<const char*>(data.data()), data.size()};
  }
  uint64_t number(const char* name) const {
    const Napi::Value value = object_.Get(name);
    if (value.IsBigInt()) {
      bool lossless = false;
      return value.As<Napi::BigInt>().Uint64Value(&lossless);
    }
    return value.IsNumber() ? static_cast<uint64_t>(value.As<Napi::Number>().Int64Value()) : 0;
  }
  int64_t time(const char* name) const {
    const Napi::Value value = object_.Get(name);
    bool lossless = false;
    return value.IsBigInt() ? value.As<Napi::BigInt>().Int64Value(&lossless) : 0;
  }
  bool flag(const char* name) const { return object_.Get(name).ToBoolean(); }

 private:
  Napi::Object object_;
};

bool read_kind(const std::string& name, Kind& kind) {
  for (const auto& [known, value] : kKinds) {
    if (known == name) {
      kind = value;
      return true;
    }
  }
  return false;
}

TreeOp read_op(Kind kind, const Members& members) {
  TreeOp op;
  op.kind = kind;
  op.path = members.text("path");
  switch (kind) {
    case Kind::kWrite: op.data = members.bytes("data"); op.offset = members.number("offset"); break;
    case Kind::kTruncate: op.length = members.number("size"); break;
    case Kind::kPunch: op.offset = members.number("offset"); op.length = members.number("length"); break;
    case Kind::kRename: op.exchange = members.flag("exchange"); [[fallthrough]];
    case Kind::kLink: op.from = members.text("from"); break;
    case Kind::kSymlink: op.from = members.text("target"); break;
    case Kind::kSetxattr: op.data = members.bytes("value"); [[fallthrough]];
    case Kind::kRemovexattr: op.from = members.text("name"); break;
    case Kind::kTimes: op.atime_ns = members.time("atimeNs"); op.mtime_ns = members.time("mtimeNs"); break;
    default:
      op.mode = static_cast<uint32_t>(members.number("mode"));
      op.rdev = members.number("rdev");
      op.uid = static_cast<uint32_t>(members.number("uid"));
      op.gid = static_cast<uint32_t>(members.number("gid"));
  }
  return op;
}

Napi::Value to_array(Napi::Env env, std::vector<int>& errors) {
  Napi::Array array = Napi::Array::New(env, errors.size());
  for (uint32_t i = 0; i < errors.size(); ++i) array.Set(i, Napi::Number::New(env, errors[i]));
  return array;
}

// A TreeWriter in a thread of its own: the tree may be one that this process serves.
class Tree {
 public:
  ~Tree() {
    thread_.run([this] { writer_.reset(); });
  }
  int open(const char* path) {
    int error = 0;
    thread_.run([&] {
      auto writer = TreeWriter::open(path);
      if (writer.ok()) writer_ = std::move(*writer);
      else error = writer.error();
    });
    return error;
  }
  std::vector<int> apply(const std::vector<TreeOp>& ops) {
    std::vector<int> errors;
    thread_.run([&] { errors = writer_->apply(ops); });
    return errors;
  }

 private:
  OwnFilesThread thread_;
  std::unique_ptr<TreeWriter> writer_;
};

// Shared by the two functions of one tree: null once it is closed.
using Handle = std::shared_ptr<std::shared_ptr<Tree>>;

Napi::Value apply(const Napi::CallbackInfo& info, const Handle& handle) {
  const Napi::Env env = info.Env();
  const auto array = info[0].As<Napi::Array>();
  auto ops = std::make_shared<std::vector<TreeOp>>();
  ops->reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    Napi::HandleScope scope(env);
    const auto object = array.Get(i).As<Napi::Object>();
    const std::string name = object.Get("op").ToString();
    Kind kind{};
    if (!read_kind(name, kind)) throw Napi::TypeError::New(env, "unknown tree operation '" + name + "'");
    ops->push_back(read_op(kind, Members(object)));
  }
  std::shared_ptr<Tree> tree = *handle;
  auto work = [tree, ops]() -> Outcome<std::vector<int>> {
    if (!tree) return Failure{EBADF, "apply", "", "", "the tree is closed"};
    return tree->apply(*ops);
  };
  return run_async<std::vector<int>>(env, array, std::move(work), to_array);
}

Napi::Value to_tree(Napi::Env env, std::shared_ptr<Tree>& opened) {
  auto handle = std::make_shared<std::shared_ptr<Tree>>(opened);
  Napi::Object tree = Napi::Object::New(env);
  tree.Set("apply", Napi::Function::New(env, [handle](const Napi::CallbackInfo& info) { return apply(info, handle); }, "apply"));
  tree.Set("close", Napi::Function::New(env, [handle](const Napi::CallbackInfo&) { handle->reset(); }, "close"));
  return tree;
}

Napi::Value open_tree(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  auto work = [path]() -> Outcome<std::shared_ptr<Tree>> {
    auto tree = std::make_shared<Tree>();
    if (const int error = tree->open(path.c_str()); error != 0) return Failure{error, "open", path};
    return tree;
  };
  return run_async<std::shared_ptr<Tree>>(info.Env(), {}, std::move(work), to_tree);
}

}  // namespace

void init_tree(Napi::Env env, Napi::Object exports) {
  exports.Set("openTree", Napi::Function::New(env, open_tree, "openTree"));
}

}  // namespace rewindfs::addon

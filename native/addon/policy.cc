#include "addon/policy.h"

#include "addon/exports.h"

namespace rewindfs::addon {
namespace {

live::PolicyRule rule_of(const Napi::Object& from) {
  live::PolicyRule rule;
  const auto parts = from.Get("parts").As<Napi::Array>();
  for (uint32_t i = 0; i < parts.Length(); ++i) rule.parts.push_back(parts.Get(i).As<Napi::String>());
  rule.directory = from.Get("directory").ToBoolean();
  rule.capture = static_cast<live::Capture>(from.Get("capture").As<Napi::Number>().Uint32Value());
  rule.pattern = from.Get("pattern").As<Napi::String>();
  rule.by = from.Get("by").As<Napi::String>();
  return rule;
}

Napi::Value policy_rule(const Napi::CallbackInfo& info) {
  const auto policy = policy_of(info[0]);
  const auto path = info[1].As<Napi::Buffer<char>>();
  return Napi::Number::New(info.Env(), policy->decide({path.Data(), path.Length()}, info[2].ToBoolean()).rule);
}

}  // namespace

std::shared_ptr<const live::Policy> policy_of(const Napi::Value& rules) {
  const auto list = rules.As<Napi::Array>();
  std::vector<live::PolicyRule> all;
  for (uint32_t i = 0; i < list.Length(); ++i) all.push_back(rule_of(list.Get(i).As<Napi::Object>()));
  return std::make_shared<const live::Policy>(std::move(all));
}

void init_policy(Napi::Env env, Napi::Object exports) {
  exports.Set("policyRule", Napi::Function::New(env, policy_rule, "policyRule"));
}

}  // namespace rewindfs::addon

// Journal (lib/native.ts): the journal as a JavaScript class, and how other classes of the addon get at it.
#pragma once
#include <napi.h>

#include <memory>

#include "journal/journal.h"

namespace rewindfs::addon {

// The journal behind a JavaScript Journal. Throws a TypeError when the value is something else. Whoever keeps it may
// append until close(), and afterwards gets ESHUTDOWN.
std::shared_ptr<journal::Journal> journal_of(const Napi::Value& value);

}  // namespace rewindfs::addon

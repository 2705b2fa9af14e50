#pragma once

#include <hso/try.hpp>

#include "function_ref.hpp"

namespace hso::detail {

/// Calls `work`, sets `error`, and returns whether `work` threw nothing.
bool guarded(Error& error, FunctionRef<void()> work) noexcept;

}  // namespace hso::detail

#pragma once

/// @file
/// How a caller ends work that takes too long: a search, a table of millions of entries.

#include <functional>
#include <stdexcept>

#include <hso/export.h>

namespace hso {

/// Whether to stop. Asked on the calling thread, and on no other: once when the work begins, then about every 10 ms while it
/// lasts. True ends the work with Stopped; an exception ends it, too, and reaches the caller. Nothing is left half done, and
/// objects that the work was given may be used again. An empty function is never asked.
using ShouldStop = std::function<bool()>;

/// Thrown where a ShouldStop said so.
class HSO_EXPORT Stopped : public std::runtime_error {
  public:
    Stopped();            ///< "stopped by the caller"
    ~Stopped() override;  ///< as every exception's
};

}  // namespace hso

#pragma once

#include <string_view>

#include <hso/export.h>
#include <hso/version.h>

namespace hso {

/// The version of the library that runs; HSO_VERSION is that of the headers.
HSO_EXPORT std::string_view version() noexcept;

/// Whether the library was built with NLopt. Without it LocalSolver::slsqp, LowerObjective::dm_nonuni and Search::paper are refused.
HSO_EXPORT bool has_nlopt() noexcept;

}  // namespace hso

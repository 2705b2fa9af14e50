#pragma once

/// @file
/// The search for a schedule.

#include <span>
#include <vector>

#include <hso/export.h>
#include <hso/noise_schedule.hpp>
#include <hso/options.hpp>
#include <hso/schedule.hpp>
#include <hso/workspace.hpp>

namespace hso {

/// Finds the schedule of `nfe` network calls (1..10000; LocalSolver::slsqp: 1..1000) that minimizes the fitness for this noise schedule. (A solver that
/// calls the network twice a step makes twice as many: `nfe` counts its steps.)
///
/// The result is a function of (noise, nfe, options) alone, bitwise the same for any number of threads.
/// Throws std::invalid_argument for options that make no sense (naming argument, value and limit), among them a
/// spacing that does not fit between the ends. A spent budget is a Status, not an exception.
HSO_EXPORT Schedule optimize(const NoiseSchedule& noise, int nfe, const Options& options = {});

/// The same for several nfe, in their order; Search::exact shares what does not depend on nfe.
HSO_EXPORT std::vector<Schedule> optimize(const NoiseSchedule& noise, std::span<const int> nfe, const Options& options = {});

/// The same schedule as without a workspace, bitwise, in `out`, whose vectors are reused as well.
///
/// Repeating a call that `workspace` and `out` have served allocates nothing with Search::exact, and with Search::bilevel,
/// LocalSolver::newton and one thread. NLopt, which LocalSolver::slsqp and Search::paper use, allocates on its own, and
/// further threads do: they are started anew in every call.
///
/// Throws as the others do, and std::logic_error where the workspace is at work already: one call at a time. An exception
/// leaves the workspace usable and, unless it is std::bad_alloc, `out` as it was.
HSO_EXPORT void optimize(const NoiseSchedule& noise, int nfe, const Options& options, Workspace& workspace, Schedule& out);

}  // namespace hso

#pragma once

#include <span>

#include <hso/schedule.hpp>

#include "problem.hpp"

namespace hso::detail {

/// Fills `schedule`, whatever it was, with the one that samples at the optimized nodes `t` (problem.nodes(), strictly
/// decreasing) under the problem's terminal, with its figures of merit. Reuses its vectors.
void make_schedule(const Problem& problem, std::span<const double> t, double rho, Schedule& schedule);

}  // namespace hso::detail

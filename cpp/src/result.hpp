#pragma once

#include <vector>

#include <hso/schedule.hpp>

#include "problem.hpp"

namespace hso::detail {

/// The schedule that samples at the optimized nodes `t` (problem.nodes(), strictly decreasing) under the problem's
/// terminal, with its figures of merit.
Schedule make_schedule(const Problem& problem, std::vector<double> t, double rho);

}  // namespace hso::detail

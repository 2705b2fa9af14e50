#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include <hso/options.hpp>
#include <hso/schedule.hpp>

#include "problem.hpp"

namespace hso::detail {

/// What a search hands back: the optimized nodes and how it came to them.
struct SearchResult {
    std::vector<double> t;  ///< problem.nodes(), strictly decreasing
    double rho = std::numeric_limits<double>::quiet_NaN();  ///< of the start, where there was one
    std::int64_t evaluations = 0;
    int generations = 0;
    double lower_bound = std::numeric_limits<double>::quiet_NaN();
    Status status = Status::converged;
};

/// The published search (paper's Algorithm 1): lower level without spacing, upper level scored with the penalty, ended
/// by a local polish of psi.
SearchResult search_paper(const Problem& problem, const Options& options);

/// The same with the spacing as constraints of the lower level, ended by a polish of all nodes with the ends free.
SearchResult search_bilevel(const Problem& problem, const Options& options);

}  // namespace hso::detail

#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "problem.hpp"

namespace hso::detail {

/// Moves that take a schedule out of a local minimum, for problems that may have several: a tabulated or steep proxy, blocks of
/// tied nodes on a rough table. Both leave nodes strictly decreasing and spaced, and are starts for a local solver.

/// Where nodes have gathered at the least spacing (the proxy rewards huge steps, and the spacing allows it), takes all but one
/// of each group and spends them where halving an interval gains most. False if none has gathered or none gains.
bool spread_gathered(const Problem& problem, std::span<double> t);

/// Moves all gathered nodes but one of each group to the one group where they cost least. False if none has gathered.
bool gather_elsewhere(const Problem& problem, std::span<double> t);

/// Finds the best joint move of all nodes by multiples -reach..reach of `step` in t, by dynamic programming along the chain,
/// and makes it. False if staying is best.
class WindowSearch {
  public:
    explicit WindowSearch(const Problem& problem);

    bool improve(std::span<double> t, double step);

  private:
    static constexpr int kReach = 6;
    static constexpr std::size_t kPlaces = 2 * kReach + 1;

    const Problem& problem_;
    std::vector<double> places_, lambdas_, value_;  ///< of each node's places; NaN lambda: out of bounds
    std::vector<std::size_t> from_;
};

}  // namespace hso::detail

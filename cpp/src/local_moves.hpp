#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "checkpoint.hpp"
#include "problem.hpp"

namespace hso::detail {

// Moves that take a schedule out of a local minimum, for problems that may have several: a tabulated or steep proxy, blocks of
// tied nodes on a rough table. Both kinds leave nodes strictly decreasing and spaced, and are starts for a local solver. Their
// objects serve one problem after the other, and allocate only for more nodes than ever before.

/// For nodes that have gathered at the least spacing (the proxy rewards huge steps, and the spacing allows it).
class GatheredMoves {
  public:
    /// Takes all but one of each group and spends them where halving an interval gains most. False if none has gathered or
    /// none gains.
    bool spread(const Problem& problem, std::span<double> t, Checkpoint& checkpoint);

    /// Moves all gathered nodes but one of each group to the one group where they cost least. False if none has gathered.
    bool gather_elsewhere(const Problem& problem, std::span<double> t, Checkpoint& checkpoint);

  private:
    /// An interval in lambda that may be cut into `parts` of the same length.
    struct Interval {
        double low, high;
        std::size_t parts = 1;

        double at(std::size_t i) const { return low + (high - low) * (static_cast<double>(i) / static_cast<double>(parts)); }
        double cost(const Problem& problem) const;
        double gain(const Problem& problem) const { return cost(problem) - Interval{low, high, parts + 1}.cost(problem); }
    };

    std::vector<Interval> intervals_;
    std::vector<double> gains_;                     ///< of each interval
    std::vector<double> groups_, trial_, lambdas_;  ///< where groups sit; one way to gather
};

/// Finds the best joint move of all nodes by multiples -reach..reach of `step` in t, by dynamic programming along the chain,
/// and makes it. False if staying is best.
class WindowSearch {
  public:
    /// For `problem`, which must outlive its use here, as `checkpoint`, from now on.
    void reset(const Problem& problem, Checkpoint& checkpoint);

    bool improve(std::span<double> t, double step);

  private:
    static constexpr int kReach = 6;
    static constexpr std::size_t kPlaces = 2 * kReach + 1;

    const Problem* problem_ = nullptr;
    Checkpoint* checkpoint_ = nullptr;
    std::vector<double> places_, lambdas_, value_;  ///< of each node's places; NaN lambda: out of bounds
    std::vector<std::size_t> from_;
};

}  // namespace hso::detail

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace hso::test {

/// Which constraints of a chain of nodes are tight: gap i is between nodes i and i + 1.
struct Tight {
    std::vector<bool> gap, low, high;
};

/// By how much a point misses the Karush-Kuhn-Tucker conditions: multipliers >= 0 of its tight constraints alone
/// (x_i - x_{i+1} >= d, low <= x_i <= high) are to make up the gradient. The multiplier of a gap is the one before plus the
/// gradient, less the force of a low bound, plus that of a high one: what it can be is an interval, followed along the chain.
inline double chain_kkt_violation(std::span<const double> gradient, const Tight& tight) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    double least = 0.0, most = 0.0, violation = 0.0;
    for (std::size_t i = 0; i < gradient.size(); ++i) {
        least = tight.low[i] ? -infinity : least + gradient[i];
        most = tight.high[i] ? infinity : most + gradient[i];
        const bool gap = i + 1 < gradient.size() && tight.gap[i];
        violation = std::max({violation, -most, gap ? 0.0 : least});
        least = gap ? std::max(least, 0.0) : 0.0;
        most = gap ? std::max(most, 0.0) : 0.0;
    }
    return violation;
}

}  // namespace hso::test

#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include <hso/export.h>
#include <hso/stop.hpp>

namespace hso {

/// Points in order, 0 to count - 1, of which a chain picks some in that order, and where it may begin and end.
struct ChainPoints {
    std::size_t count;                   ///< M >= 2
    std::span<const double> start = {};  ///< M costs of beginning at each point; empty: 0 at the first, no other
    std::span<const double> end = {};    ///< M costs of ending at each point; empty: 0 at the last, no other
    std::span<const double> t = {};      ///< M times, strictly decreasing; may be empty if spacing is 0
    double spacing = 0.0;                ///< >= 0: no edge joins points nearer in t than this, less 1e-12 of the largest |t|
};

/// A chain of so many edges.
struct ChainPath {
    std::vector<std::size_t> nodes;  ///< one more than edges, strictly increasing; empty where no such chain exists
    double cost;                     ///< +infinity where no such chain exists
};

// All costs are any numbers but NaN and -infinity; +infinity forbids. Sums that overflow are infinite. `discount`,
// positive and finite, multiplies what remains at each node (GITS, Chen et al. 2024, whose coefficient is near 1):
// V = cost of the next edge + discount * V of the rest, so the end's cost is discounted once by each edge. Of chains
// that cost the same, the one with the lowest first node is found, then with the lowest second, and so on. Bad
// arguments throw std::invalid_argument.

/// The cheapest chains of 1, 2, ..., max_edges edges (1..10000), result i of i + 1 edges, exact for any costs.
/// `cost`: M * M entries, cost[i * M + j] of the edge from point i to j > i; those with j <= i are not read.
/// O(M^2 max_edges) time, O(M max_edges) memory beside `cost`.
HSO_EXPORT std::vector<ChainPath> shortest_chains(const ChainPoints& points, std::span<const double> cost, std::size_t max_edges,
                                                  double discount = 1.0, const ShouldStop& should_stop = {});

/// Fills cost[k - j - 1], for each k in j + 1 .. M - 1, with the cost of the edge from point j to k after node i.
using CostWithMemory = std::function<void(std::size_t i, std::size_t j, std::span<double> cost)>;

/// The same where an edge's cost depends on the node before it, as for a multistep solver. `first`: M * M entries,
/// those of a chain's first edge, which has no node before; `cost` gives the others. It is called on the calling thread
/// for i < j < M - 1 that an edge may join, once for the search and again for the chains found, and has to give the
/// same numbers each time. O(M^3 max_edges) time; M^2 min(max_edges, M - 1) numbers of memory, at most 2^28 (2 GiB).
HSO_EXPORT std::vector<ChainPath> shortest_chains_with_memory(const ChainPoints& points, std::span<const double> first,
                                                              const CostWithMemory& cost, std::size_t max_edges,
                                                              double discount = 1.0, const ShouldStop& should_stop = {});

}  // namespace hso

#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "problem.hpp"

namespace hso::detail {

/// Points uniform in lambda over the range of a problem's nodes, and what the costs of edges between them are made of. On a
/// uniform lattice an edge's cost 2 G(m) sinh(h/2) is a product of two table entries: the transcendental functions are
/// evaluated O(points) times for O(points^2) edges.
struct Lattice {
    Lattice(const Problem& problem, std::size_t points);

    std::size_t size() const { return t.size(); }

    std::vector<double> t;           ///< of each point, decreasing
    std::vector<double> coarseness;  ///< half the width in t that a point stands for
    std::vector<double> steepness;   ///< -dlambda/dt
    std::vector<double> weight;      ///< G at the points and midway between
    std::vector<double> twice_sinh;  ///< 2 sinh(h/2) at distance 0, 1, ... points
};

/// Fills t (problem.nodes(), non-increasing) with the best schedule whose nodes lie on the lattice: a shortest path with
/// problem.intervals edges, by dynamic programming. The spacing is kept but for the lattice's own coarseness: a start for a
/// local solver, not a schedule.
void shortest_path(const Problem& problem, const Lattice& lattice, std::span<double> t);

}  // namespace hso::detail

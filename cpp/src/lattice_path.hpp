#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "checkpoint.hpp"
#include "problem.hpp"
#include "scratch.hpp"

namespace hso::detail {

/// Points uniform in lambda over the range of a problem's nodes, and what the costs of edges between them are made of. On a
/// uniform lattice an edge's cost 2 G(m) sinh(h/2) is a product of two table entries: the transcendental functions are
/// evaluated O(points) times for O(points^2) edges.
struct Lattice {
    Lattice() = default;  ///< no points
    Lattice(const Problem& problem, std::size_t points) { reset(problem, points); }

    /// Becomes the lattice of this problem; allocates only for more points than ever before.
    void reset(const Problem& problem, std::size_t points);

    std::size_t size() const { return t.size(); }

    std::vector<double> t;           ///< of each point, decreasing
    std::vector<double> coarseness;  ///< half the width in t that a point stands for
    std::vector<double> steepness;   ///< -dlambda/dt
    std::vector<double> weight;      ///< G at the points and midway between
    std::vector<double> twice_sinh;  ///< 2 sinh(h/2) at distance 0, 1, ... points
};

/// The best schedule whose nodes lie on a lattice: a shortest path with problem.intervals edges, by dynamic programming.
/// The spacing is kept but for the lattice's own coarseness: a start for a local solver, not a schedule. One object may
/// serve one problem after the other, and allocates only for larger ones than ever before.
class LatticePath {
  public:
    /// Fills t (problem.nodes(), non-increasing).
    void find(const Problem& problem, const Lattice& lattice, std::span<double> t, Checkpoint& checkpoint);

  private:
    std::span<const double> price_edges(const Problem& problem, const Lattice& lattice);

    // row l: the costs of the edges (k, l) for k < reach_[l], the points from which the spacing lets an edge come
    Scratch costs_;
    std::vector<std::size_t> reach_;
    Scratch values_;  ///< row i: the cheapest way to be at each point with node i
    std::vector<double> least_;
};

}  // namespace hso::detail

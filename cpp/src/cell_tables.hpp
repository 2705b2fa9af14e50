#pragma once

#include <cstddef>
#include <vector>

#include "checkpoint.hpp"
#include "problem.hpp"

namespace hso::detail {

/// What Certificate needs to know about cells of lambda. Cells have the width `step` and lie on a lattice, so that the
/// midpoints between cells and their distances do too: sums over pairs of cells need no transcendental function.

/// Of each cell.
struct CellTable {
    std::vector<double> edge_t;               ///< t at the cell's upper edge in t, its lower in lambda
    std::vector<double> far_edge_t;           ///< t at the other edge
    std::vector<double> t, t_slope, t_error;  ///< |t(c + x) - t - t_slope x| <= t_error for x within the cell
    std::vector<double> weight, curvature;    ///< G and G' at the centre c

    void resize(std::size_t cells);
    /// Fills entries [at, at + count) for cells with centres first, first + step, ...
    void fill(const Problem& problem, double first, double step, std::size_t at, std::size_t count, Checkpoint& checkpoint);
};

/// Of each midpoint m between two cells: G, G', (G'' + G)/2 and (G'' - G)/2, and by how much G' and the last two differ from
/// that anywhere within a cell's width around.
struct MidpointTable {
    std::vector<double> g, g1, even, odd, g1_radius, second_radius;

    void resize(std::size_t midpoints);
    /// Fills entries [at, at + count) for midpoints first, first + step/2, ...
    void fill(const Problem& problem, double first, double step, std::size_t at, std::size_t count, Checkpoint& checkpoint);
};

/// Of each distance h between two cells: sinh(h/2), cosh(h/2), and by how much they differ from that within a cell's width.
struct DistanceTable {
    std::vector<double> sinh, cosh, sinh_radius, cosh_radius;

    void resize(std::size_t distances);
    /// Fills entries [at, at + count) for distances first, first - step, ... (which may end below 0).
    void fill(double first, double step, std::size_t at, std::size_t count);
};

}  // namespace hso::detail

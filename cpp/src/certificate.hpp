#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "cell_tables.hpp"
#include "checkpoint.hpp"
#include "problem.hpp"

namespace hso::detail {

/// A rigorous lower bound on the value of every schedule that a problem admits (docs/exact.md), by a shortest path over
/// intervals of lambda.
///
/// lambda is cut into cells, uniform on a lattice. Node i lies in one of the cells of its window. For a pair of cells the
/// edge's cost is bounded from below by its expansion about the cells' centres: value, slope, and an interval bound of the
/// Hessian. Two devices make the bound second order in the cells' width everywhere near an optimum:
///  - a potential phi_i(x) = g (x - c) + gamma (x - c)^2/2 in each cell of node i is added to the edge that leaves the node and
///    taken off the edge that enters it, which changes no path's cost. g is the slope of the cheapest way to the cell, so that
///    the slopes of an optimal path's edges vanish; gamma = G' removes what telescopes of the curvature.
///  - where a pair of cells holds schedules with and without the spacing, the constraint enters with a multiplier mu >= 0:
///    c >= c - mu (t_a - t_b - d) for whatever keeps it. A soft penalty gamma max(0, d - s)^2 enters in the same way, by
///    its conjugate: >= mu (d - s) - mu^2/(4 gamma).
/// Cells through which no path can be as good as the best schedule known are dropped, the others are halved or finer.
///
/// One object may serve one problem after the other, and allocates only where it needs more cells than ever before.
class Certificate {
  public:
    Certificate() = default;  ///< to be reset before use
    Certificate(const Problem& problem, Checkpoint& checkpoint) { reset(problem, checkpoint); }

    /// For `problem`, which must outlive its use here, as `checkpoint`, from now on.
    void reset(const Problem& problem, Checkpoint& checkpoint);

    /// Tells a good schedule, before the first pass: where the cost of the way to a node has a kink, at the edge of what the
    /// spacing leaves, the potential takes the slope that is optimal there. The bound holds with any; with this one it is
    /// close. Elsewhere later passes take the slopes that the one before found.
    void expect(std::span<const double> t);

    /// One pass at the present resolution: a lower bound on the value of every schedule in the windows.
    double bound();

    /// Fills t with the path that the last bound() took through the cells' centres: a start for a local solver.
    void path(std::span<double> t) const;

    enum class Progress {
        refined,    ///< the windows hold every schedule as good as `best`, at a finer resolution
        closed,     ///< no schedule is better than `best`
        exhausted,  ///< the next pass would exceed the budget of work
    };
    /// Drops the cells that no path as good as `best` can use and refines, given the gap still open and the one wanted
    /// (both absolute).
    Progress refine(double best, double open, double wanted);

  private:
    /// A node's domain in lambda and its window: the cells that meet the domain. `offset` is where the node's cells begin in
    /// the columns below, `stage` where the midpoints and distances to the next node's cells do.
    struct Node {
        double low, high;
        std::int64_t first, last;
        std::size_t offset, stage;
        std::size_t size() const { return static_cast<std::size_t>(last - first) + 1; }
    };

    /// Where a node is expected, and what the potential's slope is expected to be there, less G.
    struct Expected {
        double lambda, excess;
    };

    /// The edges from node i's window to one cell of node i + 1. Those that the spacing does not touch come first.
    struct Row {
        std::size_t node, cell;         ///< i, and the cell's place in the columns
        std::size_t first, free, last;  ///< [first, free): edges that the spacing does not touch; [free, last): that it cuts
    };

    struct Held {
        double value, slope;
    };

    void set_step(double step);
    void swap_passes();
    void inherit(std::size_t i, double coarse_step);
    void forward(std::size_t i);
    void backward(std::size_t i, double best);
    Row expand_edges(std::size_t i, std::size_t l);
    double least_at_start(std::size_t k, const Row& row) const;
    double held_part(std::size_t k, const Row& row, double mu) const;
    template <class Try>
    void try_multipliers(std::size_t k, const Row& row, double slope_b, Try attempt) const;
    Held held_at(std::size_t k, const Row& row, double x) const;
    Held held_edge(std::size_t k, const Row& row, double slope_b) const;
    double end_value(std::size_t cell) const;
    double centre(std::int64_t cell) const { return origin_ + step_ * static_cast<double>(cell); }
    double edges() const;

    const Problem* problem_ = nullptr;
    Checkpoint* checkpoint_ = nullptr;
    double spacing_ = 0.0;  ///< what the multipliers stand for: problem.spacing, or d_min where it is soft
    double origin_ = 0.0, step_ = 0.0, work_ = 0.0;
    int passes_ = 0;
    std::vector<Node> nodes_, coarse_nodes_;               ///< of this pass and the last
    std::vector<Expected> expected_;                       ///< of each node
    std::vector<double> lambdas_, gradient_, multiplier_;  ///< of each node of the expected schedule
    CellTable cells_;
    MidpointTable midpoints_;
    DistanceTable distances_;
    // of each cell: the cheapest way from the start and to the end, the potential's slope, the part of the cell within the
    // domain (from its centre, and the square of the farther end), the cell before on the cheapest way
    std::vector<double> value_, rest_, slope_, low_, high_, reach2_;
    std::vector<double> excess_, coarse_excess_;  ///< what the potential's slope is expected to be, less G
    std::vector<std::size_t> from_;
    // of each cell: the edges to it that a path as good as the best may use, from the first to before the last
    std::vector<std::size_t> first_edge_, last_edge_, coarse_first_edge_, coarse_last_edge_;
    bool swapped_ = false;  ///< the last three pairs of columns hold each other's memory
    // of each edge of one row: value less remainder, slopes at both ends with node i's potential; the cheapest way up to here
    std::vector<double> base_, slope_a_, slope_b_, total_;
};

}  // namespace hso::detail

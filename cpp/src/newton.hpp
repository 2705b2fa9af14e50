#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "chain_qp.hpp"
#include "checkpoint.hpp"
#include "problem.hpp"

namespace hso::detail {

/// Safeguarded Newton for the nodes of a schedule: sequential quadratic programming with the exact tridiagonal Hessian of
/// MEP (plus, for a soft problem, the spacing penalty), spacing and bounds by the active set of ChainQp, and a line search.
/// Every iterate keeps the spacing. One object serves any number of runs without allocating, and one problem after the other.
class Newton {
  public:
    Newton() = default;  ///< to be reset before use
    Newton(const Problem& problem, Checkpoint& checkpoint) { reset(problem, checkpoint); }

    /// For `problem`, which must outlive its use here, as `checkpoint`, from now on; allocates only for more nodes than ever
    /// before.
    void reset(const Problem& problem, Checkpoint& checkpoint);

    struct Result {
        double value;  ///< MEP, plus the penalty of a soft problem
        int evaluations;
        bool kinked;  ///< with `settle`: blocks of tied nodes met kinks of lambda(t), where local minima may lie close together
    };

    /// Over nodes t (strictly decreasing, spaced by problem.spacing; `first` and `last` bound the end nodes). With `settle`
    /// blocks of tied nodes also settle at a table's entries, where lambda(t) has kinks.
    Result minimize(std::span<double> t, const std::pair<double, double>& first, const std::pair<double, double>& last,
                    int max_evaluations, bool settle);

    /// Over the nodes lambdas (strictly increasing) between fixed ends, at least `least` apart; no spacing in t.
    Result minimize_lambdas(std::span<double> lambdas, double least, int max_evaluations);

  private:
    /// A point x (strictly decreasing: t, or -lambda) with everything known there.
    struct Point {
        void resize(std::size_t n);
        std::vector<double> x, lambdas, slope;  ///< slope: dlambda/dx
        std::vector<double> mep_gradient;       ///< in lambda
        std::vector<double> gradient, diagonal, off_diagonal;
        double value = 0.0;
    };

    enum class Coordinate { t, minus_lambda };

    void set_ends(const std::pair<double, double>& first, const std::pair<double, double>& last);
    void evaluate(Point& point);
    void add_penalty(Point& point) const;
    bool descend(double spacing);
    void solve_step(double spacing);
    bool choose_pieces();
    bool choose_pieces(std::size_t first, std::size_t last);
    bool kinks_matter(std::size_t first, std::size_t last) const;

    const Problem* problem_ = nullptr;
    Checkpoint* checkpoint_ = nullptr;
    ChainQp qp_;
    Point here_, trial_;
    std::vector<double> step_, slack_, room_low_, room_high_;
    std::vector<double> bound_low_, bound_high_;  ///< of x
    std::vector<double> low_, high_;              ///< the same, or the node's piece while settling
    std::vector<std::size_t> piece_;              ///< of each node while settling, or kAnyPiece
    Coordinate coordinate_ = Coordinate::t;
    int evaluations_ = 0, max_evaluations_ = 0;
};

}  // namespace hso::detail

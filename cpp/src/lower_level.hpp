#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <hso/start.hpp>

#include "checkpoint.hpp"
#include "newton.hpp"
#include "preconditioner.hpp"
#include "problem.hpp"
#include "slsqp.hpp"

namespace hso::detail {

/// The lower level of the bi-level search: a local optimization of the nodes from the Karras start. One object, with
/// the memory that it works in, per thread; with Newton it allocates only for more nodes than ever before.
class LowerLevel {
  public:
    LowerLevel() = default;  ///< to be reset before use
    LowerLevel(const Problem& problem, LocalSolver local, int max_evaluations, Checkpoint& checkpoint) {
        reset(problem, local, max_evaluations, checkpoint);
    }

    /// For `problem`, which must outlive its use here, as `checkpoint`, from now on; counts evaluations from 0.
    void reset(const Problem& problem, LocalSolver local, int max_evaluations, Checkpoint& checkpoint);

    /// (a) As published: ends fixed, no spacing. Fills `lambdas` (problem.nodes()) and returns the objective there.
    double solve_free(const Psi& psi, std::span<double> lambdas);

    /// (b) Ends fixed, spacing >= problem.spacing as linear constraints in t. Fills `t` and returns the objective there.
    /// Where the spacing does not fit between psi's ends the nodes are spread evenly, the least violation.
    double solve_spaced(const Psi& psi, std::span<double> t);

    /// The end of the search (b): improves feasible nodes `t` with the ends free within their bounds as well.
    double polish(std::span<double> t);

    std::int64_t evaluations() const { return evaluations_; }

  private:
    /// The objective at `t`, counted.
    double objective(std::span<const double> t);
    /// Minimizes over t[first, first + count) from feasible `t`, the other nodes fixed; never returns a worse schedule.
    double descend_spaced(std::span<double> t, std::size_t first, std::size_t count, const LocalBudget& budget);
    void factor_hessian(std::span<const double> t, std::size_t first, std::size_t count);
    void build_constraints(std::span<const double> t, std::size_t first, std::size_t count);

    const Problem* problem_ = nullptr;
    Checkpoint* checkpoint_ = nullptr;
    LocalSolver local_ = LocalSolver::newton;
    LocalBudget budget_ = {};
    Newton newton_;
    Preconditioner preconditioner_;
    std::vector<double> z_, step_, lambdas_, gradient_, diagonal_, off_diagonal_, slopes_, trial_, start_, matrix_, bound_;
    std::int64_t evaluations_ = 0;
};

/// Moves `t` (strictly decreasing but for rounding and small violations) to the nearby schedule that keeps `spacing`,
/// with t[0] and t[last] within the two ranges. The caller has made sure that there is room.
void keep_spacing(std::span<double> t, double spacing, const std::pair<double, double>& t_min,
                  const std::pair<double, double>& t_max);

}  // namespace hso::detail

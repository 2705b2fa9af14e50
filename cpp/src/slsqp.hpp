#pragma once

#include <cstddef>
#include <span>

#include "function_ref.hpp"

namespace hso::detail {

/// Rows of A x <= b: `matrix` is rows x n, row by row. A solution keeps them to 1e-10.
struct LinearConstraints {
    std::span<const double> matrix = {};
    std::span<const double> bound = {};
};

/// A local minimizer's budget: it stops at this relative change of the value, or after so many evaluations.
struct LocalBudget {
    double tolerance = 1e-12;
    int max_evaluations = 80;
};

struct LocalResult {
    double value = 0.0;
    int evaluations = 0;
};

/// Minimizes f from `x` by sequential quadratic programming (Kraft 1988, NLopt's SLSQP) and leaves the best point in
/// `x`. f(x, gradient) returns the value and fills the gradient. A point, value or gradient that is not finite ends the run
/// with the best point so far; an exception from f ends it and is thrown again here.
LocalResult minimize_slsqp(std::span<double> x, FunctionRef<double(std::span<const double>, std::span<double>)> f,
                           const LinearConstraints& constraints, const LocalBudget& budget);

/// Minimizes f within a box without gradients (Rowan's subplex, NLopt's SBPLX); `x` starts inside and gets the best
/// point. For functions that are noisy or have kinks.
LocalResult minimize_subplex(std::span<double> x, std::span<const double> lower, std::span<const double> upper,
                             FunctionRef<double(std::span<const double>)> f, const LocalBudget& budget);

}  // namespace hso::detail

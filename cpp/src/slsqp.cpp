#include "slsqp.hpp"

#include <nlopt.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

namespace hso::detail {

namespace {

constexpr double kFeasibility = 1e-10;

using Optimizer = std::unique_ptr<nlopt_opt_s, decltype(&nlopt_destroy)>;

Optimizer create(nlopt_algorithm algorithm, std::size_t n) {
    Optimizer optimizer(nlopt_create(algorithm, static_cast<unsigned>(n)), &nlopt_destroy);
    if (!optimizer) throw std::bad_alloc();
    return optimizer;
}

void check(nlopt_result result) {
    if (result == NLOPT_OUT_OF_MEMORY) throw std::bad_alloc();
    if (result < 0) throw std::logic_error("NLopt refused a setting");
}

bool all_finite(std::span<const double> values) {
    return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

/// The one place between NLopt's C callbacks and our callables: counts, refuses what is not finite, carries exceptions.
/// NLopt itself does not check for NaN and would run to its last evaluation; SLSQP even proposes points that are NaN
/// where active constraints leave almost no room.
template <class F>
struct Guard {
    nlopt_opt optimizer;
    const F& function;
    int evaluations = 0;
    std::exception_ptr error = nullptr;

    template <class Call>
    double operator()(std::span<const double> x, std::span<double> gradient, Call call) noexcept {
        try {
            if (all_finite(x)) {
                ++evaluations;
                const double value = call();
                if (std::isfinite(value) && all_finite(gradient)) return value;
            }
        } catch (...) {
            error = std::current_exception();
        }
        nlopt_force_stop(optimizer);
        return HUGE_VAL;
    }
};

using GradientFunction = FunctionRef<double(std::span<const double>, std::span<double>)>;
using ValueFunction = FunctionRef<double(std::span<const double>)>;

double call_with_gradient(unsigned n, const double* x, double* gradient, void* data) {
    auto& guard = *static_cast<Guard<GradientFunction>*>(data);
    // SLSQP asks for the value alone in its line search, but then for the gradient at the same point: one pass serves.
    const std::span<double> out(gradient, gradient ? n : 0);
    return guard({x, n}, out, [&] { return guard.function({x, n}, out); });
}

double call_value(unsigned n, const double* x, double*, void* data) {
    auto& guard = *static_cast<Guard<ValueFunction>*>(data);
    return guard({x, n}, {}, [&] { return guard.function({x, n}); });
}

void evaluate_constraints(unsigned m, double* result, unsigned n, const double* x, double* gradient, void* data) {
    const auto& constraints = *static_cast<const LinearConstraints*>(data);
    const double* row = constraints.matrix.data();
    for (unsigned i = 0; i < m; ++i, row += n) {
        double sum = -constraints.bound[i];
        for (unsigned j = 0; j < n; ++j) sum += row[j] * x[j];
        result[i] = sum;
    }
    if (gradient) std::copy_n(constraints.matrix.data(), std::size_t{m} * n, gradient);
}

template <class F>
LocalResult run(Optimizer& optimizer, Guard<F>& guard, std::span<double> x, const LocalBudget& budget) {
    check(nlopt_set_ftol_rel(optimizer.get(), budget.tolerance));
    check(nlopt_set_maxeval(optimizer.get(), budget.max_evaluations));
    double value = HUGE_VAL;
    // Every end leaves the best point in x: running out of evaluations and rounding (NLopt issues 350, 550) included.
    const nlopt_result result = nlopt_optimize(optimizer.get(), x.data(), &value);
    if (guard.error) std::rethrow_exception(guard.error);
    if (result == NLOPT_OUT_OF_MEMORY) throw std::bad_alloc();
    return {value, guard.evaluations};
}

}  // namespace

LocalResult minimize_slsqp(std::span<double> x, GradientFunction f, const LinearConstraints& constraints,
                           const LocalBudget& budget) {
    Optimizer optimizer = create(NLOPT_LD_SLSQP, x.size());
    Guard<GradientFunction> guard{optimizer.get(), f};
    check(nlopt_set_min_objective(optimizer.get(), call_with_gradient, &guard));
    if (!constraints.bound.empty()) {
        // Without a tolerance NLopt discards the optimum itself where rounding puts it beyond an active constraint.
        const std::vector<double> tolerance(constraints.bound.size(), kFeasibility);
        check(nlopt_add_inequality_mconstraint(optimizer.get(), static_cast<unsigned>(constraints.bound.size()),
                                               evaluate_constraints, const_cast<LinearConstraints*>(&constraints),
                                               tolerance.data()));
    }
    return run(optimizer, guard, x, budget);
}

LocalResult minimize_subplex(std::span<double> x, std::span<const double> lower, std::span<const double> upper, ValueFunction f,
                             const LocalBudget& budget) {
    Optimizer optimizer = create(NLOPT_LN_SBPLX, x.size());
    Guard<ValueFunction> guard{optimizer.get(), f};
    check(nlopt_set_min_objective(optimizer.get(), call_value, &guard));
    check(nlopt_set_lower_bounds(optimizer.get(), lower.data()));
    check(nlopt_set_upper_bounds(optimizer.get(), upper.data()));
    return run(optimizer, guard, x, budget);
}

}  // namespace hso::detail

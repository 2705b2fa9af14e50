#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <hso/error_proxy.hpp>
#include <hso/noise_schedule.hpp>
#include <hso/options.hpp>

namespace hso::detail {

/// Nodes are kept at least this far apart in t even where no spacing is asked for: a schedule is strictly monotone.
constexpr double kLeastSpacing = 1e-9;

/// Network calls of one schedule at most.
constexpr int kMaxNfe = 10000;
/// The same where SLSQP is the local solver, whose memory grows with the square: 120 MB.
constexpr int kMaxNfeOfSlsqp = 1000;

/// What is minimized, over which nodes, within which bounds: options checked and resolved against one noise schedule.
struct Problem {
    NoiseSchedule noise;
    ErrorProxy proxy;
    LowerObjective objective;
    Terminal terminal;
    int nfe;
    std::size_t intervals;  ///< between the optimized nodes: nfe, or nfe - 1 for Terminal::zero
    double d_min;           ///< as asked for
    double spacing;         ///< a constraint: max(d_min, kLeastSpacing), or kLeastSpacing where d_min is soft
    double gamma;
    bool soft;  ///< the penalty is part of the objective, d_min no constraint
    std::pair<double, double> rho, t_min, t_max;

    std::size_t nodes() const { return intervals + 1; }

    /// The lower objective at strictly increasing nodes; an empty gradient leaves it out.
    double value(std::span<const double> lambdas, std::span<double> gradient = {}) const;

    /// lambda for t, for iterates of a solver that may stray from the noise schedule's range by rounding.
    NoiseSchedule::LambdaSlope lambda_slope(double t) const;
    void lambda(std::span<const double> t, std::span<double> lambdas) const;
    void t(std::span<const double> lambdas, std::span<double> t) const;
};

/// Throws std::invalid_argument for whatever makes no sense.
Problem make_problem(const NoiseSchedule& noise, int nfe, const Options& options);

/// Throws std::invalid_argument, which names the error proxy, where `value` of the objective is beyond what can be reckoned with.
void check_value(const Problem& problem, double value);

/// The checks of Options that need no noise schedule.
void check_options(const Options& options);
/// Refuses searches that this build lacks (they need NLopt).
void check_solvers(const Options& options);

/// What the options ask for, or the default for their objective.
Search choose_search(const Options& options);
LocalSolver choose_local(const Options& options);
Limits choose_limits(const Options& options);
ErrorProxy choose_proxy(const NoiseSchedule& noise, const Options& options);

}  // namespace hso::detail

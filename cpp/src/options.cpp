#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include <hso/options.hpp>
#include <hso/schedule.hpp>
#include <hso/version.hpp>

#include "invalid.hpp"
#include "problem.hpp"

namespace hso::detail {

namespace {

constexpr double kMostGamma = 1e100;  ///< so that penalties and what a certificate makes of them are numbers

void check_range(std::string_view name, const std::pair<double, double>& range) {
    if (!std::isfinite(range.first) || !std::isfinite(range.second) || !(range.first <= range.second))
        throw_invalid(name, "(" + number(range.first) + ", " + number(range.second) + ")",
                      "a finite range (low, high) with low <= high");
}

void check_at_least(std::string_view name, int value, int least) {
    if (value < least) throw_invalid(name, std::to_string(value), "at least " + std::to_string(least));
}

/// An enumerator that is none comes from a cast.
template <class Enum>
void check_enumerator(std::string_view name, Enum value) {
    if (to_string(value).empty()) throw_invalid(name, std::to_string(static_cast<int>(value)), "one of its enumerators");
}

template <class Enum>
void check_enumerator(std::string_view name, const std::optional<Enum>& value) {
    if (value) check_enumerator(name, *value);
}

}  // namespace

Search choose_search(const Options& options) {
    return options.search.value_or(options.objective == LowerObjective::mep ? Search::exact : Search::bilevel);
}

LocalSolver choose_local(const Options& options) {
    return options.local.value_or(options.objective == LowerObjective::mep ? LocalSolver::newton : LocalSolver::slsqp);
}

Limits choose_limits(const Options& options) {
    const bool as_published = choose_search(options) == Search::paper || options.objective == LowerObjective::dm_nonuni;
    return options.limits.value_or(as_published ? Limits::published : Limits::measured);
}

ErrorProxy choose_proxy(const NoiseSchedule& noise, const Options& options) {
    return options.proxy ? *options.proxy : ErrorProxy::standard(noise);
}

void check_solvers(const Options& options) {
    if (has_nlopt()) return;
    const auto refuse = [](std::string_view name, std::string_view value, std::string_view limit) {
        throw_invalid(name, value, std::string(limit).append(" (this library was built without NLopt)"));
    };
    if (options.objective == LowerObjective::dm_nonuni) refuse("objective", to_string(options.objective), "mep");
    if (choose_search(options) == Search::paper) refuse("search", to_string(Search::paper), "exact or bilevel");
    if (choose_local(options) == LocalSolver::slsqp) refuse("local", to_string(LocalSolver::slsqp), "newton");
}

void check_options(const Options& options) {
    check_enumerator("terminal", options.terminal);
    check_enumerator("search", options.search);
    check_enumerator("local", options.local);
    check_enumerator("objective", options.objective);
    check_enumerator("limits", options.limits);
    if (options.objective == LowerObjective::dm_nonuni) {
        if (options.search == Search::exact)
            throw_invalid("search", to_string(Search::exact),
                          "bilevel or paper for objective dm_nonuni, whose terms couple more than two nodes");
        if (options.local == LocalSolver::newton)
            throw_invalid("local", to_string(LocalSolver::newton),
                          "slsqp for objective dm_nonuni, which has no second derivatives");
    }
    if (options.gamma && !(*options.gamma >= 0.0 && *options.gamma <= kMostGamma))
        throw_invalid("gamma", *options.gamma, "in 0..1e100");
    if (!(options.gap > 0.0)) throw_invalid("gap", options.gap, "above 0 (infinity for no certificate)");
    if (options.d_min && !(*options.d_min >= 0.0 && *options.d_min <= 1.0)) throw_invalid("d_min", *options.d_min, "in 0..1");
    check_range("rho", options.rho);
    if (!(options.rho.first > 0.0)) throw_invalid("rho", options.rho.first, "a range above 0");
    if (options.t_min) check_range("t_min", *options.t_min);
    if (options.t_max) check_range("t_max", *options.t_max);
    check_at_least("threads", options.threads, 0);
    if (options.threads > 1024) throw_invalid("threads", std::to_string(options.threads), "at most 1024");
    check_at_least("local_iterations", options.local_iterations, 1);
    const EvolutionOptions& evolution = options.evolution;
    check_at_least("population_factor", evolution.population_factor, 1);
    if (evolution.population_factor > 10000)
        throw_invalid("population_factor", std::to_string(evolution.population_factor), "at most 10000");
    check_at_least("max_generations", evolution.max_generations, 0);
    if (!(evolution.tolerance >= 0.0) || !std::isfinite(evolution.tolerance))
        throw_invalid("tolerance", evolution.tolerance, "a finite number >= 0");
    if (!(evolution.mutation_low >= 0.0 && evolution.mutation_low <= evolution.mutation_high && evolution.mutation_high <= 2.0))
        throw_invalid("mutation", "(" + number(evolution.mutation_low) + ", " + number(evolution.mutation_high) + ")",
                      "a range within [0, 2]");
    if (!(evolution.crossover >= 0.0 && evolution.crossover <= 1.0)) throw_invalid("crossover", evolution.crossover, "in [0, 1]");
}

}  // namespace hso::detail

#include <hso/schedule.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <hso/spacing.hpp>

#include "invalid.hpp"
#include "result.hpp"

namespace hso {

namespace detail {

namespace {

/// Nodes this close, as a share of the mean interval in lambda, mean that the proxy drives them together.
constexpr double kCollapsedShare = 1e-3;

bool has_collapsed(std::span<const double> lambdas) {
    if (lambdas.size() < 3) return false;
    const double mean = (lambdas.back() - lambdas.front()) / static_cast<double>(lambdas.size() - 1);
    return min_spacing(lambdas) < kCollapsedShare * mean;
}

}  // namespace

void make_schedule(const Problem& problem, std::span<const double> t, double rho, Schedule& schedule) {
    const NoiseSchedule& noise = problem.noise;
    const auto nfe = static_cast<std::size_t>(problem.nfe);
    for (auto* column : {&schedule.t, &schedule.lambdas, &schedule.sigmas}) column->resize(nfe + 1);
    schedule.timesteps.resize(nfe);
    const std::span<double> lambdas = std::span(schedule.lambdas).first(t.size());
    noise.lambda(t, lambdas);
    schedule.nfe = problem.nfe;
    schedule.terminal = problem.terminal;
    schedule.mep = problem.value(lambdas);
    schedule.penalty = spacing_penalty(t, problem.d_min, problem.gamma);
    schedule.fitness = schedule.mep + schedule.penalty;
    schedule.psi = {.rho = rho, .t_min = t.back(), .t_max = t.front()};
    schedule.lower_bound = schedule.gap = std::numeric_limits<double>::quiet_NaN();
    schedule.min_spacing = min_spacing(t);
    schedule.d_min = problem.d_min;
    schedule.evaluations = 0;
    schedule.generations = 0;
    schedule.elapsed = 0.0;
    schedule.status = has_collapsed(lambdas) ? Status::collapsed : Status::converged;

    const bool ends_at_zero = problem.terminal != Terminal::t_min;
    noise.timestep(lambdas.first(nfe), schedule.timesteps);
    std::copy(t.begin(), t.end(), schedule.t.begin());
    if (ends_at_zero) {
        schedule.t.back() = 0.0;
        schedule.lambdas.back() = std::numeric_limits<double>::infinity();
    }
    for (std::size_t i = 0; i < nfe + 1; ++i) {
        if (i == nfe && ends_at_zero) schedule.sigmas[i] = 0.0;
        else
            schedule.sigmas[i] =
                noise.family() == Family::flow ? noise.sigma(schedule.lambdas[i]) : std::exp(-schedule.lambdas[i]);
    }
}

}  // namespace detail

Schedule schedule_from_nodes(const NoiseSchedule& noise, std::span<const double> t, const Options& options) {
    const std::size_t extra = options.terminal == Terminal::zero ? 0 : 1;
    if (t.size() < 1 + extra)
        detail::throw_invalid(
            "t", std::to_string(t.size()) + " nodes",
            "at least " + std::to_string(1 + extra) + " long for terminal " + std::string(to_string(options.terminal)));
    const std::size_t most = static_cast<std::size_t>(detail::kMaxNfe) + extra;
    if (t.size() > most)
        detail::throw_invalid("t", std::to_string(t.size()) + " nodes", "at most " + std::to_string(most) + " long");
    for (std::size_t i = 1; i < t.size(); ++i)
        if (!(t[i] < t[i - 1]))
            detail::throw_invalid("t[" + std::to_string(i) + "]", t[i], "below the node before it: t must decrease strictly");
    const int nfe = static_cast<int>(t.size() - extra);
    detail::check_options(options);
    const detail::Problem problem{.noise = noise,
                                  .proxy = detail::choose_proxy(noise, options),
                                  .objective = options.objective,
                                  .terminal = options.terminal,
                                  .nfe = nfe,
                                  .intervals = t.size() - 1,
                                  .d_min = options.d_min.value_or(d_min(nfe)),
                                  .spacing = 0.0,
                                  .gamma = options.gamma.value_or(kPublishedGamma),
                                  .soft = false,
                                  .rho = {},
                                  .t_min = {},
                                  .t_max = {}};
    Schedule schedule;
    detail::make_schedule(problem, t, std::numeric_limits<double>::quiet_NaN(), schedule);
    detail::check_value(problem, schedule.fitness);
    schedule.status = Status::given;
    return schedule;
}

std::string_view to_string(Family value) {
    switch (value) {
        case Family::vp: return "vp";
        case Family::flow: return "flow";
        case Family::ve: return "ve";
        case Family::general: return "general";
    }
    return "";
}

std::string_view to_string(Terminal value) {
    switch (value) {
        case Terminal::zero: return "zero";
        case Terminal::t_min: return "t_min";
        case Terminal::skip: return "skip";
    }
    return "";
}

std::string_view to_string(Search value) {
    switch (value) {
        case Search::exact: return "exact";
        case Search::bilevel: return "bilevel";
        case Search::paper: return "paper";
    }
    return "";
}

std::string_view to_string(LocalSolver value) {
    switch (value) {
        case LocalSolver::newton: return "newton";
        case LocalSolver::slsqp: return "slsqp";
    }
    return "";
}

std::string_view to_string(LowerObjective value) {
    switch (value) {
        case LowerObjective::mep: return "mep";
        case LowerObjective::dm_nonuni: return "dm_nonuni";
    }
    return "";
}

std::string_view to_string(Limits value) {
    switch (value) {
        case Limits::measured: return "measured";
        case Limits::published: return "published";
    }
    return "";
}

std::string_view to_string(Status value) {
    switch (value) {
        case Status::converged: return "converged";
        case Status::max_generations: return "max_generations";
        case Status::uncertified: return "uncertified";
        case Status::collapsed: return "collapsed";
        case Status::given: return "given";
    }
    return "";
}

}  // namespace hso

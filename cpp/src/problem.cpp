#include "problem.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include <hso/spacing.hpp>

#include "dm_nonuni.hpp"
#include "invalid.hpp"
#include "mep.hpp"

namespace hso::detail {

namespace {

constexpr std::pair<double, double> kPublishedTMin = {0.01, 0.03}, kPublishedTMax = {0.96, 1.0};
// exp(-lambda)/shift of the last node times nfe. The step to sigma 0 errs as the square of where it starts, the others of a second-order
// solver as 1/nfe^2; without that step the noise that is left is the error. Measured: docs/quality.md.
constexpr double kLastBeforeZero = 1.5, kLastOfAll = 0.2;
constexpr double kSpacingShare = 0.75, kRoomShare = 0.8;  // of d_min(nfe), and at most of what an even spacing would be

constexpr double kMostValue = 1e250;  // of the objective: beyond, the sums and products of a certificate overflow

using Range = std::pair<double, double>;

std::string text(const Range& range) { return "(" + number(range.first) + ", " + number(range.second) + ")"; }

Range published(const NoiseSchedule& noise, const Range& u) { return {noise.shifted(u.first), noise.shifted(u.second)}; }

/// Where the last optimized node is, at most halfway down from the first one's least t.
double measured_end(const NoiseSchedule& noise, int nfe, Terminal terminal, double first) {
    const auto [least, most] = noise.lambda_range();
    const double scale = terminal == Terminal::zero ? kLastBeforeZero : kLastOfAll;
    const double t = noise.t(std::clamp(std::log(nfe / (scale * noise.shift())), least, most));
    return std::min(t, 0.5 * (noise.t_range().first + first));
}

Range resolve(std::string_view name, const NoiseSchedule& noise, const std::optional<Range>& given, const Range& fallback) {
    const auto range = given.value_or(fallback);
    const auto [low, high] = noise.t_range();
    try {
        noise.lambda(range.first);
        noise.lambda(range.second);
    } catch (const std::invalid_argument&) {
        throw_invalid(name, text(range) + (given ? "" : " (the default)"),
                      "within the noise schedule's t range " + text({low, high}));
    }
    return {std::clamp(range.first, low, high), std::clamp(range.second, low, high)};
}

}  // namespace

Problem make_problem(const NoiseSchedule& noise, int nfe, const Options& options) {
    if (nfe < 1) throw_invalid("nfe", std::to_string(nfe), "an integer >= 1");
    if (nfe > kMaxNfe) throw_invalid("nfe", std::to_string(nfe), "at most " + std::to_string(kMaxNfe));
    check_options(options);
    check_solvers(options);
    const bool slsqp = choose_search(options) != Search::exact && choose_local(options) == LocalSolver::slsqp;
    if (slsqp && nfe > kMaxNfeOfSlsqp)
        throw_invalid(
            "nfe", std::to_string(nfe),
            "at most " + std::to_string(kMaxNfeOfSlsqp) + " with local slsqp, whose memory grows with the square of it");
    const bool as_published = choose_limits(options) == Limits::published;
    const double most = noise.t_range().second;
    const Range t_max =
        resolve("t_max", noise, options.t_max, as_published ? published(noise, kPublishedTMax) : Range(most, most));
    const double end = measured_end(noise, nfe, options.terminal, t_max.first);
    const Range t_min = resolve("t_min", noise, options.t_min, as_published ? published(noise, kPublishedTMin) : Range(end, end));
    if (!(t_min.second <= t_max.first))
        throw_invalid("t_min", text(t_min), "a range that ends at or below where t_max begins (" + number(t_max.first) + ")");
    const bool soft = options.gamma && choose_search(options) == Search::exact;
    const auto intervals = static_cast<std::size_t>(options.terminal == Terminal::zero ? nfe - 1 : nfe);
    const double room = t_max.second - t_min.first, even = room / static_cast<double>(std::max<std::size_t>(intervals, 1));
    const double least = as_published ? hso::d_min(nfe) : std::min(kSpacingShare * hso::d_min(nfe), kRoomShare * even);
    const double d_min = options.d_min.value_or(least), spacing = soft ? kLeastSpacing : std::max(d_min, kLeastSpacing);
    const double need = static_cast<double>(intervals) * spacing;
    if (need > room + kLeastSpacing * 1e-3)
        throw_invalid("d_min", d_min,
                      "at most " + number(even) + " for nfe = " + std::to_string(nfe) + ": " + std::to_string(intervals) +
                          " intervals * d_min = " + number(need) + " does not fit between t_min = " + number(t_min.first) +
                          " and t_max = " + number(t_max.second) + " (room " + number(room) + ")");
    return {noise,
            choose_proxy(noise, options),
            options.objective,
            options.terminal,
            nfe,
            intervals,
            d_min,
            spacing,
            options.gamma.value_or(kPublishedGamma),
            soft,
            options.rho,
            t_min,
            t_max};
}

void check_value(const Problem& problem, double value) {
    if (std::abs(value) <= kMostValue) return;
    const bool power = problem.proxy.is_power();
    throw_invalid(power ? "p" : "proxy", power ? number(problem.proxy.p()) : "a table",
                  "such that the objective is at most 1e250 for this noise schedule");
}

double Problem::value(std::span<const double> lambdas, std::span<double> gradient) const {
    return objective == LowerObjective::mep ? evaluate_mep(noise, lambdas, proxy, gradient)
                                            : evaluate_dm_nonuni(noise, lambdas, proxy, gradient);
}

NoiseSchedule::LambdaSlope Problem::lambda_slope(double t) const {
    return noise.lambda_slope(std::clamp(t, t_min.first, t_max.second));
}

void Problem::lambda(std::span<const double> t, std::span<double> lambdas) const {
    for (std::size_t i = 0; i < t.size(); ++i) lambdas[i] = noise.lambda(std::clamp(t[i], t_min.first, t_max.second));
}

void Problem::t(std::span<const double> lambdas, std::span<double> t) const { noise.t(lambdas, t); }

}  // namespace hso::detail

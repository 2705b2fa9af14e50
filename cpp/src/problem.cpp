#include "problem.hpp"

#include <algorithm>
#include <string>

#include <hso/spacing.hpp>

#include "dm_nonuni.hpp"
#include "invalid.hpp"
#include "mep.hpp"

namespace hso::detail {

namespace {

constexpr int kMaxNfe = 10000;
constexpr std::pair<double, double> kDefaultTMin = {0.01, 0.03}, kDefaultTMax = {0.96, 1.0};

std::string text(const std::pair<double, double>& range) {
    return "(" + number(range.first) + ", " + number(range.second) + ")";
}

std::pair<double, double> resolve(std::string_view name, const NoiseSchedule& noise,
                                  const std::optional<std::pair<double, double>>& given,
                                  const std::pair<double, double>& fallback) {
    const auto range = given.value_or(std::pair(noise.shifted(fallback.first), noise.shifted(fallback.second)));
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
    const auto t_min = resolve("t_min", noise, options.t_min, kDefaultTMin);
    const auto t_max = resolve("t_max", noise, options.t_max, kDefaultTMax);
    if (!(t_min.second <= t_max.first))
        throw_invalid("t_min", text(t_min), "a range that ends at or below where t_max begins (" + number(t_max.first) + ")");
    const bool soft = options.gamma && choose_search(options) == Search::exact;
    const double d_min = options.d_min.value_or(hso::d_min(nfe)), spacing = soft ? kLeastSpacing : std::max(d_min, kLeastSpacing);
    const auto intervals = static_cast<std::size_t>(options.terminal == Terminal::zero ? nfe - 1 : nfe);
    const double need = static_cast<double>(intervals) * spacing, room = t_max.second - t_min.first;
    if (need > room + kLeastSpacing * 1e-3)
        throw_invalid("d_min", d_min,
                      "at most " + number(room / static_cast<double>(intervals)) + " for nfe = " + std::to_string(nfe) + ": " +
                          std::to_string(intervals) + " intervals * d_min = " + number(need) + " does not fit between t_min = " +
                          number(t_min.first) + " and t_max = " + number(t_max.second) + " (room " + number(room) + ")");
    return {noise,   options.proxy, options.objective, options.terminal, nfe,   intervals, d_min,
            spacing, options.gamma.value_or(kPublishedGamma), soft, options.rho, t_min, t_max};
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

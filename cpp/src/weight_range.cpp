#include "weight_range.hpp"

#include <algorithm>
#include <cmath>

#include "monotone_cubic.hpp"
#include "noise_table.hpp"

namespace hso::detail {

namespace {

using HandOut = FunctionRef<void(std::size_t, const ErrorProxy::Weight&, const WeightRange&)>;

Range square(const Range& a) {
    const double low = a.low * a.low, high = a.high * a.high;
    return {a.low <= 0.0 && a.high >= 0.0 ? 0.0 : std::min(low, high), std::max(low, high)};
}

/// x (a x - b).
double quadratic(double x, double a, double b) { return x * (a * x - b); }

Range quadratic(const Range& x, double a, double b) {
    const double at_low = quadratic(x.low, a, b), at_high = quadratic(x.high, a, b), vertex = 0.5 * b / a;
    const Range range{std::min(at_low, at_high), std::max(at_low, at_high)};
    if (!(vertex > x.low && vertex < x.high)) return range;
    const double there = quadratic(vertex, a, b);
    return {std::min(range.low, there), std::max(range.high, there)};
}

/// The families with closed forms: log G = q log(sigma) is monotone in lambda, and so is fall = -dlog(sigma)/dlambda, which
/// is alpha^2 for VP, alpha for flow and 1 for VE. G'' = q G fall (a fall - b).
void closed_form(const NoiseSchedule& noise, double q, double first, double step, std::size_t count, HandOut hand_out) {
    const Family family = noise.family();
    const double b = family == Family::vp ? 2.0 : family == Family::flow ? 1.0 : 0.0, a = q + b;
    struct Sample {
        double g, fall;
    };
    const auto sample = [&](double lambda) {
        const auto log_sigma = noise.log_sigma(lambda);
        return Sample{std::exp(q * log_sigma.value), -log_sigma.d1};
    };
    Sample before = sample(first - step), here = sample(first);
    for (std::size_t j = 0; j < count; ++j) {
        const Sample after = sample(first + step * static_cast<double>(j + 1));
        const Range g{std::min(before.g, after.g), std::max(before.g, after.g)}, fall{before.fall, after.fall};
        const ErrorProxy::Weight weight{here.g, -q * here.g * here.fall, q * here.g * quadratic(here.fall, a, b)};
        hand_out(j, weight, {g, -q * (g * fall), q * (g * quadratic(fall, a, b))});
        before = here;
        here = after;
    }
}

/// log G = factor cubic(lambda) + slope lambda.
void tabulated(const NoiseSchedule& noise, const ErrorProxy& proxy, const MonotoneCubic& cubic, double factor, double slope,
               double first, double step, std::size_t count, HandOut hand_out) {
    for (std::size_t j = 0; j < count; ++j) {
        const double lambda = first + step * static_cast<double>(j);
        const auto weight = proxy.weight(noise, lambda);
        const auto slopes = cubic.range(lambda - step, lambda + step);
        const Range d1 = factor * slopes.d1 + Range{slope, slope}, d2 = factor * slopes.d2;
        const double most = std::exp(std::max(std::abs(d1.low), std::abs(d1.high)) * step);
        const Range g{weight.g / most, weight.g * most};
        hand_out(j, weight, {g, g * d1, g * (d2 + square(d1))});
    }
}

}  // namespace

void weight_ranges(const NoiseSchedule& noise, const ErrorProxy& proxy, double first, double step, std::size_t count,
                   HandOut hand_out) {
    const double q = proxy.p() - 1.0;
    if (!proxy.is_power()) tabulated(noise, proxy, *proxy.log_value(), 1.0, 1.0, first, step, count, hand_out);
    else if (noise.family() == Family::general)
        tabulated(noise, proxy, *noise.table().log_sigma, q, 0.0, first, step, count, hand_out);
    else closed_form(noise, q, first, step, count, hand_out);
}

}  // namespace hso::detail

#include <hso/spacing.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "invalid.hpp"

namespace hso {

namespace {

void check_finite(std::span<const double> t) {
    for (std::size_t i = 0; i < t.size(); ++i)
        if (!std::isfinite(t[i])) detail::throw_invalid("t[" + std::to_string(i) + "]", t[i], "finite");
}

}  // namespace

double d_min(int nfe) {
    if (nfe < 1) detail::throw_invalid("nfe", std::to_string(nfe), "at least 1");
    constexpr double low = 4.0, high = 20.0, at_low = 0.15, at_high = 0.01;
    return std::clamp(at_low + (at_high - at_low) / (high - low) * (nfe - low), at_high, at_low);
}

double spacing_penalty(std::span<const double> t, double d_min, double gamma) {
    if (!(d_min >= 0.0) || !std::isfinite(d_min)) detail::throw_invalid("d_min", d_min, "a finite number >= 0");
    if (!(gamma >= 0.0) || !std::isfinite(gamma)) detail::throw_invalid("gamma", gamma, "a finite number >= 0");
    check_finite(t);
    double sum = 0.0;
    for (std::size_t i = 0; i + 1 < t.size(); ++i) {
        const double lack = std::max(0.0, d_min - std::abs(t[i + 1] - t[i]));
        sum += lack * lack;
    }
    return gamma * sum;
}

double min_spacing(std::span<const double> t) {
    check_finite(t);
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i + 1 < t.size(); ++i) least = std::min(least, std::abs(t[i + 1] - t[i]));
    return least;
}

}  // namespace hso

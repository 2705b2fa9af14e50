#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <hso/options.hpp>

#include "tables.hpp"

namespace bench {

/// `count` values from `first` to `last`, evenly.
inline std::vector<double> even(double first, double last, std::size_t count) {
    std::vector<double> x(count);
    for (std::size_t i = 0; i < count; ++i)
        x[i] = first + (last - first) * static_cast<double>(i) / static_cast<double>(count - 1);
    return x;
}

/// Uneven numbers in [-1, 1], the same everywhere.
inline std::vector<double> wavy(std::size_t count, double seed = 0.0) {
    std::vector<double> x(count);
    for (std::size_t i = 0; i < count; ++i) x[i] = std::sin(12.9898 * static_cast<double>(i + 1) + seed);
    return x;
}

/// Nodes evenly spread over the published range, in lambda.
inline std::vector<double> even_lambdas(const hso::NoiseSchedule& noise, std::size_t intervals) {
    return even(noise.lambda(0.96), noise.lambda(0.03), intervals + 1);
}

/// The published UniPC setting, without a certificate.
inline hso::Options published_options() {
    hso::Options options;
    options.terminal = hso::Terminal::t_min;
    options.limits = hso::Limits::published;
    options.gap = HUGE_VAL;
    return options;
}

/// The same without a spacing and between fixed ends.
inline hso::Options loose_options(double p = 2.0) {
    hso::Options options = published_options();
    options.proxy = hso::ErrorProxy::power(p);
    options.d_min = 0.0;
    options.t_min = {0.02, 0.02};
    options.t_max = {0.98, 0.98};
    return options;
}

}  // namespace bench

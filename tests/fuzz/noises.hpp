#pragma once

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <hso/noise_schedule.hpp>

#include "source.hpp"

namespace hso::fuzz {

/// What the functions that make a noise schedule are given.
struct NoiseTable {
    std::vector<double> t, alpha, sigma;
    double num_train_timesteps = 1000.0;

    NoiseSchedule noise() const { return NoiseSchedule::from_table(t, alpha, sigma, num_train_timesteps); }
};

/// `n` values that fall from at most 1: each a share of the one before.
inline std::vector<double> falling(Source& source, std::size_t n, double least_loss, double most_loss) {
    std::vector<double> values(n);
    double value = 1.0;
    for (double& v : values) v = value *= 1.0 - source.scale(least_loss, most_loss);
    return values;
}

/// `n` values that rise strictly from `low` to `high`; both `ends` may be missed.
inline std::vector<double> rising(Source& source, std::size_t n, double low, double high) {
    std::vector<double> values(n);
    double sum = 0.0;
    for (double& v : values) v = sum += source.uniform(0.1, 1.0);
    const double first = values.front(), width = sum - first;
    for (double& v : values) v = std::clamp(low + (high - low) * ((v - first) / width), low, high);
    return values;
}

/// alphas_cumprod or betas as models have them.
inline std::vector<double> valid_alphas_cumprod(Source& source) {
    auto values = falling(source, 2 + source.below(source.one_in(4) ? 300 : 12), 1e-4, 0.5);
    if (source.one_in(4) && values[values.size() - 2] > 1e-7) values.back() = 0.0;  // which stands for 2^-24
    return values;
}

inline std::vector<double> valid_betas(Source& source) {
    std::vector<double> values(2 + source.below(source.one_in(4) ? 300 : 12));
    double left = 1.0;
    for (double& v : values) left *= 1.0 - (v = source.scale(1e-4, 0.5));
    if (source.one_in(4) && left > 1e-7) values.back() = 1.0;
    return values;
}

/// A table of any family.
inline NoiseTable valid_table(Source& source) {
    const std::size_t n = 2 + source.below(source.one_in(4) ? 300 : 12);
    NoiseTable table;
    table.t = rising(source, n, source.uniform(0.0, 0.05), source.uniform(0.9, 1.0));
    const auto s = rising(source, n, source.uniform(0.001, 0.1), source.uniform(0.8, 0.999));
    table.alpha.resize(n);
    table.sigma.resize(n);
    const std::size_t family = source.below(4);
    for (std::size_t i = 0; i < n; ++i) {
        const double x = s[i];
        table.sigma[i] = family == 2 ? 30.0 * x * x : family == 3 ? 2.0 * x + x * x : x;
        table.alpha[i] = family == 0   ? std::sqrt((1.0 - x) * (1.0 + x))
                         : family == 1 ? 1.0 - x
                         : family == 2 ? 1.0
                                       : 1.0 - 0.7 * x;
    }
    table.num_train_timesteps = source.pick({1000.0, 1.0, 50.0});
    return table;
}

/// A noise schedule of any kind that makes sense.
inline NoiseSchedule valid_noise(Source& source) {
    switch (source.below(8)) {
        case 0: return NoiseSchedule::flow(source.scale(0.1, 20.0));
        case 1: return NoiseSchedule::from_alphas_cumprod(valid_alphas_cumprod(source));
        case 2: return NoiseSchedule::from_betas(valid_betas(source));
        case 3: {
            const double low = source.scale(1e-3, 5.0);
            return NoiseSchedule::vp_linear(low, low + source.uniform(0.0, 30.0));
        }
        case 4: return NoiseSchedule::vp_cosine(source.scale(1e-3, 1.0));
        case 5: {
            const double low = source.scale(1e-4, 1.0);
            return NoiseSchedule::edm(low, low * source.scale(1.5, 1e5));
        }
        default: return valid_table(source).noise();
    }
}

/// The same from numbers of any kind; what makes no sense throws std::invalid_argument.
inline NoiseSchedule wild_noise(Source& source) {
    const std::size_t n = source.below(source.one_in(4) ? 300 : 12);
    const auto steps = [&](double least, double most) {  // log-uniform steps of any size, some entries anything
        const double low = source.scale(least, most), high = source.scale(low, most);
        return std::pair(low, high);
    };
    switch (source.below(8)) {
        case 0: return NoiseSchedule::flow(source.wild());
        case 1: {
            const auto [low, high] = steps(1e-17, 0.999999);
            auto values = falling(source, n, low, high);
            for (double& v : values) v = source.one_in(64) ? source.wild() : v;
            return NoiseSchedule::from_alphas_cumprod(values);
        }
        case 2: {
            const auto [low, high] = steps(1e-300, 1.0);
            std::vector<double> values(n);
            for (double& v : values) v = source.one_in(64) ? source.wild() : source.scale(low, high);
            return NoiseSchedule::from_betas(values);
        }
        case 3: {
            const double beta_min = source.wild();
            return NoiseSchedule::vp_linear(beta_min, source.wild());
        }
        case 4: return NoiseSchedule::vp_cosine(source.wild());
        case 5: {
            const double sigma_min = source.wild();
            return NoiseSchedule::edm(sigma_min, source.wild());
        }
        case 6: {  // any table, but in order where it is not mutated
            const auto [low, high] = steps(1e-300, 0.5);
            const auto [fall_low, fall_high] = steps(1e-17, 0.999999);
            const std::size_t family = source.below(4);
            NoiseTable table;
            double t = source.one_in(2) ? 0.0 : source.scale(1e-300, 0.5), s = source.scale(1e-300, 1.0);
            for (std::size_t i = 0; i < n; ++i) {
                const double x = family == 1 || family == 0 ? std::min(s, 1.0) : s;
                table.t.push_back(source.one_in(64) ? source.wild() : t);
                table.sigma.push_back(source.one_in(64) ? source.wild() : x);
                const double alpha = family == 0 ? std::sqrt((1.0 - x) * (1.0 + x)) : family == 1 ? 1.0 - x : 1.0;
                table.alpha.push_back(source.one_in(64) ? source.wild() : family == 3 ? alpha / (1.0 + s) : alpha);
                t += source.scale(low, high) * (1.0 - std::min(t, 1.0));
                s /= 1.0 - source.scale(fall_low, fall_high);
            }
            table.num_train_timesteps = source.mostly(1000.0);
            if (source.one_in(64)) table.alpha.push_back(1.0);
            return table.noise();
        }
        default: {
            NoiseTable table = valid_table(source);
            auto& column = source.one_in(3) ? table.t : source.one_in(2) ? table.alpha : table.sigma;
            column[source.below(column.size())] = source.wild();
            return table.noise();
        }
    }
}

}  // namespace hso::fuzz

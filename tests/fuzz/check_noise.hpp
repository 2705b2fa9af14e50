#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include <hso/noise_schedule.hpp>

#include "require.hpp"
#include "source.hpp"

namespace hso::fuzz {

/// Throws Broken unless the maps of a noise schedule are what their descriptions say, at some t of its range.
inline void check_noise(const NoiseSchedule& noise, Source& source) {
    const auto [t_low, t_high] = noise.t_range();
    const auto [lambda_low, lambda_high] = noise.lambda_range();
    require(0.0 <= t_low && t_low < t_high && t_high <= 1.0, "t_range within [0, 1]");
    require(std::isfinite(lambda_low) && std::isfinite(lambda_high) && lambda_low < lambda_high,
            "lambda_range finite and not empty");
    require(noise.num_train_timesteps() > 0.0 && noise.shift() > 0.0, "positive scales");
    require(noise.fingerprint().size() == 16 && noise.fingerprint().find_first_not_of("0123456789abcdef") == std::string::npos,
            "fingerprint of 16 digits");

    constexpr std::size_t n = 6;
    std::array<double, n> t = {t_low, t_high}, lambda, again;
    for (std::size_t i = 2; i < n; ++i)
        t[i] = source.one_in(4) ? std::min(t_low + source.scale(1e-16, 1.0), t_high) : source.uniform(t_low, t_high);
    std::sort(t.begin(), t.end());
    noise.lambda(t, lambda);
    for (std::size_t i = 0; i < n; ++i) {
        const double x = lambda[i];
        require(x == noise.lambda(t[i]), "the same lambda alone and among others");
        require(std::isfinite(x), "lambda finite");
        require(i == 0 || x <= lambda[i - 1], "lambda falls with t");
        const double alpha = noise.alpha(x), sigma = noise.sigma(x);
        require(alpha > 0.0 && std::isfinite(alpha) && sigma > 0.0 && std::isfinite(sigma),
                "alpha and sigma positive and finite");
        require(std::abs(std::log(alpha) - std::log(sigma) - x) <= 1e-12 * (1.0 + std::abs(x) + std::abs(std::log(sigma))),
                "lambda = log(alpha/sigma)");
        if (noise.family() == Family::vp) require(std::abs(alpha * alpha + sigma * sigma - 1.0) < 1e-12, "alpha^2 + sigma^2 = 1");
        if (noise.family() == Family::flow) require(std::abs(alpha + sigma - 1.0) < 1e-12, "alpha + sigma = 1");
        if (noise.family() == Family::ve) require(alpha == 1.0, "alpha = 1");
        require(std::isfinite(noise.timestep(x)), "timestep finite");
        const auto log_sigma = noise.log_sigma(x);
        require(std::isfinite(log_sigma.value) && std::isfinite(log_sigma.d1) && std::isfinite(log_sigma.d2), "log_sigma finite");
        const auto slope = noise.lambda_slope(t[i]);
        require(slope.lambda == x && slope.dlambda_dt < 0.0 && std::isfinite(slope.dlambda_dt), "dlambda/dt below 0");

        // t(lambda(t)) is t as far as lambda's rounding tells (flow holds -sigma), and 1e-11: the cosine loses digits where alpha nears 1
        const double back = noise.t(x);
        require(back >= t_low && back <= t_high, "t within its range");
        const double in_lambda = 1e-13 * (1.0 + std::abs(x)) + (noise.family() == Family::flow ? 1e-15 / alpha : 0.0);
        const double in_t = 1e-11 + 4.0 * in_lambda / std::abs(slope.dlambda_dt);
        require(std::abs(back - t[i]) <= in_t || std::abs(noise.lambda(back) - x) <= 4.0 * in_lambda, "t(lambda(t)) = t");
    }
    noise.t(lambda, again);
    for (std::size_t i = 1; i < n; ++i) require(again[i] >= again[i - 1], "t falls with lambda");

    const NoiseSchedule copy = noise;
    require(copy.fingerprint() == noise.fingerprint() && copy.lambda(t[2]) == lambda[2], "a copy is the same");
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    for (double bad : {nan, t_low - 0.1, t_high + 0.1}) {
        if (bad <= 1.0 && bad > t_high) continue;  // flow and cosine take t up to 1 as the end of their range
        require(!accepted([&] { noise.lambda(bad); }), "t outside the range refused");
    }
    const double width = 1.0 + std::abs(lambda_low) + std::abs(lambda_high);
    for (double bad : {nan, lambda_low - width, lambda_high + width})
        require(!accepted([&] { noise.t(bad); }), "lambda outside the range refused");
    require(!accepted([&] { noise.alpha(nan); }), "alpha(NaN) refused");
    require(!accepted([&] { noise.lambda(std::span(t).first(2), again); }), "sizes that differ refused");
}

}  // namespace hso::fuzz

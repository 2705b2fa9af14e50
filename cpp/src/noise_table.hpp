#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <numbers>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <hso/noise_schedule.hpp>

#include "checkpoint.hpp"
#include "invalid.hpp"
#include "monotone_cubic.hpp"

namespace hso {

namespace detail {

constexpr std::size_t kHashWork = 10;      ///< nanoseconds or so for a number
constexpr double kRangeTolerance = 1e-12;  ///< rounding that an argument may lie outside the range

/// How the family's own coordinate y (see Table) depends on t.
enum class Clock { table, vp_linear, vp_cosine, identity, affine };

/// log(alpha) -> lambda for VP, without cancellation for alpha near 1.
inline double vp_lambda(double log_alpha) { return log_alpha - 0.5 * std::log(-std::expm1(2.0 * log_alpha)); }

/// lambda -> log(alpha) for VP.
inline double vp_log_alpha(double lambda) { return -0.5 * std::log1p(std::exp(-2.0 * lambda)); }

}  // namespace detail

/// t <-> y <-> lambda, where y falls strictly with t and is what the family interpolates linearly:
/// log(alpha) for VP, -s for flow, lambda for VE and general.
struct NoiseSchedule::Table {
    Family family = Family::vp;
    detail::Clock clock = detail::Clock::table;
    double n = 1000.0;        ///< training timesteps
    double shift = 1.0;       ///< flow
    double a = 0.0, b = 0.0;  ///< vp_linear: beta_min, beta_max; vp_cosine: s; affine: y(0) and y(1)
    double t_low = 0.0, t_high = 1.0;
    double t_accepted = 1.0;  ///< arguments above t_high up to here are taken as t_high
    double lambda_low = 0.0, lambda_high = 0.0;
    bool uniform = false;        ///< ts[i] = (i+1)/size
    bool rough = false;          ///< the slope dy/dt jumps by more than a tenth from piece to piece somewhere
    std::vector<double> ts, ys;  ///< clock table
    std::string fingerprint;
    std::optional<detail::MonotoneCubic> log_sigma;  ///< family general, over lambda

    std::size_t segment_of_t(double t) const {
        const std::size_t last = ts.size() - 2;
        if (uniform) {
            const double position = t * static_cast<double>(ts.size()) - 1.0;
            if (!(position > 0.0)) return 0;
            auto i = std::min(static_cast<std::size_t>(position), last);
            // the product may round across a node
            if (i < last && t >= ts[i + 1]) ++i;
            if (i > 0 && t < ts[i]) --i;
            return i;
        }
        const auto above = std::upper_bound(ts.begin() + 1, ts.end() - 1, t);
        return static_cast<std::size_t>(above - ts.begin()) - 1;
    }

    std::size_t segment_of_y(double y) const {
        const auto below = std::upper_bound(ys.begin() + 1, ys.end() - 1, y, std::greater<>());
        return static_cast<std::size_t>(below - ys.begin()) - 1;
    }

    double y_of_t(double t) const {
        switch (clock) {
            using detail::Clock;
            case Clock::table: {
                const std::size_t i = segment_of_t(t);
                return ys[i] + (t - ts[i]) * ((ys[i + 1] - ys[i]) / (ts[i + 1] - ts[i]));
            }
            case Clock::vp_linear: return -0.25 * t * t * (b - a) - 0.5 * t * a;
            case Clock::vp_cosine: {
                const double whole = cosine_rest(0.0), half = 0.25 * std::numbers::pi * t / (1.0 + a);
                // 1 - alpha: near t = 0 the quotient of sines has lost its digits
                const double lost = 2.0 * std::cos(whole - half) * std::sin(half) / std::sin(whole);
                return lost < 0.5 ? std::log1p(-lost) : std::log(std::sin(cosine_rest(t)) / std::sin(whole));
            }
            case Clock::identity: return -t;
            case Clock::affine: return a + t * (b - a);
        }
        return 0.0;
    }

    double dy_dt(double t) const {
        switch (clock) {
            using detail::Clock;
            case Clock::table: {
                const std::size_t i = segment_of_t(t);
                return (ys[i + 1] - ys[i]) / (ts[i + 1] - ts[i]);
            }
            case Clock::vp_linear: return -0.5 * t * (b - a) - 0.5 * a;
            case Clock::vp_cosine: return -0.5 * std::numbers::pi / (1.0 + a) / std::tan(cosine_rest(t));
            case Clock::identity: return -1.0;
            case Clock::affine: return b - a;
        }
        return 0.0;
    }

    /// dy/dt on table piece i, between entries i and i + 1.
    double piece_slope(std::size_t i) const { return (ys[i + 1] - ys[i]) / (ts[i + 1] - ts[i]); }

    double t_of_y(double y) const {
        switch (clock) {
            using detail::Clock;
            case Clock::table: {
                const std::size_t i = segment_of_y(y);
                return ts[i] + (y - ys[i]) * ((ts[i + 1] - ts[i]) / (ys[i + 1] - ys[i]));
            }
            case Clock::vp_linear: {
                const double l = -2.0 * y;
                return 2.0 * l / (std::sqrt(a * a + 2.0 * (b - a) * l) + a);
            }
            case Clock::vp_cosine:
                return 1.0 - std::asin(std::exp(y) * std::sin(cosine_rest(0.0))) * 2.0 * (1.0 + a) / std::numbers::pi;
            case Clock::identity: return -y;
            case Clock::affine: return (y - a) / (b - a);
        }
        return 0.0;
    }

    double lambda_of_y(double y) const {
        switch (family) {
            case Family::vp: return detail::vp_lambda(y);
            case Family::flow: return std::log1p(y) - std::log(-y);
            case Family::ve:
            case Family::general: return y;
        }
        return y;
    }

    double y_of_lambda(double lambda) const {
        switch (family) {
            case Family::vp: return detail::vp_log_alpha(lambda);
            case Family::flow: return -1.0 / (1.0 + std::exp(lambda));
            case Family::ve:
            case Family::general: return lambda;
        }
        return lambda;
    }

    double dlambda_dy(double y) const {
        switch (family) {
            case Family::vp: return -1.0 / std::expm1(2.0 * y);  // 1/sigma^2
            case Family::flow: return -1.0 / (y * (1.0 + y));
            case Family::ve:
            case Family::general: return 1.0;
        }
        return 1.0;
    }

    /// What the cosine's angle lacks to a right angle: 1 - t is exact where alpha vanishes.
    double cosine_rest(double t) const { return (1.0 - t) / (1.0 + a) * 0.5 * std::numbers::pi; }

    double checked_t(double t) const {
        using namespace detail;
        if (!(t >= t_low - kRangeTolerance && t <= t_accepted + kRangeTolerance))
            throw_invalid("t", t, "within the noise schedule's range [" + number(t_low) + ", " + number(t_accepted) + "]");
        return std::clamp(t, t_low, t_high);
    }

    double checked_lambda(double lambda) const {
        using namespace detail;
        const double slack = kRangeTolerance * (1.0 + std::abs(lambda_low) + std::abs(lambda_high)) * 100.0;
        if (!(lambda >= lambda_low - slack && lambda <= lambda_high + slack))
            throw_invalid("lambda", lambda,
                          "within the noise schedule's range [" + number(lambda_low) + ", " + number(lambda_high) + "]");
        return std::clamp(lambda, lambda_low, lambda_high);
    }

    double t_of_lambda(double lambda) const { return std::clamp(t_of_y(y_of_lambda(lambda)), t_low, t_high); }

    /// FNV-1a over the bytes of every number.
    std::string hash(detail::Checkpoint& checkpoint) const {
        std::uint64_t hash = 0xcbf29ce484222325u;
        const auto add = [&hash](double value) {
            auto bits = std::bit_cast<std::uint64_t>(value);
            for (int i = 0; i < 8; ++i, bits >>= 8) hash = (hash ^ (bits & 0xff)) * 0x100000001b3u;
        };
        add(static_cast<double>(family));
        add(static_cast<double>(clock));
        for (double value : {n, shift, a, b, t_low, t_high}) add(value);
        const auto add_all = [&](std::span<const double> values) {
            for (double value : values) {
                checkpoint.pass(detail::kHashWork);
                add(value);
            }
        };
        add_all(ts);
        add_all(ys);
        if (log_sigma) add_all(log_sigma->y());
        std::string text(16, '0');
        for (std::size_t i = 16; i-- > 0; hash >>= 4) text[i] = "0123456789abcdef"[hash & 0xf];
        return text;
    }

    std::shared_ptr<const Table> finished(detail::Checkpoint& checkpoint) && {
        lambda_low = lambda_of_y(y_of_t(t_high));
        lambda_high = lambda_of_y(y_of_t(t_low));
        checkpoint.pass(ts.size());
        for (std::size_t i = 0; i + 2 < ts.size(); ++i) rough |= std::abs(piece_slope(i + 1) / piece_slope(i) - 1.0) > 0.1;
        checkpoint.pass(4 * ts.size());
        fingerprint = hash(checkpoint);
        return std::make_shared<const Table>(std::move(*this));
    }
};

}  // namespace hso

#include "noise_curve.hpp"

#include <numbers>

#include <doctest/doctest.h>

#include "noise_table.hpp"
#include "reference.hpp"
#include "support.hpp"

using namespace hso;
using namespace hso::detail;
using namespace hso::test;

namespace {

bool is_table(const NoiseSchedule& noise) { return noise.table().clock == Clock::table; }

/// The family's own coordinate over t, from its formula; a table's piece is continued beyond its ends.
Real reference_y(const NoiseSchedule& noise, Real t, std::size_t piece) {
    const auto& table = noise.table();
    const Real a = table.a, b = table.b;
    switch (table.clock) {
        case Clock::table: {
            const Real t0 = table.ts[piece], t1 = table.ts[piece + 1], y0 = table.ys[piece], y1 = table.ys[piece + 1];
            return y0 + (t - t0) / (t1 - t0) * (y1 - y0);
        }
        case Clock::vp_linear: return -t * t * (b - a) / 4 - t * a / 2;
        case Clock::vp_cosine: {
            const Real quarter = 0.5L * std::numbers::pi_v<Real> / (1 + a);
            return std::log(std::sin((1 - t) * quarter) / std::sin(quarter));
        }
        case Clock::identity: return -t;
        case Clock::affine: return a + t * (b - a);
    }
    return 0;
}

RealFunction reference_lambda(const NoiseSchedule& noise, std::size_t piece) {
    return [&noise, piece](Real t) -> Real {
        const Real y = reference_y(noise, t, piece);
        switch (noise.family()) {
            case Family::vp: return y - 0.5L * std::log(-std::expm1(2 * y));
            case Family::flow: return std::log1p(y) - std::log(-y);
            default: return y;
        }
    };
}

/// How far t may move before lambda(t) changes by much: the way to where alpha or sigma vanishes.
Real room(const NoiseSchedule& noise, double t, std::size_t piece) {
    const Real y = reference_y(noise, t, piece), slope = (reference_y(noise, t + 1e-7L, piece) - y) / 1e-7L;
    Real least = std::min<Real>(0.1L, std::abs(y / slope));
    if (noise.family() == Family::flow) least = std::min(least, std::abs((1 + y) / slope));
    if (noise.table().clock == Clock::vp_cosine) least = std::min(least, 1 - static_cast<Real>(t));
    return least;
}

}  // namespace

TEST_CASE("lambda(t) and its derivatives on a piece are those of the formula") {
    Random random(81);
    for (const auto& [name, noise] : every_schedule())
        for (int i = 0; i < 60; ++i) {
            const std::size_t piece = i == 0 ? 0 : i == 1 ? pieces(noise) - 1 : random.below(pieces(noise));
            const auto [low, high] = piece_range(noise, piece);
            const double t = i % 5 == 0 ? low : i % 5 == 1 ? high : random.uniform(low, high);
            CAPTURE(name);
            CAPTURE(piece);
            CAPTURE(t);
            const auto lambda = reference_lambda(noise, piece);
            const auto [d1, d2] = differences(lambda, t, 1e-3L * room(noise, t, piece));
            const LambdaCurve curve = lambda_curve(noise, t, piece);
            REQUIRE(std::abs(curve.lambda - static_cast<double>(lambda(t))) < 1e-11 * (1.0 + std::abs(curve.lambda)));
            REQUIRE(relative_error(curve.d1, d1) < 1e-8);
            REQUIRE(std::abs(static_cast<Real>(curve.d2) - d2) < 1e-7L * (std::abs(d2) + d1 * d1));
            if (t == high && is_table(noise)) continue;  // the next piece's
            const LambdaCurve there = lambda_curve(noise, t);
            REQUIRE(relative_error(there.lambda, curve.lambda) < 1e-12);
            REQUIRE(relative_error(there.d1, curve.d1) < 1e-12);
            if (!is_table(noise)) REQUIRE(there.d2 == curve.d2);
        }
}

TEST_CASE("pieces follow each other and hold their left entry") {
    for (const auto& [name, noise] : every_schedule()) {
        CAPTURE(name);
        const std::size_t last = pieces(noise) - 1;
        REQUIRE(piece_range(noise, 0).first == noise.t_range().first);
        REQUIRE(piece_range(noise, last).second == noise.t_range().second);
        if (!is_table(noise)) REQUIRE(last == 0);
        for (std::size_t piece = 0; piece <= last; ++piece) {
            const auto [low, high] = piece_range(noise, piece);
            REQUIRE(low < high);
            REQUIRE(piece_of(noise, low) == piece);
            REQUIRE(piece_of(noise, std::nextafter(high, 0.0)) == piece);
            REQUIRE(piece_of(noise, high) == std::min(piece + 1, last));
            if (piece < last) REQUIRE(piece_range(noise, piece + 1).first == high);
        }
    }
}

TEST_CASE("the smoothed curvature of a fine table is that of the function it was taken from") {
    const auto smooth = NoiseSchedule::vp_linear();
    std::vector<double> uniform_cumprod, t, alpha, sigma;
    for (int i = 1; i <= 2000; ++i) {
        const double at = i / 2000.0;
        uniform_cumprod.push_back(std::pow(smooth.alpha(smooth.lambda(at)), 2));
        t.push_back(0.001 + 0.999 * at * at);
        alpha.push_back(smooth.alpha(smooth.lambda(t.back())));
        sigma.push_back(smooth.sigma(smooth.lambda(t.back())));
    }
    const auto uniform = NoiseSchedule::from_alphas_cumprod(uniform_cumprod), uneven = NoiseSchedule::from_table(t, alpha, sigma);
    for (double at = 0.03; at < 0.99; at += 0.0173) {
        CAPTURE(at);
        const double expected = lambda_curve(smooth, at).d2,
                     scale = std::abs(expected) + std::pow(lambda_curve(smooth, at).d1, 2);
        CHECK(std::abs(lambda_curve(uniform, at).d2 - expected) < 0.02 * scale);
        CHECK(std::abs(lambda_curve(uneven, at).d2 - expected) < 0.02 * scale);
        // and not that of the straight pieces, whose curvature is the family's alone
        const double straight = lambda_curve(uniform, at, piece_of(uniform, at)).d2;
        CHECK(std::abs(straight - expected) > 10.0 * std::abs(lambda_curve(uniform, at).d2 - expected));
    }
}

TEST_CASE("bounds of dt/dlambda hold every slope of t(lambda) between two edges") {
    Random random(82);
    for (const auto& [name, noise] : every_schedule()) {
        CAPTURE(name);
        const auto [least, most] = noise.lambda_range();
        for (int i = 0; i < 60; ++i) {
            const double width = (most - least) * std::exp(random.uniform(-12.0, 0.0)),
                         a = random.uniform(least - 0.1 * width, most);
            const double b = a + width, from = std::max(a, least), to = std::min(b, most);
            CAPTURE(a);
            CAPTURE(b);
            const TimeEdge low = time_edge(noise, a), high = time_edge(noise, b);
            REQUIRE(std::abs(low.t - noise.t(from)) < 1e-14);
            REQUIRE(std::abs(high.t - noise.t(to)) < 1e-14);
            const auto [steep, flat] = dt_dlambda_range(noise, low, high);
            REQUIRE(steep <= flat);
            REQUIRE(flat < 0.0);
            for (int k = 0; k < 20; ++k) {
                const double x = random.uniform(from, to), y = random.uniform(from, to);
                const double change = noise.t(y) - noise.t(x), rounding = 1e-14 + 1e-9 * std::abs(change);
                REQUIRE(change * (y > x ? 1.0 : -1.0) >= steep * std::abs(y - x) - rounding);
                REQUIRE(change * (y > x ? 1.0 : -1.0) <= flat * std::abs(y - x) + rounding);
                // on both sides of the entries inside, too
                const std::size_t piece = piece_of(noise, noise.t(x));
                const auto range = piece_range(noise, piece);
                const double t_low = std::max(range.first, high.t), t_high = std::min(range.second, low.t);
                for (double t : {t_low, t_high, random.uniform(t_low, t_high)}) {
                    if (!(t_low < t_high)) continue;
                    const double slope = 1.0 / lambda_curve(noise, t, piece).d1;
                    REQUIRE(slope >= steep * (1.0 + 1e-9));
                    REQUIRE(slope <= flat * (1.0 - 1e-9));
                }
            }
        }
    }
}

TEST_CASE("on smooth clocks the bounds of dt/dlambda close in as fast as their edges") {
    Random random(83);
    for (const auto& [name, noise] : every_schedule()) {
        if (is_table(noise)) continue;
        CAPTURE(name);
        const auto [least, most] = noise.lambda_range();
        for (int i = 0; i < 50; ++i) {
            const double a = random.uniform(least, most - 0.1);
            const auto spread = [&](double width) {
                const auto [steep, flat] = dt_dlambda_range(noise, time_edge(noise, a), time_edge(noise, a + width));
                return steep / flat - 1.0;
            };
            CAPTURE(a);
            CHECK(spread(0.02) <= 4.0 * 0.02);
            CHECK(spread(0.0) <= 1e-12);
            CHECK(spread(0.01) <= 0.55 * spread(0.02) + 1e-12);
        }
    }
}

#include <hso/noise_schedule.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <set>
#include <vector>

#include <doctest/doctest.h>

#include "reference.hpp"
#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

/// lambda of a VP model with this log(alpha).
Real vp_lambda(Real log_alpha) { return log_alpha - 0.5L * std::log(-std::expm1(2.0L * log_alpha)); }

/// A function of t that is straight between the entries of a table.
RealFunction straight(std::vector<Real> ts, std::vector<Real> ys) {
    return [=](Real t) {
        std::size_t i = 0;
        while (i + 2 < ts.size() && t >= ts[i + 1]) ++i;
        return ys[i] + (t - ts[i]) / (ts[i + 1] - ts[i]) * (ys[i + 1] - ys[i]);
    };
}

RealFunction vp_table(const std::vector<double>& alphas_cumprod) {
    std::vector<Real> ts, ys;
    for (std::size_t i = 0; i < alphas_cumprod.size(); ++i) {
        ts.push_back(static_cast<Real>(i + 1) / static_cast<Real>(alphas_cumprod.size()));
        ys.push_back(0.5L * std::log(static_cast<Real>(alphas_cumprod[i])));
    }
    const auto y = straight(ts, ys);
    return [=](Real t) { return vp_lambda(y(t)); };
}

struct ClosedForm {
    NoiseSchedule noise;
    RealFunction lambda;
};

std::vector<ClosedForm> closed_forms() {
    std::vector<ClosedForm> all;
    for (auto [low, high] : {std::pair{0.1, 20.0}, {5.0, 5.0}, {1e-3, 50.0}})
        all.push_back({NoiseSchedule::vp_linear(low, high), [=](Real t) {
                           return vp_lambda(-0.25L * t * t * (static_cast<Real>(high) - static_cast<Real>(low)) -
                                            0.5L * t * static_cast<Real>(low));
                       }});
    for (double s : {0.008, 0.2, 1.0})
        all.push_back({NoiseSchedule::vp_cosine(s), [=](Real t) {
                           const Real c = static_cast<Real>(s), quarter = 0.5L * std::numbers::pi_v<Real>;
                           return vp_lambda(std::log(std::cos((t + c) / (1 + c) * quarter) / std::cos(c / (1 + c) * quarter)));
                       }});
    for (double shift : {1.0, 3.0, 0.3})
        all.push_back({NoiseSchedule::flow(shift), [](Real t) { return std::log1p(-t) - std::log(t); }});
    for (auto [low, high] : {std::pair{0.002, 80.0}, {0.03, 15.0}})
        all.push_back({NoiseSchedule::edm(low, high), [=](Real t) {
                           const Real share = (1000 * t - 1) / 999;  // entry i of 1000 at t = (i+1)/1000
                           return -(std::log(static_cast<Real>(low)) * (1 - share) + std::log(static_cast<Real>(high)) * share);
                       }});
    return all;
}

std::vector<double> probes(Random& random, const NoiseSchedule& noise, int count) {
    const auto [low, high] = noise.t_range();
    std::vector<double> t = {low, high, std::nextafter(low, 1.0), std::nextafter(high, 0.0)};
    for (int i = 0; i < count; ++i) {
        t.push_back(random.uniform(low, high));
        t.push_back(low + (high - low) * std::exp(random.uniform(-12.0, 0.0)));
    }
    return t;
}

}  // namespace

TEST_CASE("table schedules agree with the golden points") {
    for (std::string_view name : kGoldenTables) {
        const auto noise = golden_noise(name);
        CHECK(noise.family() == Family::vp);
        CHECK(noise.num_train_timesteps() == 1000.0);
        for (const auto& point : golden()["tables"][std::string(name)]["points"]) {
            const double t = point["t"], lambda = noise.lambda(t);
            CAPTURE(name);
            CAPTURE(t);
            CHECK(std::abs(lambda - point["lam"].get<double>()) < 1e-10);
            CHECK(std::abs(noise.alpha(lambda) - point["alpha"].get<double>()) < 1e-10);
            CHECK(std::abs(noise.sigma(lambda) - point["sigma"].get<double>()) < 1e-10);
            CHECK(relative_error(std::exp(-lambda), point["ve_sigma"].get<double>()) < 1e-10);
            CHECK(noise.timestep(lambda) == doctest::Approx(1000.0 * t - 1.0).epsilon(1e-11));
        }
    }
}

TEST_CASE("lambda of the continuous schedules agrees with their formulas") {
    Random random(11);
    for (const auto& [noise, lambda] : closed_forms()) {
        for (double t : probes(random, noise, 500)) {
            CAPTURE(t);
            const Real expected = lambda(t);
            const Real to_neighbour = std::abs(lambda(std::nextafter(t, 0.0)) - expected);  // steep near the cosine's t = 1
            REQUIRE(std::abs(static_cast<Real>(noise.lambda(t)) - expected) < 1e-12L * (1 + std::abs(expected)) + to_neighbour);
        }
    }
}

TEST_CASE("lambda of a table agrees with the table, read straight in log alpha") {
    Random random(12);
    for (std::size_t n : {2, 3, 1000, 10000}) {
        const auto values = random_alphas_cumprod(random, n, 9.0);
        const auto noise = NoiseSchedule::from_alphas_cumprod(values);
        const auto lambda = vp_table(values);
        for (double t : probes(random, noise, 50)) {
            CAPTURE(t);
            REQUIRE(std::abs(noise.lambda(t) - static_cast<double>(lambda(t))) < 1e-12 * (1.0 + std::abs(noise.lambda(t))));
        }
        CHECK(noise.t_range() == std::pair(1.0 / static_cast<double>(n), 1.0));
        CHECK(noise.lambda_range() == std::pair(noise.lambda(1.0), noise.lambda(1.0 / static_cast<double>(n))));
    }
}

TEST_CASE("t -> lambda -> t and lambda -> t -> lambda return") {
    Random random(13);
    for (const auto& [name, noise] : every_schedule()) {
        CAPTURE(name);
        const auto [low, high] = noise.t_range();
        const auto [lambda_low, lambda_high] = noise.lambda_range();
        CHECK(noise.lambda(high) == lambda_low);
        CHECK(noise.lambda(low) == lambda_high);
        for (double t : probes(random, noise, 1000)) {
            CAPTURE(t);
            const double lambda = noise.lambda(t);
            REQUIRE(lambda >= lambda_low);
            REQUIRE(lambda <= lambda_high);
            REQUIRE(std::abs(noise.t(lambda) - t) < 1e-12);
            const double again = random.uniform(lambda_low, lambda_high), at = noise.t(again);
            // lambda is as good as t's last digit allows, and the cosine's inverse (an arcsine near 1) gives t to 1e-14
            const double t_error = name == "vp_cosine" ? 1e-14 : 4.0 * 0x1p-53;
            const double limit = 1e-12 + std::abs(noise.lambda_slope(at).dlambda_dt) * t_error;
            REQUIRE(std::abs(noise.lambda(at) - again) < limit * (1.0 + std::abs(again)));
        }
    }
}

TEST_CASE("lambda falls strictly with t") {
    for (const auto& [name, noise] : every_schedule()) {
        CAPTURE(name);
        const auto [low, high] = noise.t_range();
        double previous = noise.lambda(low);
        for (int i = 1; i <= 20011; ++i) {
            const double lambda = noise.lambda(low + (high - low) * i / 20011.0);
            REQUIRE(lambda < previous);
            previous = lambda;
        }
    }
}

TEST_CASE("alpha, sigma and the timestep follow from lambda") {
    Random random(14);
    for (const auto& [name, noise] : every_schedule()) {
        CAPTURE(name);
        const auto [low, high] = noise.lambda_range();
        for (int i = 0; i < 500; ++i) {
            const double lambda = random.uniform(low, high);
            CAPTURE(lambda);
            const double alpha = noise.alpha(lambda), sigma = noise.sigma(lambda), t = noise.t(lambda);
            REQUIRE(relative_error(alpha / sigma, std::exp(static_cast<Real>(lambda))) < 1e-13);
            const double n = noise.num_train_timesteps();
            if (noise.family() != Family::general) {
                REQUIRE(relative_error(alpha, reference_alpha(noise.family(), lambda)) < 1e-14);
                REQUIRE(relative_error(sigma, reference_sigma(noise.family(), lambda)) < 1e-14);
            }
            switch (noise.family()) {
                case Family::flow: REQUIRE(noise.timestep(lambda) == doctest::Approx(n * sigma).epsilon(1e-14)); break;
                case Family::ve: REQUIRE(noise.timestep(lambda) == doctest::Approx(0.25 * std::log(sigma)).epsilon(1e-13)); break;
                default: REQUIRE(noise.timestep(lambda) == doctest::Approx(n * t - 1.0).epsilon(1e-12));
            }
        }
        // flow tables may use another clock than s, but the two clocks of flow() are one
        if (name.starts_with("flow") && name.find("table") == std::string::npos)
            CHECK(noise.sigma(noise.lambda(0.3)) == doctest::Approx(0.3).epsilon(1e-14));
    }
}

TEST_CASE("alpha and sigma keep their digits far out") {
    for (const auto& noise : {sd_noise(), NoiseSchedule::flow(), NoiseSchedule::edm()})
        for (double lambda = -40.0; lambda <= 40.0; lambda += 0.37) {
            CAPTURE(lambda);
            REQUIRE(relative_error(noise.alpha(lambda), reference_alpha(noise.family(), lambda)) < 1e-13);
            REQUIRE(relative_error(noise.sigma(lambda), reference_sigma(noise.family(), lambda)) < 1e-13);
        }
}

TEST_CASE("log_sigma's derivatives agree with differences") {
    Random random(15);
    for (const auto& noise : {sd_noise(), NoiseSchedule::flow(), NoiseSchedule::edm()}) {
        const auto log_sigma = [&](Real lambda) { return std::log(reference_sigma(noise.family(), lambda)); };
        for (int i = 0; i < 200; ++i) {
            const double lambda = random.uniform(-15.0, 15.0);
            CAPTURE(lambda);
            const auto [value, d1, d2] = noise.log_sigma(lambda);
            const auto expected = differences(log_sigma, lambda, 1e-3L);
            REQUIRE(std::abs(value - static_cast<double>(log_sigma(lambda))) < 1e-14 * (1.0 + std::abs(lambda)));
            REQUIRE(std::abs(d1 - static_cast<double>(expected[0])) < 1e-11);
            REQUIRE(std::abs(d2 - static_cast<double>(expected[1])) < 1e-10);
        }
    }
}

TEST_CASE("lambda_slope agrees with differences, from the right at a table's entries") {
    Random random(16);
    for (const auto& [noise, lambda] : closed_forms()) {
        const auto [low, high] = noise.t_range();
        for (int i = 0; i < 200; ++i) {
            const double t = random.uniform(low + 0.01, high - 0.01);
            CAPTURE(t);
            const auto slope = noise.lambda_slope(t);
            REQUIRE(slope.lambda == noise.lambda(t));
            REQUIRE(relative_error(slope.dlambda_dt, differences(lambda, t, 1e-5L)[0]) < 1e-10);
        }
    }
    for (std::size_t n : {2, 3, 50, 1000}) {
        const auto values = random_alphas_cumprod(random, n, 8.0);
        const auto noise = NoiseSchedule::from_alphas_cumprod(values);
        const auto lambda = vp_table(values);
        const Real width = 1.0L / static_cast<Real>(n), step = width * 1e-3L;
        for (std::size_t i = 0; i < std::min<std::size_t>(n, 60); ++i) {
            const double entry = static_cast<double>(i + 1) / static_cast<double>(n);
            CAPTURE(entry);
            const Real inside = (static_cast<Real>(i) + 1.5L) * width;
            if (i + 1 < n) {
                const auto at = static_cast<double>(inside);
                REQUIRE(relative_error(noise.lambda_slope(at).dlambda_dt, differences(lambda, at, step)[0]) < 1e-9);
            }
            // one-sided: right of every entry but the last
            const Real side = i + 1 < n ? step : -step, x = entry;
            const Real one_sided = (-25 * lambda(x) + 48 * lambda(x + side) - 36 * lambda(x + 2 * side) +
                                    16 * lambda(x + 3 * side) - 3 * lambda(x + 4 * side)) /
                                   (12 * side);
            REQUIRE(relative_error(noise.lambda_slope(entry).dlambda_dt, one_sided) < 1e-8);
        }
    }
    // a table's slope is the one that its own lambda has, whatever its family
    for (const auto& [name, noise] : every_schedule()) {
        if (name.find("table") == std::string::npos || name.ends_with("0")) continue;
        CAPTURE(name);
        const auto [low, high] = noise.t_range();
        for (int i = 0; i < 100; ++i) {
            const double t = random.uniform(low + 0.02, high - 0.02);
            const auto left = noise.lambda_slope(t - 1e-6), right = noise.lambda_slope(t + 1e-6);
            if (relative_error(left.dlambda_dt, right.dlambda_dt) > 1e-3) continue;  // across an entry
            REQUIRE(noise.lambda_slope(t).dlambda_dt == doctest::Approx((right.lambda - left.lambda) / 2e-6).epsilon(1e-6));
        }
    }
}

TEST_CASE("a zero terminal SNR is taken as 2^-24") {
    std::vector values = {0.9, 0.5, 0.1, 0.0};
    const auto noise = NoiseSchedule::from_alphas_cumprod(values);
    values.back() = 0x1p-24;
    const auto spelled = NoiseSchedule::from_alphas_cumprod(values);
    CHECK(noise.fingerprint() == spelled.fingerprint());
    CHECK(noise.lambda_range().first == doctest::Approx(0.5 * std::log(0x1p-24 / (1.0 - 0x1p-24))).epsilon(1e-14));
    const auto from_betas = NoiseSchedule::from_betas(std::vector{0.1, 0.3, 1.0});
    CHECK(from_betas.lambda_range().first == doctest::Approx(noise.lambda_range().first).epsilon(1e-14));
}

TEST_CASE("from_betas is the cumulative product") {
    const std::vector betas = {0.1, 0.2, 0.4};
    const auto noise = NoiseSchedule::from_betas(betas);
    const auto direct = NoiseSchedule::from_alphas_cumprod(std::vector{0.9, 0.72, 0.432});
    for (double t : {1.0 / 3.0, 0.5, 2.0 / 3.0, 0.9, 1.0})
        CHECK(noise.lambda(t) == doctest::Approx(direct.lambda(t)).epsilon(1e-14));
}

TEST_CASE("t = 1 is the last finite lambda of flow and cosine") {
    for (const auto& noise : {NoiseSchedule::flow(), NoiseSchedule::vp_cosine()}) {
        CHECK(noise.lambda(1.0) == noise.lambda(1.0 - 1e-6));
        CHECK(noise.t_range().second == 1.0 - 1e-6);
    }
    CHECK(NoiseSchedule::flow().t_range().first == 1e-6);
}

TEST_CASE("shifted moves the sampler's clock for flow only") {
    const auto flow = NoiseSchedule::flow(3.0);
    CHECK(flow.shift() == 3.0);
    CHECK(flow.shifted(0.5) == doctest::Approx(0.75).epsilon(1e-15));
    CHECK(flow.shifted(0.0) == 0.0);
    CHECK(flow.shifted(1.0) == 1.0);
    CHECK(sd_noise().shifted(0.3) == 0.3);
    CHECK(sd_noise().shift() == 1.0);
}

TEST_CASE("arguments outside the range are refused by name") {
    for (const auto& [name, noise] : every_schedule()) {
        CAPTURE(name);
        const auto [low, high] = noise.t_range();
        const auto [lambda_low, lambda_high] = noise.lambda_range();
        for (double t : {kNan, kInf, -kInf, low - 1e-9, 1.0 + 1e-9, -1.0, 2.0}) {
            CAPTURE(t);
            CHECK(refuses("t must be within", [&] { noise.lambda(t); }));
            CHECK(refuses("t must be within", [&] { noise.lambda_slope(t); }));
        }
        for (double lambda : {kNan, kInf, -kInf, lambda_low - 1e-6, lambda_high + 1e-6}) {
            CAPTURE(lambda);
            CHECK(refuses("lambda must be within", [&] { noise.t(lambda); }));
        }
        for (double lambda : {kNan, kInf, -kInf}) {
            CHECK(refuses("lambda must be finite", [&] { noise.alpha(lambda); }));
            CHECK(refuses("lambda must be finite", [&] { noise.sigma(lambda); }));
            CHECK(refuses("lambda must be", [&] { noise.timestep(lambda); }));
        }
        // rounding beyond the ends is none
        CHECK(noise.lambda(low - 1e-14) == lambda_high);
        CHECK(noise.lambda(high + 1e-14) == lambda_low);
        CHECK(noise.t(lambda_low - 1e-13) == doctest::Approx(high).epsilon(1e-12));
        CHECK(noise.t(lambda_high + 1e-13) == doctest::Approx(low).epsilon(1e-12));
    }
    CHECK(invalid_message([] { sd_noise().lambda(1.5); }) == "t must be within the noise schedule's range [0.001, 1], got 1.5");
}

TEST_CASE("tables that are none are refused by name") {
    using Table = std::vector<double>;
    const auto cumprod = [](const Table& table) { return [table] { NoiseSchedule::from_alphas_cumprod(table); }; };
    CHECK(refuses("alphas_cumprod must", cumprod({})));
    CHECK(refuses("alphas_cumprod must", cumprod({0.5})));
    CHECK(refuses("alphas_cumprod[0]", cumprod({1.0, 0.5})));
    CHECK(refuses("alphas_cumprod[0]", cumprod({kNan, 0.5})));
    CHECK(refuses("alphas_cumprod[0]", cumprod({0.0, 0.0})));
    CHECK(refuses("alphas_cumprod[1]", cumprod({0.5, 0.5})));
    CHECK(refuses("alphas_cumprod[1]", cumprod({0.5, 0.6})));
    CHECK(refuses("alphas_cumprod[1]", cumprod({0.5, 0.0, 0.1})));
    CHECK(refuses("alphas_cumprod[2]", cumprod({0.5, 0.4, kNan})));
    CHECK(refuses("alphas_cumprod[2]", cumprod({0.5, 0.4, -0.1})));
    CHECK(refuses("alphas_cumprod[1]", cumprod({0.5, -kInf})));

    const auto betas = [](const Table& table) { return [table] { NoiseSchedule::from_betas(table); }; };
    CHECK(refuses("betas must", betas({})));
    CHECK(refuses("betas must", betas({0.5})));
    CHECK(refuses("betas[0]", betas({0.0, 0.5})));
    CHECK(refuses("betas[0]", betas({1.0, 0.5})));
    CHECK(refuses("betas[1]", betas({0.1, kNan})));
    CHECK(refuses("betas[1]", betas({0.1, 1.5})));
    CHECK(refuses("betas[1]", betas({0.1, -0.5})));

    const auto any = [](const Table& t, const Table& alpha, const Table& sigma, double n = 1000.0) {
        return [=] { NoiseSchedule::from_table(t, alpha, sigma, n); };
    };
    CHECK(refuses("t must", any({}, {}, {})));
    CHECK(refuses("t must", any({0.5}, {0.5}, {0.5})));
    CHECK(refuses("alpha", any({0.1, 0.5}, {0.9}, {0.1, 0.5})));
    CHECK(refuses("alpha and sigma", any({0.1, 0.5}, {0.9, 0.5}, {0.1})));
    CHECK(refuses("t[1]", any({0.1, 0.1}, {0.9, 0.5}, {0.1, 0.5})));
    CHECK(refuses("t[1]", any({0.1, 1.1}, {0.9, 0.5}, {0.1, 0.5})));
    CHECK(refuses("t[0]", any({-0.1, 1.0}, {0.9, 0.5}, {0.1, 0.5})));
    CHECK(refuses("t[0]", any({kNan, 1.0}, {0.9, 0.5}, {0.1, 0.5})));
    CHECK(refuses("alpha[1]", any({0.1, 0.5}, {0.9, 0.0}, {0.1, 0.5})));
    CHECK(refuses("alpha[1]", any({0.1, 0.5}, {0.9, kNan}, {0.1, 0.5})));
    CHECK(refuses("sigma[0]", any({0.1, 0.5}, {0.9, 0.5}, {0.0, 0.5})));
    CHECK(refuses("sigma[1]", any({0.1, 0.5}, {0.9, 0.5}, {0.1, kInf})));
    CHECK(refuses("alpha/sigma[1]", any({0.1, 0.5}, {0.9, 0.9}, {0.1, 0.1})));
    CHECK(refuses("alpha/sigma[1]", any({0.1, 0.5}, {0.5, 0.9}, {0.5, 0.1})));
    CHECK(refuses("num_train_timesteps", any({0.1, 0.5}, {0.9, 0.5}, {0.1, 0.5}, 0.0)));
    CHECK(refuses("num_train_timesteps", any({0.1, 0.5}, {0.9, 0.5}, {0.1, 0.5}, kNan)));

    for (double bad : {0.0, -1.0, kNan, kInf}) {
        CHECK(refuses("shift", [=] { NoiseSchedule::flow(bad); }));
        CHECK(refuses("sigma_min", [=] { NoiseSchedule::edm(bad, 80.0); }));
        CHECK(refuses("beta_min", [=] { NoiseSchedule::vp_linear(bad, 20.0); }));
        CHECK(refuses("s must", [=] { NoiseSchedule::vp_cosine(bad); }));
    }
    CHECK(refuses("sigma_max", [] { NoiseSchedule::edm(1.0, 1.0); }));
    CHECK(refuses("sigma_max", [] { NoiseSchedule::edm(1.0, kInf); }));
    CHECK(refuses("beta_max", [] { NoiseSchedule::vp_linear(1.0, 0.5); }));
    CHECK(refuses("beta_max", [] { NoiseSchedule::vp_linear(1.0, kNan); }));
    CHECK(refuses("s must", [] { NoiseSchedule::vp_cosine(1.5); }));
}

TEST_CASE("a table's family is recognized") {
    const std::vector t = {0.2, 0.6, 1.0}, s = {0.1, 0.5, 0.9};
    const auto family = [&](auto alpha_of, auto sigma_of) {
        std::vector<double> alpha, sigma;
        for (double x : s) {
            alpha.push_back(alpha_of(x));
            sigma.push_back(sigma_of(x));
        }
        return NoiseSchedule::from_table(t, alpha, sigma).family();
    };
    const auto identity = [](double x) { return x; };
    CHECK(family([](double x) { return std::sqrt(1.0 - x * x); }, identity) == Family::vp);
    CHECK(family([](double x) { return 1.0 - x; }, identity) == Family::flow);
    CHECK(family([](double) { return 1.0; }, identity) == Family::ve);
    CHECK(family([](double x) { return 1.0 - 0.5 * x; }, identity) == Family::general);
    CHECK(family([](double x) { return 1.0 - x + 1e-7; }, identity) == Family::general);
}

TEST_CASE("from_table reads a family's table as the family's own constructor does") {
    const auto sd = sd_noise();
    std::vector<double> t, alpha, sigma;
    for (int i = 1; i <= 1000; ++i) {
        t.push_back(i / 1000.0);
        const double lambda = sd.lambda(t.back());
        alpha.push_back(sd.alpha(lambda));
        sigma.push_back(sd.sigma(lambda));
    }
    const auto table = NoiseSchedule::from_table(t, alpha, sigma);
    Random random(17);
    for (int i = 0; i < 500; ++i) {
        const double x = random.uniform(0.001, 1.0), lambda = sd.lambda(x);
        REQUIRE(table.lambda(x) == doctest::Approx(lambda).epsilon(1e-11));
        REQUIRE(std::abs(table.t(lambda) - x) < 1e-11);
        REQUIRE(table.timestep(lambda) == doctest::Approx(sd.timestep(lambda)).epsilon(1e-9));
    }
}

TEST_CASE("a general table goes through its entries, straight in lambda over t") {
    const std::vector t = {0.1, 0.4, 0.7, 1.0}, alpha = {0.99, 0.8, 0.5, 0.2}, sigma = {0.05, 0.7, 1.5, 3.0};
    const auto noise = NoiseSchedule::from_table(t, alpha, sigma, 100.0);
    REQUIRE(noise.family() == Family::general);
    std::vector<Real> ts, lambdas, log_sigmas;
    for (std::size_t i = 0; i < t.size(); ++i) {
        const double lambda = noise.lambda(t[i]);
        CHECK(relative_error(noise.alpha(lambda), alpha[i]) < 1e-14);
        CHECK(relative_error(noise.sigma(lambda), sigma[i]) < 1e-14);
        CHECK(noise.timestep(lambda) == doctest::Approx(100.0 * t[i] - 1.0).epsilon(1e-13));
        ts.push_back(t[i]);
        lambdas.push_back(std::log(static_cast<Real>(alpha[i]) / static_cast<Real>(sigma[i])));
        log_sigmas.push_back(std::log(static_cast<Real>(sigma[i])));
    }
    const auto lambda = straight(ts, lambdas);
    const ReferenceCubic log_sigma({lambdas.rbegin(), lambdas.rend()}, {log_sigmas.rbegin(), log_sigmas.rend()});
    for (double x = 0.1; x < 1.0; x += 0.0137) {
        const double at = noise.lambda(x);
        CHECK(std::abs(at - static_cast<double>(lambda(x))) < 1e-13);
        CHECK(std::abs(noise.log_sigma(at).value - static_cast<double>(log_sigma(at))) < 1e-13);
        if (log_sigma.near_node(at, 0.01)) continue;
        const auto expected = differences(log_sigma, at, 1e-3L);
        CHECK(std::abs(noise.log_sigma(at).d1 - static_cast<double>(expected[0])) < 1e-10);
        CHECK(std::abs(noise.log_sigma(at).d2 - static_cast<double>(expected[1])) < 1e-9);
    }
}

TEST_CASE("whole arrays are mapped like their entries") {
    const auto noise = sd_noise();
    const std::vector t = {0.9, 0.5, 0.1};
    std::vector<double> lambdas(3), out(3), wrong(2);
    noise.lambda(t, lambdas);
    for (std::size_t i = 0; i < 3; ++i) CHECK(lambdas[i] == noise.lambda(t[i]));
    noise.t(lambdas, out);
    for (std::size_t i = 0; i < 3; ++i) CHECK(out[i] == noise.t(lambdas[i]));
    noise.alpha(lambdas, out);
    for (std::size_t i = 0; i < 3; ++i) CHECK(out[i] == noise.alpha(lambdas[i]));
    noise.sigma(lambdas, out);
    for (std::size_t i = 0; i < 3; ++i) CHECK(out[i] == noise.sigma(lambdas[i]));
    noise.timestep(lambdas, out);
    for (std::size_t i = 0; i < 3; ++i) CHECK(out[i] == noise.timestep(lambdas[i]));
    CHECK(refuses("out", [&] { noise.lambda(t, wrong); }));
}

TEST_CASE("fingerprints tell schedules apart and equal ones together") {
    std::set<std::string> seen;
    for (const auto& [name, noise] : every_schedule()) {
        CAPTURE(name);
        const std::string print = noise.fingerprint();
        CHECK(print.size() == 16);
        CHECK(print.find_first_not_of("0123456789abcdef") == std::string::npos);
        CHECK(seen.insert(print).second);
        const NoiseSchedule copy = noise;
        CHECK(copy.fingerprint() == print);
    }
    CHECK(sd_noise().fingerprint() == sd_noise().fingerprint());
    CHECK(NoiseSchedule::flow(3.0).fingerprint() == NoiseSchedule::flow(3.0).fingerprint());
    std::vector values = {0.9, 0.5, 0.1};
    const auto before = NoiseSchedule::from_alphas_cumprod(values).fingerprint();
    values[1] = std::nextafter(values[1], 1.0) + 1e-15;
    CHECK(NoiseSchedule::from_alphas_cumprod(values).fingerprint() != before);
    const std::vector t = {0.1, 1.0}, alpha = {0.9, 0.1}, sigma = {0.1, 0.9};
    CHECK(NoiseSchedule::from_table(t, alpha, sigma, 1000.0).fingerprint() !=
          NoiseSchedule::from_table(t, alpha, sigma, 100.0).fingerprint());
}

// ends and tables whose lambda would be infinite, NaN or beyond what MEP can hold
TEST_CASE("numbers whose lambda would overflow or coincide are refused by name") {
    CHECK(refuses("sigma_min and sigma_max must be such", [] { NoiseSchedule::edm(1e-308, 1e308); }));
    CHECK(refuses("beta_min and beta_max must be such", [] { NoiseSchedule::vp_linear(1e-320, 1e-320); }));
    CHECK(refuses("beta_min and beta_max must be such", [] { NoiseSchedule::vp_linear(0.1, 1e300); }));
    const double next = std::nextafter(1e-5, 0.0);
    CHECK(refuses("alphas_cumprod[2] must be further below", [&] {
        NoiseSchedule::from_alphas_cumprod(std::vector{0.5, 1e-5, next});
    }));
    CHECK(refuses("alpha/sigma must be such", [] {
        NoiseSchedule::from_table(std::vector{0.1, 1.0}, std::vector{0.9, 1e-30}, std::vector{0.1, 1.0});
    }));
    CHECK(refuses("alpha/sigma must be such", [] {
        NoiseSchedule::from_table(std::vector{0.1, 1.0}, std::vector{1.0, 0.5}, std::vector{1e-200, std::sqrt(0.75)});
    }));
    CHECK(refuses("t[1] must be above", [] {
        NoiseSchedule::from_table(std::vector{0.0, 5e-324, 1.0}, std::vector{1.0, 1.0, 1.0}, std::vector{1.0, 2.0, 3.0});
    }));
    for (double u : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()})
        CHECK(refuses("u must be in [0, 1]", [=] { NoiseSchedule::flow(3.0).shifted(u); }));
    // what still fits
    const auto wide = NoiseSchedule::edm(1e-70, 1e70);
    CHECK(std::isfinite(wide.lambda_range().first));
    CHECK(wide.lambda_range().second > 160.0);
}

#include <hso/objective.hpp>
#include <hso/schedule.hpp>

#include <numeric>

#include <doctest/doctest.h>

#include "reference.hpp"
#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

struct Derivatives {
    double value;
    std::vector<double> gradient, diagonal, off_diagonal;
};

Derivatives evaluate(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy) {
    const std::size_t n = lambdas.size();
    Derivatives d{0.0, std::vector<double>(n), std::vector<double>(n), std::vector<double>(n - 1)};
    d.value = mep_hessian(noise, lambdas, proxy, d.gradient, d.diagonal, d.off_diagonal);
    return d;
}

std::vector<double> hessian(const Derivatives& d) {
    auto entries = d.diagonal;
    entries.insert(entries.end(), d.off_diagonal.begin(), d.off_diagonal.end());
    return entries;
}

/// Gradient and Hessian of eq. 8 by differences in long double.
Derivatives expected_derivatives(std::span<const double> lambdas, const RealFunction& proxy) {
    const std::size_t n = lambdas.size();
    Derivatives d{static_cast<double>(reference_mep(to_real(lambdas), proxy)), {}, {}, {}};
    constexpr Real step = 1e-4L;
    std::vector<Real> x = to_real(lambdas);
    for (std::size_t i = 0; i < n; ++i) {
        // only the two intervals of node i matter
        const std::size_t first = i > 0 ? i - 1 : 0, last = std::min(i + 1, n - 1);
        const auto along = [&](Real value) {
            std::vector<Real> y(x.begin() + static_cast<std::ptrdiff_t>(first),
                                x.begin() + static_cast<std::ptrdiff_t>(last) + 1);
            y[i - first] = value;
            return reference_mep(y, proxy);
        };
        const auto [d1, d2] = differences(along, x[i], step);
        d.gradient.push_back(static_cast<double>(d1));
        d.diagonal.push_back(static_cast<double>(d2));
        if (i + 1 == n) break;
        const auto slope = [&](Real right) {
            return differences([&](Real left) { return reference_mep(std::vector{left, right}, proxy); }, x[i], step)[0];
        };
        d.off_diagonal.push_back(static_cast<double>(differences(slope, x[i + 1], step)[0]));
    }
    return d;
}

void check_derivatives(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy,
                       const RealFunction& reference) {
    const auto actual = evaluate(noise, lambdas, proxy);
    const auto expected = expected_derivatives(lambdas, reference);
    REQUIRE(relative_error(actual.value, reference_mep(to_real(lambdas), reference)) < 1e-12);
    REQUIRE(relative_error(actual.gradient, expected.gradient) < 1e-9);
    REQUIRE(relative_error(hessian(actual), hessian(expected)) < 1e-7);
    // the three entry points are one function
    std::vector<double> gradient(lambdas.size());
    REQUIRE(mep(noise, lambdas, proxy) == actual.value);
    REQUIRE(mep_gradient(noise, lambdas, proxy, gradient) == actual.value);
    REQUIRE(gradient == actual.gradient);
}

const std::vector<NoiseSchedule>& families() {
    static const std::vector<NoiseSchedule> all = {sd_noise(), NoiseSchedule::flow(), NoiseSchedule::edm()};
    return all;
}

constexpr double kPowers[] = {0.0, 0.5, 1.0, 2.0, 3.0};

}  // namespace

TEST_CASE("MEP agrees with the golden values, VP and flow") {
    const auto flow = NoiseSchedule::flow();
    for (std::string_view name : kGoldenTables) {
        const auto noise = golden_noise(name);
        for (const auto& entry : golden()["tables"][std::string(name)]["mep"]) {
            const auto lambdas = entry["lam"].get<std::vector<double>>();
            const auto proxy = ErrorProxy::power(entry["p"].get<double>());
            CAPTURE(name);
            CAPTURE(proxy.p());
            CHECK(relative_error(mep(noise, lambdas, proxy), entry["value"].get<double>()) < 1e-12);
            CHECK(relative_error(mep(flow, lambdas, proxy), entry["value_flow_family_same_lam"].get<double>()) < 1e-12);
        }
    }
}

TEST_CASE("MEP, gradient and Hessian agree with eq. 8 in long double") {
    Random random(31);
    for (const auto& noise : families())
        for (double p : kPowers)
            for (std::size_t intervals : {1, 2, 5, 100}) {
                CAPTURE(to_string(noise.family()));
                CAPTURE(p);
                CAPTURE(intervals);
                const auto lambdas =
                    random_increasing(random, intervals + 1, random.uniform(-6.0, -1.0), random.uniform(0.0, 6.0));
                check_derivatives(noise, lambdas, ErrorProxy::power(p), reference_proxy(noise.family(), p));
            }
}

TEST_CASE("MEP of a table proxy and of a general noise schedule") {
    Random random(32);
    const auto nodes = random_increasing(random, 9, -5.0, 5.0);
    std::vector<double> value(nodes.size());
    std::vector<Real> log_value;
    for (double& v : value) {
        v = std::exp(random.uniform(-3.0, 3.0));
        log_value.push_back(std::log(static_cast<Real>(v)));
    }
    const ReferenceCubic cubic(to_real(nodes), log_value);

    const std::vector t = {0.1, 0.4, 0.7, 1.0}, alpha = {0.99, 0.8, 0.5, 0.2}, sigma = {0.05, 0.7, 1.5, 3.0};
    const auto general = NoiseSchedule::from_table(t, alpha, sigma);
    REQUIRE(general.family() == Family::general);
    std::vector<Real> lambda, log_sigma;
    for (std::size_t i = t.size(); i-- > 0;) {
        lambda.push_back(std::log(static_cast<Real>(alpha[i]) / static_cast<Real>(sigma[i])));
        log_sigma.push_back(std::log(static_cast<Real>(sigma[i])));
    }
    const ReferenceCubic log_sigma_of(lambda, log_sigma);

    const auto clear_of = [](const ReferenceCubic& table, std::span<const double> lambdas) {
        for (std::size_t i = 0; i + 1 < lambdas.size(); ++i)
            if (table.near_node(0.5 * (lambdas[i] + lambdas[i + 1]), 3e-3)) return false;
        return true;
    };
    int checked = 0;
    for (int repeat = 0; repeat < 60; ++repeat) {
        const auto lambdas =
            random_increasing(random, 2 + random.below(10), random.uniform(-4.0, -2.0), random.uniform(1.0, 4.0));
        if (clear_of(cubic, lambdas)) {
            ++checked;
            for (const auto& noise : families())
                check_derivatives(noise, lambdas, ErrorProxy::table(nodes, value), [&](Real l) { return std::exp(cubic(l)); });
        }
        if (clear_of(log_sigma_of, lambdas)) {
            ++checked;
            for (double p : kPowers)  // sigma^p / alpha, alpha = sigma e^lambda
                check_derivatives(general, lambdas, ErrorProxy::power(p),
                                  [&](Real l) { return std::exp((static_cast<Real>(p) - 1) * log_sigma_of(l) - l); });
        }
    }
    CHECK(checked > 60);
}

TEST_CASE("MEP does not cancel as intervals shrink") {
    Random random(33);
    for (const auto& noise : families())
        for (double p : kPowers) {
            CAPTURE(to_string(noise.family()));
            CAPTURE(p);
            const auto proxy = ErrorProxy::power(p);
            const auto reference = reference_proxy(noise.family(), p);
            for (double h = 1e-12; h < 0.6; h *= 1.31) {
                CAPTURE(h);
                const double a = random.uniform(-5.0, 5.0);
                const std::vector lambdas = {a, a + h};
                REQUIRE(relative_error(mep(noise, lambdas, proxy), reference_mep(to_real(lambdas), reference)) < 1e-13);
            }
        }
}

TEST_CASE("MEP keeps its digits and its range for |lambda| up to 40") {
    Random random(34);
    for (const auto& noise : families())
        for (double p : kPowers) {
            CAPTURE(to_string(noise.family()));
            CAPTURE(p);
            const auto proxy = ErrorProxy::power(p);
            const auto reference = reference_proxy(noise.family(), p);
            const auto check = [&](const std::vector<double>& lambdas) {
                CAPTURE(lambdas.front());
                CAPTURE(lambdas.back());
                REQUIRE(relative_error(mep(noise, lambdas, proxy), reference_mep(to_real(lambdas), reference)) < 1e-12);
                const auto d = evaluate(noise, lambdas, proxy);
                for (const auto& part : {d.gradient, d.diagonal, d.off_diagonal})
                    for (double x : part) REQUIRE(std::isfinite(x));
            };
            check({-40.0, 40.0});
            for (double edge : {-40.0, -39.0, 30.0, 39.0}) check({edge, edge + 0.5, edge + 1.0});
            for (int i = 0; i < 20; ++i) check(random_increasing(random, 2 + random.below(30), -40.0, 40.0));
        }
}

TEST_CASE("an order of nodes is no matter of MEP's and one node costs nothing") {
    const auto noise = sd_noise();
    const auto proxy = ErrorProxy::power(2.0);
    const std::vector lambdas = {1.0, -0.5, 2.0, 1.99};
    CHECK(relative_error(mep(noise, lambdas, proxy), reference_mep(to_real(lambdas), reference_proxy(Family::vp, 2.0))) < 1e-12);
    const auto one = evaluate(noise, std::vector{0.3}, proxy);
    CHECK(one.value == 0.0);
    CHECK(one.gradient == std::vector{0.0});
    CHECK(one.diagonal == std::vector{0.0});
}

TEST_CASE("for p = 1 MEP is 2 sinh(h/2) and nothing else") {
    const std::vector lambdas = {-2.0, -1.5, 0.25, 3.0};
    double expected = 0.0;
    for (std::size_t i = 0; i < 3; ++i) expected += 2.0 * std::sinh(0.5 * (lambdas[i + 1] - lambdas[i]));
    for (const auto& noise : families()) CHECK(relative_error(mep(noise, lambdas, ErrorProxy::power(1.0)), expected) < 1e-13);
}

TEST_CASE("MEP refuses what makes no sense") {
    const auto noise = sd_noise();
    const auto proxy = ErrorProxy::power(2.0);
    std::vector<double> two(2), three(3);
    const std::vector lambdas = {0.0, 1.0};
    CHECK(refuses("lambdas must", [&] { mep(noise, {}, proxy); }));
    for (double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL, 171.0})
        CHECK(refuses("lambdas[1]", [&] { mep(noise, std::vector{0.0, bad}, proxy); }));
    CHECK(refuses("gradient", [&] { mep_gradient(noise, lambdas, proxy, three); }));
    CHECK(refuses("gradient", [&] { mep_gradient(noise, lambdas, proxy, {}); }));
    CHECK(refuses("diagonal", [&] { mep_hessian(noise, lambdas, proxy, two, three, two); }));
    CHECK(refuses("off_diagonal", [&] { mep_hessian(noise, lambdas, proxy, two, two, two); }));
}

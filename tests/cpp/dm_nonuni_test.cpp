#include <hso/objective.hpp>

#include <doctest/doctest.h>

#include "reference.hpp"
#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

/// Integral of f over [a, b] by Simpson's rule.
Real integral(const RealFunction& f, Real a, Real b) {
    constexpr int pieces = 2000;
    const Real h = (b - a) / pieces;
    Real sum = f(a) + f(b);
    for (int i = 1; i < pieces; ++i) sum += (i % 2 ? 4 : 2) * f(a + i * h);
    return sum * h / 3;
}

/// The bound as Xue et al. print it: every weight is the integral of e^lambda times a Lagrange polynomial.
Real reference_bound(std::span<const double> lambdas, const RealFunction& proxy) {
    const std::size_t n = lambdas.size() - 1;
    std::vector<Real> sums(n);
    Real total = 0.0L;
    for (std::size_t s = 0; s < n; ++s) {
        const std::size_t order = std::min({s + 1, n - s, std::size_t{3}});
        std::vector<Real> terms;
        for (std::size_t j = 0; j < order; ++j) {
            const auto basis = [&](Real x) {
                Real product = std::exp(x);
                for (std::size_t k = 0; k < order; ++k)
                    if (k != j)
                        product *= (x - static_cast<Real>(lambdas[s - k])) /
                                   (static_cast<Real>(lambdas[s - j]) - static_cast<Real>(lambdas[s - k]));
                return product;
            };
            terms.push_back(proxy(lambdas[s - j]) * integral(basis, lambdas[s], lambdas[s + 1]));
        }
        if (order == 1) {
            total += std::abs(terms[0]);
        } else if (n <= 7 && s < 3) {
            Real squares = 0.0L;
            for (Real term : terms) squares += term * term;
            total += std::sqrt(squares);
        } else {
            for (std::size_t j = 0; j < order; ++j) sums[s - j] += terms[j];
        }
    }
    for (Real sum : sums) total += std::abs(sum);
    return total;
}

}  // namespace

TEST_CASE("DM-NonUni agrees with the NumPy oracle, value and gradient") {
    int count = 0;
    for (std::string_view name : kGoldenTables) {
        const auto noise = golden_noise(name);
        for (const auto& entry : oracle()["tables"][std::string(name)]["dm_nonuni"]) {
            const auto lambdas = entry["lam"].get<std::vector<double>>();
            const auto expected = entry["gradient"].get<std::vector<double>>();
            CAPTURE(name);
            CAPTURE(lambdas.size());
            std::vector<double> gradient(lambdas.size());
            const double value = dm_nonuni_gradient(noise, lambdas, ErrorProxy::power(2.0), gradient);
            CHECK(relative_error(value, entry["value"].get<double>()) < 1e-10);
            CHECK(relative_error(gradient, expected) < 1e-10);
            CHECK(dm_nonuni(noise, lambdas) == value);
            ++count;
        }
    }
    CHECK(count >= 100);
}

TEST_CASE("DM-NonUni agrees with quadrature of its weights, every family and proxy") {
    Random random(41);
    const auto nodes = random_increasing(random, 6, -5.0, 5.0);
    const std::vector value = {5.0, 2.0, 3.0, 0.7, 0.9, 0.1};
    std::vector<Real> log_value;
    for (double v : value) log_value.push_back(std::log(static_cast<Real>(v)));
    const ReferenceCubic cubic(to_real(nodes), log_value);
    for (const auto& noise : {sd_noise(), NoiseSchedule::flow(), NoiseSchedule::edm()})
        for (std::size_t intervals : {1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 100}) {
            CAPTURE(intervals);
            // differences of weights cancel: many close nodes cost digits
            const double limit = intervals > 20 ? 1e-8 : 1e-10;
            const auto lambdas = random_increasing(random, intervals + 1, -4.0, 4.0);
            for (double p : {0.0, 1.0, 2.0, 3.0})
                CHECK(relative_error(dm_nonuni(noise, lambdas, ErrorProxy::power(p)),
                                     reference_bound(lambdas, reference_proxy(noise.family(), p))) < limit);
            CHECK(relative_error(dm_nonuni(noise, lambdas, ErrorProxy::table(nodes, value)),
                                 reference_bound(lambdas, [&](Real l) { return std::exp(cubic(l)); })) < limit);
        }
}

TEST_CASE("DM-NonUni's gradient agrees with differences away from kinks") {
    Random random(42);
    const auto proxy = ErrorProxy::power(2.0);
    int checked = 0, kinks = 0;
    for (const auto& noise : {sd_noise(), NoiseSchedule::flow(), NoiseSchedule::edm()})
        for (int repeat = 0; repeat < 40; ++repeat) {
            auto lambdas = random_increasing(random, 2 + random.below(20), -3.0, 3.0);
            std::vector<double> gradient(lambdas.size());
            const double value = dm_nonuni_gradient(noise, lambdas, proxy, gradient);
            double scale = 0.0;
            for (double g : gradient) scale = std::max(scale, std::abs(g));
            for (std::size_t i = 0; i < lambdas.size(); ++i) {
                const double at = lambdas[i], step = 1e-5;
                lambdas[i] = at + step;
                const double above = dm_nonuni(noise, lambdas, proxy);
                lambdas[i] = at - step;
                const double below = dm_nonuni(noise, lambdas, proxy);
                lambdas[i] = at;
                const double right = (above - value) / step, left = (value - below) / step;
                if (std::abs(right - left) > 1e-2 * scale) {
                    ++kinks;
                    continue;
                }
                ++checked;
                REQUIRE(std::abs(0.5 * (left + right) - gradient[i]) < 1e-6 * scale);
            }
        }
    CHECK(checked > 20 * kinks);
    CHECK(checked > 500);
}

TEST_CASE("DM-NonUni of one node is nothing and nonsense is refused by name") {
    const auto noise = sd_noise();
    const auto proxy = ErrorProxy::power(2.0);
    std::vector gradient = {7.0};
    CHECK(dm_nonuni_gradient(noise, std::vector{0.5}, proxy, gradient) == 0.0);
    CHECK(gradient[0] == 0.0);
    CHECK(refuses("lambdas must", [&] { dm_nonuni(noise, {}, proxy); }));
    CHECK(refuses("lambdas[1]", [&] { dm_nonuni(noise, std::vector{0.0, 0.0}, proxy); }));
    CHECK(refuses("lambdas[1]", [&] { dm_nonuni(noise, std::vector{0.0, -1.0}, proxy); }));
    CHECK(refuses("lambdas[1]", [&] { dm_nonuni(noise, std::vector{0.0, std::nan("")}, proxy); }));
    CHECK(refuses("gradient", [&] { dm_nonuni_gradient(noise, std::vector{0.0, 1.0}, proxy, gradient); }));
}

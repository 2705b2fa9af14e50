#include "slsqp.hpp"

#include <stdexcept>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace hso::detail;
using namespace hso::test;

namespace {

/// |x - c|^2 / 2.
struct Distance {
    std::vector<double> c;
    double operator()(std::span<const double> x, std::span<double> gradient) const {
        double sum = 0.0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            sum += 0.5 * (x[i] - c[i]) * (x[i] - c[i]);
            if (!gradient.empty()) gradient[i] = x[i] - c[i];
        }
        return sum;
    }
};

}  // namespace

TEST_CASE("SLSQP projects onto a half space as the closed form does") {
    Random random(51);
    for (int repeat = 0; repeat < 100; ++repeat) {
        const std::size_t n = 1 + random.below(10);
        Distance f{std::vector<double>(n)};
        std::vector<double> a(n), x(n, 0.0);  // 0 is feasible
        double square = 0.0, product = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            f.c[i] = random.uniform(-3.0, 3.0);
            a[i] = random.uniform(-1.0, 1.0);
            square += a[i] * a[i];
            product += a[i] * f.c[i];
        }
        const std::vector bound = {random.uniform(0.0, 0.5)};
        const double step = std::max(0.0, product - bound[0]) / square;
        const auto result = minimize_slsqp(x, f, {a, bound}, {.tolerance = 1e-15, .max_evaluations = 200});
        double at = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            REQUIRE(std::abs(x[i] - (f.c[i] - step * a[i])) < 1e-6);
            at += a[i] * x[i];
        }
        REQUIRE(at <= bound[0] + 1e-10);
        REQUIRE(relative_error(result.value, 0.5L * step * step * square) < 1e-6);
        REQUIRE(result.evaluations <= 200);
    }
}

TEST_CASE("SLSQP keeps neighbours apart: the projection onto ordered vectors") {
    // the nearest falling sequence with gaps >= d pools neighbours (isotonic regression): 3, 5, 1 -> 4+d/2, 4-d/2, 1
    const double d = 0.5;
    const std::vector matrix = {-1.0, 1.0, 0.0, 0.0, -1.0, 1.0}, bound = {-d, -d};
    std::vector x = {9.0, 5.0, 0.0};
    minimize_slsqp(x, Distance{{3.0, 5.0, 1.0}}, {matrix, bound}, {.tolerance = 1e-15, .max_evaluations = 200});
    CHECK(x[0] == doctest::Approx(4.25).epsilon(1e-8));
    CHECK(x[1] == doctest::Approx(3.75).epsilon(1e-8));
    CHECK(x[2] == doctest::Approx(1.0).epsilon(1e-8));
}

TEST_CASE("SLSQP without constraints finds Rosenbrock's minimum") {
    std::vector x = {-1.2, 1.0};
    const auto f = [](std::span<const double> v, std::span<double> g) {
        const double a = v[1] - v[0] * v[0], b = 1.0 - v[0];
        if (!g.empty()) {
            g[0] = -400.0 * a * v[0] - 2.0 * b;
            g[1] = 200.0 * a;
        }
        return 100.0 * a * a + b * b;
    };
    const auto result = minimize_slsqp(x, f, {}, {.tolerance = 1e-14, .max_evaluations = 500});
    CHECK(result.value < 1e-10);
    CHECK(std::abs(x[0] - 1.0) < 1e-5);
    CHECK(std::abs(x[1] - 1.0) < 1e-5);
}

TEST_CASE("SLSQP stops at its budget") {
    std::vector x = {-1.2, 1.0};
    int calls = 0;
    const auto f = [&](std::span<const double> v, std::span<double> g) {
        ++calls;
        if (!g.empty()) g[0] = 4.0 * v[0] * v[0] * v[0], g[1] = 4.0 * v[1] * v[1] * v[1];
        return std::pow(v[0], 4) + std::pow(v[1], 4);
    };
    const auto result = minimize_slsqp(x, f, {}, {.tolerance = 0.0, .max_evaluations = 7});
    CHECK(result.evaluations == calls);
    CHECK(calls <= 7);
}

TEST_CASE("SLSQP stops at a value or gradient that is no number, with the best point so far") {
    const double nan = std::nan("");
    for (int bad_call : {1, 2, 3})
        for (bool bad_value : {true, false}) {
            CAPTURE(bad_call);
            CAPTURE(bad_value);
            std::vector x = {5.0, -4.0};
            int calls = 0;
            const auto f = [&](std::span<const double> v, std::span<double> g) {
                ++calls;
                const double value = Distance{{1.0, 2.0}}(v, g);
                if (calls < bad_call) return value;
                if (!bad_value && !g.empty()) g[1] = nan;
                return bad_value || g.empty() ? nan : value;
            };
            const auto result = minimize_slsqp(x, f, {}, {.tolerance = 1e-15, .max_evaluations = 100});
            CHECK(calls <= bad_call + 1);
            CHECK(result.evaluations == calls);
            CHECK(std::isfinite(x[0]));
            CHECK(std::isfinite(x[1]));
        }
}

TEST_CASE("an exception crosses NLopt") {
    for (int bad_call : {1, 3}) {
        std::vector x = {5.0, -4.0};
        int calls = 0;
        const auto f = [&](std::span<const double> v, std::span<double> g) -> double {
            if (++calls == bad_call) throw std::domain_error("from f");
            if (!g.empty()) g[0] = std::cos(v[0]), g[1] = std::cos(v[1]);
            return std::sin(v[0]) + std::sin(v[1]);
        };
        CHECK_THROWS_WITH_AS(minimize_slsqp(x, f, {}, {}), "from f", std::domain_error);
        CHECK(calls == bad_call);
    }
    std::vector x = {0.5};
    const std::vector low = {0.0}, high = {1.0};
    const auto f = [](std::span<const double>) -> double { throw std::domain_error("from f"); };
    CHECK_THROWS_WITH_AS(minimize_subplex(x, low, high, f, {}), "from f", std::domain_error);
}

TEST_CASE("subplex minimizes within its box, kinks included") {
    std::vector x = {0.9, 0.1, 0.25};
    const std::vector low = {0.0, 0.0, 0.25}, high = {1.0, 1.0, 0.25};  // the last does not move
    const auto f = [&](std::span<const double> v) {
        for (std::size_t i = 0; i < 3; ++i) {
            REQUIRE(v[i] >= low[i]);
            REQUIRE(v[i] <= high[i]);
        }
        return std::abs(v[0] - 0.4) + 2.0 * std::abs(v[1] - 1.5) + v[2];
    };
    const auto result = minimize_subplex(x, low, high, f, {.tolerance = 1e-12, .max_evaluations = 2000});
    CHECK(x[0] == doctest::Approx(0.4).epsilon(1e-6));
    CHECK(x[1] == doctest::Approx(1.0).epsilon(1e-6));
    CHECK(x[2] == 0.25);
    CHECK(result.value == doctest::Approx(1.25).epsilon(1e-6));
}

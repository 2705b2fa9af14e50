#include "monotone_cubic.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "reference.hpp"
#include "support.hpp"

using hso::detail::Checkpoint;
using hso::detail::MonotoneCubic;
using namespace hso::test;

TEST_CASE("monotone cubic agrees with SciPy's PchipInterpolator") {
    Checkpoint unasked;
    const MonotoneCubic cubic(std::vector{-2.0, -1.3, -0.2, 0.1, 1.7, 2.0}, std::vector{3.0, 2.5, 2.5, 0.75, -1.25, 0.5},
                              unasked);
    constexpr double scipy[][4] = {
        {-1.75, 2.7517310495626823, -0.9384110787172012, 0.8827340459993522},
        {-1.0, 2.5, 0.0, 0.0},
        {-0.1, 2.099968612680477, -6.972693032015064, -38.888888888888886},
        {0.05, 0.9634926239799122, -5.867467043314505, 53.62523540489636},
        {0.6, -0.28465969279661013, -1.7151085805084747, 1.449947033898305},
        {1.5, -1.216896186440678, -0.3297139830508477, 1.6287076271186443},
        {1.85, -0.6356907894736834, 7.012061403508774, 23.17251461988301},
    };
    for (const auto& [x, value, d1, d2] : scipy) {
        CAPTURE(x);
        const auto point = cubic(x);
        CHECK(relative_error(point.value, value) < 1e-13);
        CHECK(relative_error(point.d1, d1) < 1e-13);
        CHECK(relative_error(point.d2, d2) < 1e-13);
    }
    const auto below = cubic(-2.0), above = cubic(2.0);
    CHECK(relative_error(below.d1, -0.9920634920634921) < 1e-13);
    CHECK(relative_error(above.d1, 6.9517543859649145) < 1e-13);
    // continued with the end slopes
    CHECK(relative_error(cubic(-12.0).value, 3.0 + 10.0 * 0.9920634920634921) < 1e-13);
    CHECK(relative_error(cubic(12.0).value, 0.5 + 10.0 * 6.9517543859649145) < 1e-13);
    CHECK(cubic(12.0).d2 == 0.0);
}

TEST_CASE("monotone cubic keeps monotone data monotone, passes through them and is smooth") {
    Random random(2);
    for (std::size_t n : {2, 3, 4, 17, 200}) {
        CAPTURE(n);
        const auto x = random_increasing(random, n, -5.0, 5.0);
        std::vector<double> y(n);
        for (std::size_t i = 1; i < n; ++i) y[i] = y[i - 1] + (random.below(3) ? std::exp(random.uniform(-9.0, 3.0)) : 0.0);
        Checkpoint unasked;
        const MonotoneCubic cubic(x, y, unasked);
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(std::abs(cubic(x[i]).value - y[i]) <= 1e-13 * (1.0 + y[i]));
            const double at = x[i], before = std::nextafter(at, -9.0), after = std::nextafter(at, 9.0);
            CHECK(std::abs(cubic(before).d1 - cubic(after).d1) <= 1e-8 * (1.0 + std::abs(cubic(at).d1)));
        }
        double previous = cubic(-5.0).value;
        for (int i = 1; i <= 5000; ++i) {
            const double value = cubic(-5.0 + 10.0 * i / 5000.0).value;
            REQUIRE(value >= previous - 1e-13 * (1.0 + y.back()));
            previous = value;
        }
        const ReferenceCubic reference(to_real(x), to_real(y));
        for (int i = 0; i < 200; ++i) {
            const double at = random.uniform(-6.0, 6.0);
            REQUIRE(std::abs(cubic(at).value - static_cast<double>(reference(at))) <= 1e-13 * (1.0 + y.back()));
        }
    }
}

TEST_CASE("monotone cubic: bounds of the derivatives over an interval") {
    Random random(6);
    for (std::size_t n : {2, 3, 10, 40})
        for (int repeat = 0; repeat < 100; ++repeat) {
            CAPTURE(n);
            CAPTURE(repeat);
            const auto x = random_increasing(random, n, -1.0, 1.0);
            std::vector<double> y(n);
            for (double& value : y) value = random.uniform(-1.0, 1.0);
            Checkpoint unasked;
            const MonotoneCubic cubic(x, y, unasked);
            // from node to node now and then, and beyond the ends
            const double low = random.below(4) ? random.uniform(-1.3, 1.2) : x[random.below(n - 1)];
            const double high = low + (random.below(2) ? 0.5 : 0.01) * random.uniform();
            const auto [d1, d2] = cubic.range(low, high);
            constexpr int samples = 2000;
            double least1 = HUGE_VAL, most1 = -HUGE_VAL, least2 = HUGE_VAL, most2 = -HUGE_VAL, reach = 0.0;
            const auto sample = [&](double at) {
                const auto point = cubic(at);
                least1 = std::min(least1, point.d1);
                most1 = std::max(most1, point.d1);
                least2 = std::min(least2, point.d2);
                most2 = std::max(most2, point.d2);
            };
            for (int i = 0; i <= samples; ++i) sample(std::min(high, low + (high - low) * i / samples));
            for (double node : x) {
                if (!(node > low && node < high)) continue;
                sample(std::nextafter(node, -9.0));
                sample(std::nextafter(node, 9.0));
            }
            reach = std::abs(most2) + std::abs(least2) + 1.0;
            REQUIRE(d1.low <= least1 + 1e-12 * reach);
            REQUIRE(d1.high >= most1 - 1e-12 * reach);
            REQUIRE(d2.low <= least2 + 1e-12 * reach);
            REQUIRE(d2.high >= most2 - 1e-12 * reach);
            // and no wider than the samples show: they miss an extremum by one step at most
            const double step = (high - low) / samples;
            REQUIRE(d1.low >= least1 - reach * step - 1e-12 * reach);
            REQUIRE(d1.high <= most1 + reach * step + 1e-12 * reach);
        }
}

TEST_CASE("NaN gives NaN") {  // it read beyond the table
    const std::vector<double> x = {0.0, 1.0, 3.0}, y = {1.0, 2.0, 2.5};
    Checkpoint unasked;
    CHECK(std::isnan(MonotoneCubic(x, y, unasked)(std::numeric_limits<double>::quiet_NaN()).value));
}

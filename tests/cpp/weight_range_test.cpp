#include "weight_range.hpp"

#include <hso/schedule.hpp>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace hso;
using namespace hso::detail;
using namespace hso::test;

namespace {

constexpr double kPowers[] = {0.0, 0.5, 1.0, 2.0, 2.5, 3.0, 4.0};
constexpr double kSteps[] = {1e-4, 1e-3, 0.01, 0.1, 0.5};

const NoiseSchedule& general() {
    static const auto noise = NoiseSchedule::from_table(
        std::vector{0.1, 0.3, 0.4, 0.7, 1.0}, std::vector{0.99, 0.9, 0.8, 0.5, 0.2}, std::vector{0.05, 0.6, 0.7, 1.5, 3.0});
    return noise;
}

const std::vector<NoiseSchedule>& families() {
    static const std::vector<NoiseSchedule> all = {sd_noise(), NoiseSchedule::flow(), NoiseSchedule::edm(), general()};
    return all;
}

ErrorProxy table_proxy(Random& random) {
    const auto nodes = random_increasing(random, 12, -4.0, 4.0);
    std::vector<double> value;
    for (std::size_t i = 0; i < nodes.size(); ++i) value.push_back(std::exp(random.uniform(-3.0, 3.0)));
    return ErrorProxy::table(nodes, value);
}

struct Neighbourhood {
    double lambda;
    ErrorProxy::Weight weight;
    WeightRange range;
};

std::vector<Neighbourhood> neighbourhoods(const NoiseSchedule& noise, const ErrorProxy& proxy, double first, double step,
                                          std::size_t count) {
    std::vector<Neighbourhood> all;
    weight_ranges(noise, proxy, first, step, count,
                  [&](std::size_t j, const ErrorProxy::Weight& weight, const WeightRange& range) {
                      REQUIRE(j == all.size());
                      all.push_back({first + step * static_cast<double>(j), weight, range});
                  });
    REQUIRE(all.size() == count);
    return all;
}

/// Whether `value` lies in `range` but for rounding of numbers as large as `scale`.
bool holds(const Range& range, double value, double scale) {
    return value >= range.low - 1e-11 * scale && value <= range.high + 1e-11 * scale;
}

double width(const Range& range) { return range.high - range.low; }

void check_sampled(Random& random, const NoiseSchedule& noise, const ErrorProxy& proxy) {
    for (double step : kSteps) {
        CAPTURE(step);
        for (const auto& [lambda, weight, range] : neighbourhoods(noise, proxy, random.uniform(-5.0, 3.0), step, 20)) {
            CAPTURE(lambda);
            const auto expected = proxy.weight(noise, lambda);
            REQUIRE(relative_error(weight.g, expected.g) < 1e-12);
            REQUIRE(std::abs(weight.d1 - expected.d1) <= 1e-11 * expected.g + 1e-12 * std::abs(expected.d1));
            REQUIRE(std::abs(weight.d2 - expected.d2) <= 1e-11 * expected.g + 1e-11 * std::abs(expected.d2));
            for (int k = 0; k < 24; ++k) {
                const double share = k == 0 ? -1.0 : k == 1 ? 1.0 : random.uniform(-1.0, 1.0);
                const auto sample = proxy.weight(noise, lambda + share * step);
                const double scale = sample.g + std::abs(sample.d1) + std::abs(sample.d2);
                REQUIRE(holds(range.g, sample.g, scale));
                REQUIRE(holds(range.d1, sample.d1, scale));
                REQUIRE(holds(range.d2, sample.d2, scale));
            }
        }
    }
}

}  // namespace

TEST_CASE("ranges of the weight hold its samples, powers of sigma") {
    Random random(101);
    for (const auto& noise : families())
        for (double p : kPowers) {
            CAPTURE(to_string(noise.family()));
            CAPTURE(p);
            check_sampled(random, noise, ErrorProxy::power(p));
        }
}

TEST_CASE("ranges of the weight hold its samples, tables") {
    Random random(102);
    for (int repeat = 0; repeat < 20; ++repeat)
        for (const auto& noise : families()) check_sampled(random, noise, table_proxy(random));
}

TEST_CASE("the range of G'' holds both sides of a table's nodes") {
    const std::vector nodes = {-2.0, -1.0, 0.5, 1.0, 2.0}, value = {1.0, 3.0, 2.0, 8.0, 9.0};
    const auto proxy = ErrorProxy::table(nodes, value);
    const auto noise = sd_noise();
    int jumps = 0;
    for (const auto& [lambda, weight, range] : neighbourhoods(noise, proxy, -2.5, 0.25, 21))
        for (double node : nodes) {
            if (!(std::abs(node - lambda) < 0.25)) continue;
            const double left = proxy.weight(noise, std::nextafter(node, -9.0)).d2;
            const double right = proxy.weight(noise, std::nextafter(node, 9.0)).d2;
            jumps += std::abs(left - right) > 0.1;
            CHECK(holds(range.d2, left, 1.0));
            CHECK(holds(range.d2, right, 1.0));
        }
    CHECK(jumps > 3);
}

TEST_CASE("ranges of the weight shrink as fast as the step and are not much wider than need be") {
    const auto check = [](const NoiseSchedule& noise, const ErrorProxy& proxy, double lambda) {
        CAPTURE(lambda);
        const auto range = [&](double step) { return neighbourhoods(noise, proxy, lambda, step, 1).front().range; };
        const WeightRange wide = range(1e-3), narrow = range(1e-4);
        const auto weight = proxy.weight(noise, lambda);
        const double rounding = 1e-13 * (weight.g + std::abs(weight.d1) + std::abs(weight.d2));
        CHECK(width(narrow.g) <= 0.102 * width(wide.g) + rounding);
        CHECK(width(narrow.d1) <= 0.102 * width(wide.d1) + rounding);
        CHECK(width(narrow.d2) <= 0.102 * width(wide.d2) + rounding);
        // over 2e-3 the factors log G', log G'' + (log G')^2 and G change by a few times their size at most
        const double size = weight.g * (1.0 + std::pow(std::abs(weight.d1 / weight.g) + 1.0, 3) + std::abs(weight.d2 / weight.g));
        CHECK(width(wide.g) <= 2.1e-3 * std::abs(weight.d1) + 1e-5 * size);
        CHECK(width(wide.d1) <= 4.0 * 2e-3 * size);
        CHECK(width(wide.d2) <= 10.0 * 2e-3 * size);
    };
    for (const auto& noise : families()) {
        if (noise.family() == Family::general) continue;
        for (double p : kPowers) {
            CAPTURE(to_string(noise.family()));
            CAPTURE(p);
            for (double lambda = -5.0; lambda < 5.0; lambda += 0.37) check(noise, ErrorProxy::power(p), lambda);
        }
    }
    // a table is smooth between its nodes
    const auto proxy = ErrorProxy::table(std::vector{-2.0, -1.0, 0.5, 2.0}, std::vector{1.0, 3.0, 2.0, 9.0});
    for (double lambda : {-3.0, -1.7, -1.2, -0.4, 0.1, 0.8, 1.5, 3.0}) check(sd_noise(), proxy, lambda);
}

#include "cell_tables.hpp"

#include <doctest/doctest.h>

#include "support.hpp"

using namespace hso;
using namespace hso::detail;
using namespace hso::test;

namespace {

constexpr double kSteps[] = {1e-3, 0.03, 0.4};
constexpr std::size_t kAt = 3, kCount = 25;  ///< tables are filled in parts

std::vector<Problem> problems() {
    Random random(121);
    std::vector<Problem> all;
    const auto nodes = random_increasing(random, 8, -4.0, 4.0);
    std::vector<double> value;
    for (std::size_t i = 0; i < nodes.size(); ++i) value.push_back(std::exp(random.uniform(-2.0, 2.0)));
    const auto general = NoiseSchedule::from_table(std::vector{0.01, 0.2, 0.4, 0.7, 1.0}, std::vector{0.99, 0.9, 0.8, 0.5, 0.2},
                                                   std::vector{0.01, 0.3, 0.7, 1.5, 3.0});
    for (const auto& noise : {sd_noise(), NoiseSchedule::vp_cosine(), NoiseSchedule::flow(), NoiseSchedule::edm(), general})
        for (const auto& proxy : {ErrorProxy::power(0.5), ErrorProxy::power(3.0), ErrorProxy::table(nodes, value)})
            all.push_back(make_problem(noise, 4, {.proxy = proxy}));
    return all;
}

double share(Random& random, int k) { return k == 0 ? -1.0 : k == 1 ? 1.0 : random.uniform(-1.0, 1.0); }

}  // namespace

TEST_CASE("distances: sinh and cosh, and their range within a step") {
    Random random(122);
    for (double step : kSteps)
        for (std::size_t nearest : {std::size_t{0}, std::size_t{4}}) {
            DistanceTable table;
            table.resize(kAt + kCount);
            const double first = step * static_cast<double>(nearest + kCount - 1);
            table.fill(first, step, kAt, kCount);
            for (std::size_t j = 0; j < kCount; ++j) {
                const double h = step * static_cast<double>(nearest + kCount - 1 - j);
                CAPTURE(h);
                const double sinh = table.sinh[kAt + j], cosh = table.cosh[kAt + j];
                REQUIRE(std::abs(sinh - std::sinh(0.5 * h)) < 1e-13 * cosh);
                REQUIRE(std::abs(cosh - std::cosh(0.5 * h)) < 1e-13 * cosh);
                double sinh_most = 0.0, cosh_most = 0.0;
                for (int k = 0; k < 30; ++k) {
                    const double near = std::max(0.0, h + share(random, k) * step);
                    sinh_most = std::max(sinh_most, std::abs(std::sinh(0.5 * near) - std::sinh(0.5 * h)));
                    cosh_most = std::max(cosh_most, std::abs(std::cosh(0.5 * near) - std::cosh(0.5 * h)));
                }
                REQUIRE(table.sinh_radius[kAt + j] >= sinh_most - 1e-13 * cosh);
                REQUIRE(table.sinh_radius[kAt + j] <= sinh_most + 1e-13 * cosh);
                REQUIRE(table.cosh_radius[kAt + j] >= cosh_most - 1e-13 * cosh);
                REQUIRE(table.cosh_radius[kAt + j] <= cosh_most + 1e-13 * cosh);
            }
        }
}

TEST_CASE("midpoints: the weight, its derivatives and their range within half a step") {
    Random random(123);
    for (const Problem& problem : problems())
        for (double step : kSteps) {
            MidpointTable table;
            table.resize(kAt + kCount);
            const double first = random.uniform(-3.0, 1.0);
            Checkpoint unasked;
            table.fill(problem, first, step, kAt, kCount, unasked);
            for (std::size_t j = 0; j < kCount; ++j) {
                const double lambda = first + 0.5 * step * static_cast<double>(j);
                const std::size_t at = kAt + j;
                const auto weight = problem.proxy.weight(problem.noise, lambda);
                const double scale = 1e-11 * (weight.g + std::abs(weight.d1) + std::abs(weight.d2));
                REQUIRE(std::abs(table.g[at] - weight.g) <= scale);
                REQUIRE(std::abs(table.g1[at] - weight.d1) <= scale);
                REQUIRE(std::abs(table.even[at] - 0.5 * (weight.d2 + weight.g)) <= scale);
                REQUIRE(std::abs(table.odd[at] - 0.5 * (weight.d2 - weight.g)) <= scale);
                for (int k = 0; k < 20; ++k) {
                    const auto near = problem.proxy.weight(problem.noise, lambda + 0.5 * step * share(random, k));
                    REQUIRE(std::abs(near.d1 - weight.d1) <= table.g1_radius[at] + scale);
                    REQUIRE(0.5 * std::abs(near.d2 + near.g - weight.d2 - weight.g) <= table.second_radius[at] + scale);
                    REQUIRE(0.5 * std::abs(near.d2 - near.g - weight.d2 + weight.g) <= table.second_radius[at] + scale);
                }
            }
        }
}

TEST_CASE("cells: t within a cell is straight but for an error of second order") {
    Random random(124);
    for (const Problem& problem : problems()) {
        const auto [least, most] = problem.noise.lambda_range();
        for (double step : kSteps) {
            CellTable table;
            table.resize(kAt + kCount);
            // some cells stick out of the noise schedule's range
            const double whole = step * static_cast<double>(kCount - 1);
            for (double first : {least - 0.3 * step, most - whole + 0.3 * step, random.uniform(-2.0, 0.0)}) {
                Checkpoint unasked;
                table.fill(problem, first, step, kAt, kCount, unasked);
                for (std::size_t j = 0; j < kCount; ++j) {
                    const double c = first + step * static_cast<double>(j);
                    if (c + 0.5 * step <= least || c - 0.5 * step >= most) continue;
                    CAPTURE(c);
                    const auto t = [&](double lambda) { return problem.noise.t(std::clamp(lambda, least, most)); };
                    const std::size_t at = kAt + j;
                    REQUIRE(std::abs(table.edge_t[at] - t(c - 0.5 * step)) < 1e-13);
                    REQUIRE(std::abs(table.far_edge_t[at] - t(c + 0.5 * step)) < 1e-13);
                    for (int k = 0; k < 20; ++k) {
                        const double x = 0.5 * step * share(random, k);
                        if (c + x < least || c + x > most) continue;
                        REQUIRE(std::abs(t(c + x) - table.t[at] - table.t_slope[at] * x) <= table.t_error[at] + 1e-13);
                    }
                    if (problem.noise.family() != Family::general && problem.noise.t_range().first < 1e-4)
                        CHECK(table.t_error[at] <= 4.0 * step * step);
                    const auto weight = problem.proxy.weight(problem.noise, c);
                    REQUIRE(relative_error(table.weight[at], weight.g) < 1e-14);
                    REQUIRE(table.curvature[at] == weight.d1);
                }
            }
        }
    }
}

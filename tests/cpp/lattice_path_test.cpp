#include "lattice_path.hpp"

#include <algorithm>
#include <functional>

#include <hso/objective.hpp>
#include <hso/schedule.hpp>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace hso;
using namespace hso::detail;
using namespace hso::test;

namespace {

const std::vector<NoiseSchedule>& schedules() {
    static const std::vector<NoiseSchedule> all = {sd_noise(), NoiseSchedule::vp_cosine(), NoiseSchedule::flow(),
                                                   NoiseSchedule::edm()};
    return all;
}

/// How much the widths of neighbouring steps differ at most.
double unevenness(const Lattice& lattice) {
    double most = 1.0;
    for (std::size_t k = 0; k + 2 < lattice.size(); ++k) {
        const double ratio = (lattice.t[k] - lattice.t[k + 1]) / (lattice.t[k + 1] - lattice.t[k + 2]);
        most = std::max({most, ratio, 1.0 / ratio});
    }
    return most;
}

/// Half the width that point k stands for: from midway to the point before to midway to the next.
double half_width(const Lattice& lattice, std::size_t k) {
    const std::size_t before = k > 0 ? k - 1 : 0, after = std::min(k + 1, lattice.size() - 1);
    return 0.25 * (lattice.t[before] - lattice.t[after]);
}

/// The cost of an edge, from MEP itself; HUGE_VAL if it breaks the spacing by more than the lattice is coarse.
double edge_cost(const Problem& problem, const Lattice& lattice, std::size_t k, std::size_t l) {
    const double gap = lattice.t[k] - lattice.t[l];
    if (gap < problem.spacing - half_width(lattice, k) - half_width(lattice, l)) return HUGE_VAL;
    const std::vector ends = {problem.noise.lambda(lattice.t[k]), problem.noise.lambda(lattice.t[l])};
    const std::size_t before = k > 0 ? k - 1 : 0, after = std::min(k + 1, lattice.size() - 1);
    // nodes on one point end up a spacing apart
    const double slope = (problem.noise.lambda(lattice.t[after]) - problem.noise.lambda(lattice.t[before])) /
                         (lattice.t[before] - lattice.t[after]);
    const double cost = k == l ? problem.proxy.weight(problem.noise, ends[0]).g * slope * problem.spacing
                               : mep(problem.noise, ends, problem.proxy);
    return cost + (problem.soft ? problem.gamma * std::pow(std::max(0.0, problem.d_min - gap), 2) : 0.0);
}

double path_cost(const Problem& problem, const Lattice& lattice, std::span<const std::size_t> path) {
    const auto outside = [&](std::size_t k, const std::pair<double, double>& range) {
        const double slack = 2.0 * half_width(lattice, k);
        return lattice.t[k] > range.second + slack || lattice.t[k] < range.first - slack;
    };
    if (outside(path.front(), problem.t_max) || outside(path.back(), problem.t_min)) return HUGE_VAL;
    double sum = 0.0;
    for (std::size_t i = 0; i + 1 < path.size(); ++i) sum += edge_cost(problem, lattice, path[i], path[i + 1]);
    return sum;
}

/// The least cost of all paths of `nodes` points in order.
double least_cost(const Problem& problem, const Lattice& lattice, std::size_t nodes) {
    double least = HUGE_VAL;
    std::vector<std::size_t> path;
    const std::function<void(std::size_t)> extend = [&](std::size_t from) {
        if (path.size() == nodes) {
            least = std::min(least, path_cost(problem, lattice, path));
            return;
        }
        for (std::size_t k = from; k < lattice.size(); ++k) {
            path.push_back(k);
            extend(k);
            path.pop_back();
        }
    };
    extend(0);
    return least;
}

std::vector<std::size_t> points_of(const Lattice& lattice, std::span<const double> t) {
    std::vector<std::size_t> path;
    const auto first = lattice.t.begin();
    for (double at : t) path.push_back(static_cast<std::size_t>(std::find(first, lattice.t.end(), at) - first));
    return path;
}

void check_path(const NoiseSchedule& noise, int intervals, std::size_t points, Options options) {
    options.terminal = Terminal::t_min;
    const Problem problem = make_problem(noise, intervals, options);
    const Lattice lattice(problem, points);
    REQUIRE(unevenness(lattice) < 4.0);
    std::vector<double> t(problem.nodes());
    Checkpoint unasked;
    LatticePath().find(problem, lattice, t, unasked);
    const auto path = points_of(lattice, t);
    REQUIRE(std::is_sorted(path.begin(), path.end()));
    REQUIRE(path.back() < points);
    const double expected = least_cost(problem, lattice, problem.nodes());
    REQUIRE(std::isfinite(expected));
    CHECK(relative_error(path_cost(problem, lattice, path), expected) < 1e-11);
}

}  // namespace

TEST_CASE("a lattice is uniform in lambda over the range of the nodes") {
    for (const auto& noise : schedules()) {
        const auto problem = make_problem(noise, 5, {.t_min = std::pair(0.02, 0.1), .t_max = std::pair(0.8, 0.95)});
        const Lattice lattice(problem, 40);
        REQUIRE(lattice.size() == 40);
        CHECK(std::abs(lattice.t.front() - 0.95) < 1e-12);
        CHECK(std::abs(lattice.t.back() - 0.02) < 1e-12);
        const double step = (noise.lambda(0.02) - noise.lambda(0.95)) / 39.0;
        for (std::size_t k = 0; k < 40; ++k) {
            const double lambda = noise.lambda(lattice.t[k]);
            CHECK(std::abs(lambda - noise.lambda(0.95) - step * static_cast<double>(k)) < 1e-10);
            CHECK(relative_error(lattice.weight[2 * k], problem.proxy.weight(noise, lambda).g) < 1e-10);
            const double after = problem.proxy.weight(noise, std::min(lambda + 0.5 * step, noise.lambda(0.02))).g;
            if (k + 1 < 40) CHECK(relative_error(lattice.weight[2 * k + 1], after) < 1e-10);
            CHECK(std::abs(lattice.twice_sinh[k] - 2.0 * std::sinh(0.5 * step * static_cast<double>(k))) < 1e-12 * std::exp(4.0));
        }
    }
}

TEST_CASE("the shortest path is the best of all paths") {
    Random random(111);
    for (const auto& noise : schedules())
        for (int intervals : {1, 2, 3, 4})
            for (double spacing : {0.0, 0.02, 0.5 / intervals, 0.8 / intervals})
                for (double p : {0.5, 2.0, 3.0}) {
                    const std::string name(to_string(noise.family()));
                    CAPTURE(name);
                    CAPTURE(intervals);
                    CAPTURE(spacing);
                    CAPTURE(p);
                    Options options{.proxy = ErrorProxy::power(p), .d_min = spacing};
                    options.t_min = {0.04, 0.15};
                    options.t_max = {0.85, 0.95};
                    const std::size_t points = intervals < 4 ? 9 + random.below(8) : 12;
                    check_path(noise, intervals, points, options);
                    options.gamma = std::exp(random.uniform(0.0, 12.0));
                    check_path(noise, intervals, points, options);
                }
}

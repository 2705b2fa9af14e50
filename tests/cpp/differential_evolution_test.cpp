#include "differential_evolution.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <set>
#include <stdexcept>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace hso;
using namespace hso::detail;
using namespace hso::test;

namespace {

using Bounds = std::vector<std::pair<double, double>>;
using Point = std::vector<double>;

EvolutionResult evolve(const Bounds& bounds, const EvolutionOptions& options, FunctionRef<double(std::span<const double>)> f,
                       std::uint64_t seed = 0, int threads = 1) {
    ThreadTeam team(threads);
    Checkpoint unasked;
    return DifferentialEvolution().minimize(
        bounds, options, seed, team, [&](std::size_t, std::span<const double> x) { return f(x); }, unasked);
}

/// Everything that a search asks about, in order: first the population, then one generation of trials after the other.
std::vector<Point> asked(const Bounds& bounds, const EvolutionOptions& options, FunctionRef<double(std::span<const double>)> f,
                         std::uint64_t seed) {
    std::vector<Point> points;
    evolve(
        bounds, options,
        [&](std::span<const double> x) {
            points.emplace_back(x.begin(), x.end());
            return f(x);
        },
        seed);
    return points;
}

constexpr auto sphere = [](std::span<const double> x) {
    double sum = 0.0;
    for (double v : x) sum += (v - 0.3) * (v - 0.3);
    return sum;
};

constexpr auto rosenbrock = [](std::span<const double> x) {
    double sum = 0.0;
    for (std::size_t i = 0; i + 1 < x.size(); ++i)
        sum += 100.0 * (x[i + 1] - x[i] * x[i]) * (x[i + 1] - x[i] * x[i]) + (1.0 - x[i]) * (1.0 - x[i]);
    return sum;
};

const Bounds kUnitCube(3, {0.0, 1.0});

}  // namespace

TEST_CASE("the first population is a Latin hypercube") {
    const EvolutionOptions options{.max_generations = 0};
    for (std::uint64_t seed : {0, 1, 99}) {
        const auto population = asked(kUnitCube, options, sphere, seed);
        REQUIRE(population.size() == 60);
        for (std::size_t k = 0; k < 3; ++k) {
            std::set<int> slices;
            for (const auto& x : population) slices.insert(static_cast<int>(x[k] * 60.0));
            CHECK(slices.size() == 60);
            CHECK(*slices.begin() == 0);
            CHECK(*slices.rbegin() == 59);
        }
    }
}

TEST_CASE("without crossover a trial takes exactly one gene from its mutant") {
    const EvolutionOptions options{.max_generations = 1, .tolerance = 0.0, .crossover = 0.0};
    const auto points = asked(kUnitCube, options, sphere, 5);
    REQUIRE(points.size() == 120);
    std::array<int, 3> chosen = {};
    for (std::size_t i = 0; i < 60; ++i) {
        int changed = 0;
        for (std::size_t k = 0; k < 3; ++k)
            if (points[60 + i][k] != points[i][k]) {
                ++changed;
                ++chosen[k];
            }
        CHECK(changed == 1);
    }
    for (int n : chosen) CHECK(n > 5);
}

TEST_CASE("with full crossover a trial is best + F (r0 - r1) of two others, drawn anew beyond the box") {
    constexpr double f = 0.8;
    const EvolutionOptions options{
        .max_generations = 1, .tolerance = 0.0, .mutation_low = f, .mutation_high = f, .crossover = 1.0};
    for (std::uint64_t seed : {0, 1, 2}) {
        const auto points = asked(kUnitCube, options, sphere, seed);
        REQUIRE(points.size() == 120);
        const auto best = *std::min_element(points.begin(), points.begin() + 60,
                                            [](const Point& a, const Point& b) { return sphere(a) < sphere(b); });
        for (std::size_t i = 0; i < 60; ++i) {
            const Point& trial = points[60 + i];
            int pairs = 0;
            for (std::size_t r0 = 0; r0 < 60; ++r0)
                for (std::size_t r1 = 0; r1 < 60; ++r1) {
                    int inside = 0;
                    bool fits = true;
                    for (std::size_t k = 0; k < 3; ++k) {
                        const double mutant = best[k] + f * (points[r0][k] - points[r1][k]);
                        if (mutant < 0.0 || mutant > 1.0) continue;
                        ++inside;
                        fits = fits && std::abs(mutant - trial[k]) < 1e-14;
                    }
                    if (!fits || inside < 2) continue;
                    ++pairs;
                    CHECK(r0 != r1);
                    CHECK(r0 != i);
                    CHECK(r1 != i);
                }
            // mutants with two coordinates beyond the box cannot be told apart
            CHECK(pairs <= 1);
        }
    }
}

TEST_CASE("every point lies in the box, flat sides included") {
    const Bounds bounds = {{-3.0, -1.0}, {1e6, 2e6}, {0.25, 0.25}, {0.1, 0.1 + 1e-9}};
    const EvolutionOptions options{.population_factor = 5, .max_generations = 30, .tolerance = 0.0};
    const auto result = evolve(bounds, options, [&](std::span<const double> x) {
        for (std::size_t k = 0; k < x.size(); ++k) {
            REQUIRE(x[k] >= bounds[k].first);
            REQUIRE(x[k] <= bounds[k].second);
        }
        return std::abs(x[0] + 1.0) + 2e6 - x[1];  // minimum on a corner
    });
    CHECK(result.best[2] == 0.25);
    CHECK(result.value < 1e3);
}

TEST_CASE("the minimum is found and reported") {
    EvolutionOptions options{.max_generations = 400, .tolerance = 0.0};
    const auto ball = evolve(Bounds(3, {-1.0, 2.0}), options, sphere);
    CHECK(ball.value < 1e-20);
    CHECK(ball.value == sphere(ball.best));
    for (double x : ball.best) CHECK(x == doctest::Approx(0.3).epsilon(1e-8));
    const auto valley = evolve(Bounds(3, {-2.0, 2.0}), options, rosenbrock);
    CHECK(valley.value < 1e-12);
    for (double x : valley.best) CHECK(x == doctest::Approx(1.0).epsilon(1e-5));
}

TEST_CASE("the search ends when the population agrees") {
    const auto flat = evolve(kUnitCube, {}, [](std::span<const double>) { return 4.0; });
    CHECK(flat.converged);
    CHECK(flat.generations == 0);
    CHECK(flat.value == 4.0);
    const auto raised = [](std::span<const double> x) { return 1.0 + sphere(x); };
    const auto hill = evolve(kUnitCube, {}, raised);
    CHECK(hill.converged);
    CHECK(hill.generations > 0);
    CHECK(hill.generations < 60);
    const auto tighter = evolve(kUnitCube, {.tolerance = 1e-6}, raised);
    CHECK(tighter.generations > hill.generations);
    CHECK(tighter.value <= hill.value);
}

TEST_CASE("infinite regions are walked around") {
    const double inf = HUGE_VAL;
    const auto result = evolve(Bounds(3, {-1.0, 1.0}), {.max_generations = 300, .tolerance = 0.0},
                               [&](std::span<const double> x) { return x[0] + x[1] < 0.4 ? inf : sphere(x); });
    CHECK(result.value < 1e-15);
    // half space that excludes the free minimum: the nearest point of the plane x0 + x1 = 1
    const auto edge = evolve(Bounds(3, {-1.0, 1.0}), {.max_generations = 400, .tolerance = 0.0},
                             [&](std::span<const double> x) { return x[0] + x[1] < 1.0 ? inf : sphere(x); });
    CHECK(edge.value == doctest::Approx(0.08).epsilon(1e-6));
    const auto nowhere = evolve(kUnitCube, {.max_generations = 3}, [&](std::span<const double>) { return inf; });
    CHECK(nowhere.value == inf);
    CHECK(nowhere.generations == 3);
    CHECK_FALSE(nowhere.converged);
    REQUIRE(nowhere.best.size() == 3);
}

TEST_CASE("the result is a function of the seed, not of the threads") {
    std::set<double> values;
    for (std::uint64_t seed : {0, 1, 2, 3}) {
        const EvolutionOptions options{.population_factor = 6, .max_generations = 20, .tolerance = 0.0};
        const auto one = evolve(Bounds(3, {-2.0, 2.0}), options, rosenbrock, seed, 1);
        for (int threads : {1, 2, 7}) {
            const auto many = evolve(Bounds(3, {-2.0, 2.0}), options, rosenbrock, seed, threads);
            CHECK(many.best == one.best);
            CHECK(many.value == one.value);
            CHECK(many.generations == one.generations);
        }
        values.insert(one.value);
    }
    CHECK(values.size() == 4);
}

TEST_CASE("the smallest populations work") {
    // at least four individuals: i, best, and two donors
    std::size_t calls = 0;
    const auto result = evolve({{0.0, 1.0}}, {.population_factor = 1, .max_generations = 50, .tolerance = 0.0},
                               [&](std::span<const double> x) { return ++calls, sphere(x); });
    CHECK(calls == 4 * static_cast<std::size_t>(result.generations + 1));
    CHECK(result.best.size() == 1);
    CHECK(result.value < 0.01);
}

TEST_CASE("an exception of the function arrives, from whatever thread") {
    for (int threads : {1, 2, 7}) {
        CAPTURE(threads);
        ThreadTeam team(threads);
        Checkpoint unasked;
        std::atomic<int> calls = 0;
        const auto broken = [&](std::size_t, std::span<const double>) -> double {
            if (++calls > 70) throw std::runtime_error("from f");
            return static_cast<double>(calls);
        };
        CHECK_THROWS_WITH_AS(DifferentialEvolution().minimize(kUnitCube, {}, 0, team, broken, unasked), "from f",
                             std::runtime_error);
        // the team is not harmed
        const auto after = DifferentialEvolution().minimize(
            kUnitCube, {}, 0, team, [](std::size_t, std::span<const double> x) { return sphere(x); }, unasked);
        CHECK(after.value < 1e-2);
    }
}

TEST_CASE("a checkpoint is passed in every generation, and may end the search") {
    ThreadTeam team(1);
    const auto f = [](std::size_t, std::span<const double> x) { return sphere(x); };
    constexpr Checkpoint::Pace always{.work = 0, .interval = {}};
    int calls = 0;
    const ShouldStop count = [&] { return ++calls, false; };
    Checkpoint counted(count, always);
    const auto result =
        DifferentialEvolution().minimize(kUnitCube, {.max_generations = 7, .tolerance = 0.0}, 0, team, f, counted);
    CHECK(result.generations == 7);
    CHECK(calls > 8);
    const int all = calls;
    const ShouldStop stop = [&] {
        if (++calls == all / 2) throw std::domain_error("enough");
        return false;
    };
    calls = 0;
    Checkpoint stopped(stop, always);
    CHECK_THROWS_WITH_AS(DifferentialEvolution().minimize(kUnitCube, {.tolerance = 0.0}, 0, team, f, stopped), "enough",
                         std::domain_error);
    CHECK(calls == all / 2);
}

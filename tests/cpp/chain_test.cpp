#include <hso/chain.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

#include <doctest/doctest.h>

#include "chain_sweep.hpp"
#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

/// The cost of the edge from j to k after node i; of a first edge if there is no i.
using AnyCost = std::function<double(const std::size_t* i, std::size_t j, std::size_t k)>;

double end_cost(std::span<const double> costs, std::size_t node, std::size_t only) {
    if (costs.empty()) return node == only ? 0.0 : HUGE_VAL;
    return costs[node];
}

/// The definition: from the end backwards, what remains is discounted at each edge.
double chain_cost(const ChainPoints& points, const AnyCost& cost, double discount, std::span<const std::size_t> nodes) {
    double rest = end_cost(points.end, nodes.back(), points.count - 1);
    for (std::size_t n = nodes.size() - 1; n-- > 0;) {
        const std::size_t j = nodes[n], k = nodes[n + 1];
        if (points.spacing > 0.0 && points.t[j] - points.t[k] < points.spacing) return HUGE_VAL;
        rest = cost(n > 0 ? &nodes[n - 1] : nullptr, j, k) + discount * rest;
    }
    return end_cost(points.start, nodes.front(), 0) + rest;
}

/// The first in lexicographic order of the cheapest of all chains.
std::vector<ChainPath> every_chain(const ChainPoints& points, const AnyCost& cost, double discount, std::size_t max_edges) {
    std::vector<ChainPath> best(max_edges, {{}, HUGE_VAL});
    std::vector<std::size_t> nodes;
    const std::function<void(std::size_t)> extend = [&](std::size_t from) {
        if (nodes.size() > 1) {
            ChainPath& known = best[nodes.size() - 2];
            const double sum = chain_cost(points, cost, discount, nodes);
            if (sum < known.cost) known = {nodes, sum};
        }
        if (nodes.size() > max_edges) return;
        for (std::size_t k = from; k < points.count; ++k) {
            nodes.push_back(k);
            extend(k + 1);
            nodes.pop_back();
        }
    };
    extend(0);
    return best;
}

void check_same(const std::vector<ChainPath>& found, const std::vector<ChainPath>& expected) {
    REQUIRE(found.size() == expected.size());
    for (std::size_t n = 0; n < found.size(); ++n) {
        CAPTURE(n);
        CHECK(found[n].nodes == expected[n].nodes);
        CHECK(found[n].cost == expected[n].cost);  // the same sums in the same order
    }
}

/// Costs of any sign, some forbidden, and NaN where nothing may be read. Whole numbers give ties.
double random_cost(Random& random, bool whole) {
    if (random.uniform() < 0.15) return HUGE_VAL;
    return whole ? static_cast<double>(random.below(3)) - 1.0 : random.uniform(-1.0, 2.0);
}

std::vector<double> random_costs(Random& random, std::size_t n, bool whole) {
    std::vector<double> costs(n);
    for (double& cost : costs) cost = random_cost(random, whole);
    return costs;
}

std::vector<double> random_matrix(Random& random, std::size_t points, bool whole) {
    std::vector<double> costs(points * points, std::nan(""));
    for (std::size_t i = 0; i < points; ++i)
        for (std::size_t j = i + 1; j < points; ++j) costs[i * points + j] = random_cost(random, whole);
    return costs;
}

AnyCost from_matrix(const std::vector<double>& cost, std::size_t points) {
    return [&cost, points](const std::size_t*, std::size_t j, std::size_t k) { return cost[j * points + k]; };
}

CostWithMemory from_array(const std::vector<double>& cost, std::size_t points) {
    return [&cost, points](std::size_t i, std::size_t j, std::span<double> out) {
        const double* const row = &cost[(i * points + j) * points];
        std::copy(row + j + 1, row + points, out.begin());
    };
}

/// Costs that do not depend on the node before.
CostWithMemory without_memory(const std::vector<double>& cost, std::size_t points) {
    return [&cost, points](std::size_t, std::size_t j, std::span<double> out) {
        std::copy_n(&cost[j * points + j + 1], out.size(), out.begin());
    };
}

struct RandomPoints {
    RandomPoints(Random& random, std::size_t count, bool whole) : points{.count = count} {
        if (random.below(2) > 0) points.start = start = random_costs(random, count, whole);
        if (random.below(2) > 0) points.end = end = random_costs(random, count, whole);
        if (random.below(2) > 0) {
            t = random_increasing(random, count, 0.0, 1.0);
            std::reverse(t.begin(), t.end());
            points.t = t;
            points.spacing = random.uniform(0.0, 3.0 / static_cast<double>(count));
        }
    }

    ChainPoints points;
    std::vector<double> start, end, t;
};

}  // namespace

TEST_CASE("the cheapest chains are the best of all chains") {
    Random random(7);
    for (int round = 0; round < 400; ++round) {
        CAPTURE(round);
        const std::size_t count = 2 + random.below(9), max_edges = 1 + random.below(count + 3);
        const bool whole = round % 2 > 0;
        const RandomPoints any(random, count, whole);
        const double discount = random.below(2) > 0 ? 1.0 : (whole ? 0.5 : random.uniform(0.2, 1.5));
        const auto cost = random_matrix(random, count, whole);
        check_same(shortest_chains(any.points, cost, max_edges, discount),
                   every_chain(any.points, from_matrix(cost, count), discount, max_edges));
    }
}

TEST_CASE("with memory the cheapest chains are the best of all chains") {
    Random random(8);
    for (int round = 0; round < 400; ++round) {
        CAPTURE(round);
        const std::size_t count = 2 + random.below(8), max_edges = 1 + random.below(count + 3);
        const bool whole = round % 2 > 0;
        const RandomPoints any(random, count, whole);
        const double discount = random.below(2) > 0 ? 1.0 : (whole ? 0.5 : random.uniform(0.2, 1.5));
        const auto first = random_matrix(random, count, whole);
        const auto cost = random_costs(random, count * count * count, whole);
        const AnyCost any_cost = [&](const std::size_t* i, std::size_t j, std::size_t k) {
            return i ? cost[(*i * count + j) * count + k] : first[j * count + k];
        };
        check_same(shortest_chains_with_memory(any.points, first, from_array(cost, count), max_edges, discount),
                   every_chain(any.points, any_cost, discount, max_edges));
    }
}

TEST_CASE("costs that do not depend on the node before give the same chains with memory") {
    Random random(9);
    for (std::size_t count : {2, 3, 17, 40}) {
        CAPTURE(count);
        const RandomPoints any(random, count, false);
        const auto cost = random_matrix(random, count, false);
        for (double discount : {1.0, 1.15})
            check_same(shortest_chains_with_memory(any.points, cost, without_memory(cost, count), 12, discount),
                       shortest_chains(any.points, cost, 12, discount));
    }
}

TEST_CASE("many points agree with one minimum at a time") {
    Random random(10);
    constexpr std::size_t count = 203;
    const auto cost = random_matrix(random, count, false);
    for (std::size_t max_edges : {1, 2, 3, 4, 5, 19, 300}) {
        CAPTURE(max_edges);
        const auto found = shortest_chains({.count = count}, cost, max_edges);
        REQUIRE(found.size() == max_edges);
        std::vector<double> rest(count, HUGE_VAL), next(count);
        rest.back() = 0.0;
        for (const auto& [nodes, least] : found) {
            for (std::size_t i = 0; i < count; ++i) {
                next[i] = HUGE_VAL;
                for (std::size_t j = i + 1; j < count; ++j) next[i] = std::min(next[i], cost[i * count + j] + rest[j]);
            }
            rest = next;
            REQUIRE(least == rest.front());
            if (!nodes.empty()) REQUIRE(least == chain_cost({.count = count}, from_matrix(cost, count), 1.0, nodes));
        }
    }
}

TEST_CASE("a convex cost spreads the nodes evenly, a concave one gathers them") {
    constexpr std::size_t count = 61;
    std::vector<double> square(count * count), root(count * count);
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t j = i + 1; j < count; ++j) {
            const double h = static_cast<double>(j - i);
            square[i * count + j] = h * h;
            root[i * count + j] = std::sqrt(h);
        }
    const auto even = shortest_chains({.count = count}, square, 20);
    const auto gathered = shortest_chains({.count = count}, root, 20);
    for (std::size_t n : {1, 2, 3, 4, 5, 6, 10, 12, 15, 20}) {
        CAPTURE(n);
        CHECK(even[n - 1].cost == 3600.0 / static_cast<double>(n));
        for (std::size_t i = 0; i <= n; ++i) CHECK(even[n - 1].nodes[i] == i * 60 / n);
        // one long edge, all others as short as they can be
        const double rest = static_cast<double>(n - 1);
        CHECK(gathered[n - 1].cost == doctest::Approx(rest + std::sqrt(60.0 - rest)).epsilon(1e-14));
    }
}

TEST_CASE("of chains that cost the same the first in order is found") {
    const std::vector<double> cost(36, 1.0);
    const std::vector<double> free(6, 0.0);
    const auto found = shortest_chains({.count = 6, .start = free, .end = free}, cost, 3);
    CHECK(found[0].nodes == std::vector<std::size_t>{0, 1});
    CHECK(found[2].nodes == std::vector<std::size_t>{0, 1, 2, 3});
    CHECK(shortest_chains({.count = 6}, cost, 3)[2].nodes == std::vector<std::size_t>{0, 1, 2, 5});
}

TEST_CASE("two points have one chain, and more edges than points none") {
    const std::vector<double> cost = {std::nan(""), -3.0, std::nan(""), std::nan("")};
    check_same(shortest_chains({.count = 2}, cost, 3), {{{0, 1}, -3.0}, {{}, HUGE_VAL}, {{}, HUGE_VAL}});
    const auto unused = [](std::size_t, std::size_t, std::span<double>) { FAIL("no node is before the first edge's"); };
    check_same(shortest_chains_with_memory({.count = 2}, cost, unused, 2), {{{0, 1}, -3.0}, {{}, HUGE_VAL}});
}

TEST_CASE("what is forbidden is not taken") {
    const std::vector<double> never(9, HUGE_VAL), one(9, 1.0), nowhere(3, HUGE_VAL), t = {0.9, 0.5, 0.1};
    const std::vector<ChainPath> none(2, {{}, HUGE_VAL});
    check_same(shortest_chains({.count = 3}, never, 2), none);
    check_same(shortest_chains({.count = 3, .start = nowhere}, one, 2), none);
    check_same(shortest_chains({.count = 3, .end = nowhere}, one, 2), none);
    check_same(shortest_chains({.count = 3, .t = t, .spacing = 0.9}, one, 2), none);
    check_same(shortest_chains({.count = 3, .t = t, .spacing = 0.5}, one, 2), {{{0, 2}, 1.0}, {{}, HUGE_VAL}});
    check_same(shortest_chains_with_memory({.count = 3, .t = t, .spacing = 0.9}, one, without_memory(one, 3), 2), none);
}

TEST_CASE("the spacing forgives rounding") {
    constexpr std::size_t count = 11;
    std::vector<double> t(count);
    for (std::size_t i = 0; i < count; ++i) t[i] = 1.0 - 0.1 * static_cast<double>(i);
    const std::vector<double> one(count * count, 1.0);
    CHECK(shortest_chains({.count = count, .t = t, .spacing = 0.1}, one, 10)[9].cost == 10.0);
    CHECK(shortest_chains({.count = count, .t = t, .spacing = 0.1001}, one, 10)[9].nodes.empty());
}

TEST_CASE("sums that overflow are infinite") {
    const std::vector<double> low(9, -1.5e308), high(9, 1.5e308);
    check_same(shortest_chains({.count = 3}, low, 2), {{{0, 2}, -1.5e308}, {{0, 1, 2}, -HUGE_VAL}});
    check_same(shortest_chains({.count = 3}, high, 2), {{{0, 2}, 1.5e308}, {{}, HUGE_VAL}});
}

TEST_CASE("chains refuse what makes no sense") {
    const std::vector<double> cost(9, 1.0), t = {0.9, 0.5, 0.1};
    const ChainPoints three{.count = 3};
    const auto first = [&](std::size_t n) { return std::span(cost).first(n); };
    const auto rows = without_memory(cost, 3);
    CHECK(refuses("points must be at least 2, got 1", [&] { shortest_chains({.count = 1}, first(1), 1); }));
    CHECK(refuses("cost must be 3 * 3 long, got 8 entries", [&] { shortest_chains(three, first(8), 1); }));
    CHECK(refuses("first must be 3 * 3 long, got 6 entries", [&] { shortest_chains_with_memory(three, first(6), rows, 1); }));
    CHECK(refuses("max_edges must be in 1..10000, got 0", [&] { shortest_chains(three, cost, 0); }));
    CHECK(refuses("max_edges", [&] { shortest_chains(three, cost, 10001); }));
    for (double bad : {0.0, -1.0, HUGE_VAL, std::nan("")})
        CHECK(refuses("discount must be positive and finite", [&] { shortest_chains(three, cost, 1, bad); }));
    for (double bad : {-HUGE_VAL, std::nan("")}) {
        auto wrong = cost;
        wrong[5] = bad;
        std::vector<double> ends(3);
        ends[1] = bad;
        CHECK(refuses("cost[1][2] must be a finite number or infinity", [&] { shortest_chains(three, wrong, 1); }));
        const auto wrong_rows = without_memory(wrong, 3);
        CHECK(refuses("first[1][2] must", [&] { shortest_chains_with_memory(three, wrong, rows, 1); }));
        CHECK(refuses("cost[0][1][2] must", [&] { shortest_chains_with_memory(three, cost, wrong_rows, 2); }));
        CHECK(refuses("start[1] must", [&] { shortest_chains({.count = 3, .start = ends}, cost, 1); }));
        CHECK(refuses("end[1] must", [&] { shortest_chains({.count = 3, .end = ends}, cost, 1); }));
        CHECK(refuses("t[1] must", [&] { shortest_chains({.count = 3, .t = ends}, cost, 1); }));
        CHECK(refuses("spacing", [&] { shortest_chains({.count = 3, .t = t, .spacing = bad}, cost, 1); }));
    }
    CHECK(refuses("start must be 3 long", [&] { shortest_chains({.count = 3, .start = cost}, cost, 1); }));
    CHECK(refuses("end must be 3 long", [&] { shortest_chains({.count = 3, .end = cost}, cost, 1); }));
    CHECK(refuses("t must be 3 long", [&] { shortest_chains({.count = 3, .spacing = 0.1}, cost, 1); }));
    CHECK(refuses("t[1] must be finite and below", [&] { shortest_chains({.count = 3, .t = first(3)}, cost, 1); }));
    CHECK(refuses("spacing must be finite and >= 0, got -0.1", [&] { shortest_chains({.count = 3, .spacing = -0.1}, cost, 1); }));
}

TEST_CASE("chains with memory that would take more than 2 GiB are refused") {
    const std::vector<double> first(1000 * 1000, 1.0);
    const CostWithMemory none = [](std::size_t, std::size_t, std::span<double>) { FAIL("asked"); };
    for (const std::size_t max_edges : {269, 10000})
        CHECK(refuses("max_edges must be at most 268 for 1000 points, got " + std::to_string(max_edges),
                      [&] { shortest_chains_with_memory({.count = 1000}, first, none, max_edges); }));
}

TEST_CASE("least sums of every length and number of rows") {
    Random random(11);
    for (std::size_t n = 0; n < 40; ++n)
        for (std::size_t rows = 0; rows < 11; ++rows) {
            CAPTURE(n);
            CAPTURE(rows);
            const std::size_t stride = n + random.below(3);
            const auto cost = random_costs(random, n, false), value = random_costs(random, rows * stride + 1, false);
            std::vector<double> least(rows, -1.0);
            detail::least_sums(cost, value.data(), stride, least);
            for (std::size_t row = 0; row < rows; ++row) {
                double expected = HUGE_VAL;
                for (std::size_t k = 0; k < n; ++k) expected = std::min(expected, cost[k] + value[row * stride + k]);
                REQUIRE(least[row] == expected);
                const std::size_t at = detail::least_sum_at(cost, &value[row * stride]);
                if (expected < HUGE_VAL) REQUIRE(cost[at] + value[row * stride + at] == expected);
            }
        }
}

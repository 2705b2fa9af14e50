#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <hso/chain.hpp>

#include "answers.hpp"

namespace {

/// Convex in the distance, so that the nodes spread over all points, and uneven.
double edge(std::size_t i, std::size_t j) {
    const double h = static_cast<double>(j - i);
    return h * h * (1.0 + 0.5 * std::sin(static_cast<double>(i + 3 * j)));
}

std::vector<double> matrix(std::size_t points) {
    std::vector<double> cost(points * points);
    for (std::size_t i = 0; i < points; ++i)
        for (std::size_t j = i + 1; j < points; ++j) cost[i * points + j] = edge(i, j);
    return cost;
}

/// Whether each chain has the edges and the cost that it is said to have, and no cost is above the plain recurrence's.
bool right_chains(const std::vector<hso::ChainPath>& chains, std::size_t points) {
    std::vector<double> value(points, HUGE_VAL), next(points);
    value.front() = 0.0;
    for (std::size_t n = 0; n < chains.size(); ++n) {
        std::fill(next.begin(), next.end(), HUGE_VAL);
        for (std::size_t i = 0; i < points; ++i)
            for (std::size_t j = i + 1; j < points; ++j) next[j] = std::min(next[j], value[i] + edge(i, j));
        value.swap(next);
        const auto& nodes = chains[n].nodes;
        if (nodes.size() != n + 2) return false;
        double sum = 0.0;
        for (std::size_t i = 0; i + 1 < nodes.size(); ++i) sum += edge(nodes[i], nodes[i + 1]);
        if (!bench::close(chains[n].cost, sum, 1e-12) || !bench::close(chains[n].cost, value.back(), 1e-12)) return false;
    }
    return true;
}

/// All numbers of edges up to the second argument at once.
void shortest_chains(benchmark::State& state) {
    const auto points = static_cast<std::size_t>(state.range(0)), edges = static_cast<std::size_t>(state.range(1));
    const auto cost = matrix(points);
    if (!bench::right(state, right_chains(hso::shortest_chains({.count = points}, cost, edges), points))) return;
    for (auto _ : state) benchmark::DoNotOptimize(hso::shortest_chains({.count = points}, cost, edges));
}
BENCHMARK(shortest_chains)->Args({100, 20})->Args({300, 20})->Args({1000, 20})->Unit(benchmark::kMicrosecond);

void shortest_chains_with_memory(benchmark::State& state) {
    const auto points = static_cast<std::size_t>(state.range(0)), edges = static_cast<std::size_t>(state.range(1));
    const auto cost = matrix(points);
    const hso::CostWithMemory row = [&](std::size_t, std::size_t j, std::span<double> out) {
        std::copy_n(cost.begin() + static_cast<std::ptrdiff_t>(j * points + j + 1), out.size(), out.begin());
    };
    if (!bench::right(state, right_chains(hso::shortest_chains_with_memory({.count = points}, cost, row, edges), points))) return;
    for (auto _ : state) benchmark::DoNotOptimize(hso::shortest_chains_with_memory({.count = points}, cost, row, edges));
}
BENCHMARK(shortest_chains_with_memory)->Args({100, 10})->Unit(benchmark::kMicrosecond);

}  // namespace

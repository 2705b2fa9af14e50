// The exact search in parts: lattice, shortest path, cells and their bound, moves out of local minima.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <hso/chain.hpp>
#include <hso/objective.hpp>
#include <hso/optimize.hpp>

#include "answers.hpp"
#include "cell_tables.hpp"
#include "certificate.hpp"
#include "chain_sweep.hpp"
#include "lattice_path.hpp"
#include "local_moves.hpp"
#include "problem.hpp"
#include "problems.hpp"

namespace {

using namespace hso::detail;

constexpr double kRounding = 1e-12;

double mep_of(const Problem& problem, std::span<const double> t) {
    std::vector<double> lambdas(t.size());
    problem.lambda(t, lambdas);
    return hso::mep(problem.noise, lambdas, problem.proxy);
}

void lattice_reset(benchmark::State& state) {
    const auto problem = make_problem(bench::stable_diffusion(), 10, bench::loose_options());
    const auto points = static_cast<std::size_t>(state.range(0));
    Lattice lattice(problem, points);
    const double low = problem.noise.lambda(0.98), step = (problem.noise.lambda(0.02) - low) / static_cast<double>(points - 1);
    bool good = lattice.size() == points;
    for (std::size_t k = 0; k < points && good; ++k) {
        const double lambda = low + step * static_cast<double>(k);
        good = bench::close(lattice.weight[2 * k], problem.proxy.weight(problem.noise, lambda).g, 1e-9) &&
               std::abs(lattice.twice_sinh[k] - 2.0 * std::sinh(0.5 * step * static_cast<double>(k))) <= 1e-9 &&
               std::abs(lattice.t[k] - problem.noise.t(std::min(lambda, problem.noise.lambda(0.02)))) <= 1e-9;
    }
    if (!bench::right(state, good)) return;
    for (auto _ : state) {
        lattice.reset(problem, points);
        benchmark::ClobberMemory();
    }
}
BENCHMARK(lattice_reset)->Arg(64)->Arg(512)->Unit(benchmark::kMicrosecond);

/// nfe and points. The cheapest chain through the same points, by the general solver for any costs.
void lattice_path(benchmark::State& state) {
    const auto nfe = static_cast<int>(state.range(0));
    const auto points = static_cast<std::size_t>(state.range(1));
    const auto problem = make_problem(bench::stable_diffusion(), nfe, bench::loose_options());
    const Lattice lattice(problem, points);
    std::vector<double> t(problem.nodes()), cost(points * points), start(points, HUGE_VAL), end(points, HUGE_VAL), ends(2);
    LatticePath path;
    Checkpoint checkpoint;
    path.find(problem, lattice, t, checkpoint);
    for (std::size_t i = 0; i < points; ++i)
        for (std::size_t j = i + 1; j < points; ++j) {
            ends = {lattice.t[i], lattice.t[j]};
            cost[i * points + j] = mep_of(problem, ends);
        }
    for (std::size_t k = 0; k < points; ++k) {  // a point stands for its surroundings
        const double width = 0.5 * (lattice.t[k > 0 ? k - 1 : 0] - lattice.t[std::min(k + 1, points - 1)]);
        if (lattice.t[k] >= problem.t_max.first - width) start[k] = 0.0;
        if (lattice.t[k] <= problem.t_min.second + width) end[k] = 0.0;
    }
    const hso::ChainPoints all{.count = points, .start = start, .end = end};
    const double least = hso::shortest_chains(all, cost, problem.intervals).back().cost;
    if (!bench::right(state, mep_of(problem, t), least, 1e-9)) return;
    for (auto _ : state) {
        path.find(problem, lattice, t, checkpoint);
        benchmark::ClobberMemory();
    }
}
BENCHMARK(lattice_path)->Args({5, 64})->Args({10, 64})->Args({20, 128})->Args({50, 256})->Unit(benchmark::kMicrosecond);

/// One step of the general chain solver: 20 rows of 1000 sums.
void chain_least_sums(benchmark::State& state) {
    constexpr std::size_t rows = 20, edges = 1000;
    const auto cost = bench::wavy(edges), value = bench::wavy(rows * edges, 1.0);
    std::vector<double> least(rows);
    least_sums(cost, value.data(), edges, least);
    bool good = true;
    for (std::size_t n = 0; n < rows; ++n) {
        std::size_t at = 0;
        for (std::size_t k = 1; k < edges; ++k)
            if (cost[k] + value[n * edges + k] < cost[at] + value[n * edges + at]) at = k;
        good &= least[n] == cost[at] + value[n * edges + at] && least_sum_at(cost, value.data() + n * edges) == at;
    }
    if (!bench::right(state, good)) return;
    for (auto _ : state) {
        least_sums(cost, value.data(), edges, least);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(rows * edges));
}
BENCHMARK(chain_least_sums)->Unit(benchmark::kMicrosecond);

constexpr std::size_t kCells = 256;

void cell_table_cells(benchmark::State& state) {
    const auto problem = make_problem(bench::stable_diffusion(), 10, bench::loose_options());
    constexpr double first = -2.0, step = 0.01;
    Checkpoint checkpoint;
    CellTable table;
    table.resize(kCells);
    table.fill(problem, first, step, 0, kCells, checkpoint);
    bool good = true;
    for (std::size_t j = 0; j < kCells; ++j) {
        const double centre = first + step * static_cast<double>(j), quarter = 0.25 * step;
        good &= bench::close(table.weight[j], problem.proxy.weight(problem.noise, centre).g, kRounding);
        for (const double x : {-quarter, quarter})
            good &= std::abs(problem.noise.t(centre + x) - table.t[j] - table.t_slope[j] * x) <= table.t_error[j] + 1e-13;
    }
    if (!bench::right(state, good)) return;
    for (auto _ : state) {
        table.fill(problem, first, step, 0, kCells, checkpoint);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kCells));
}
BENCHMARK(cell_table_cells)->Unit(benchmark::kMicrosecond);

void cell_table_midpoints(benchmark::State& state) {
    const auto problem = make_problem(bench::stable_diffusion(), 10, bench::loose_options());
    constexpr double first = -2.0, step = 0.01;
    Checkpoint checkpoint;
    MidpointTable table;
    table.resize(kCells);
    table.fill(problem, first, step, 0, kCells, checkpoint);
    bool good = true;
    for (std::size_t j = 0; j < kCells; ++j) {
        const auto weight = problem.proxy.weight(problem.noise, first + 0.5 * step * static_cast<double>(j));
        good &= bench::close(table.g[j], weight.g, 1e-11) && std::abs(table.even[j] - table.odd[j] - weight.g) <= 1e-11 &&
                std::abs(table.even[j] + table.odd[j] - weight.d2) <= 1e-11;
    }
    if (!bench::right(state, good)) return;
    for (auto _ : state) {
        table.fill(problem, first, step, 0, kCells, checkpoint);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kCells));
}
BENCHMARK(cell_table_midpoints)->Unit(benchmark::kMicrosecond);

void cell_table_distances(benchmark::State& state) {
    constexpr double first = 3.0, step = 0.01;
    DistanceTable table;
    table.resize(kCells);
    table.fill(first, step, 0, kCells);
    bool good = true;
    for (std::size_t j = 0; j < kCells; ++j) {
        const double h = first - step * static_cast<double>(j);
        good &= std::abs(table.sinh[j] - std::sinh(0.5 * h)) <= 1e-12 && std::abs(table.cosh[j] - std::cosh(0.5 * h)) <= 1e-12;
    }
    if (!bench::right(state, good)) return;
    for (auto _ : state) {
        table.fill(first, step, 0, kCells);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kCells));
}
BENCHMARK(cell_table_distances)->Unit(benchmark::kMicrosecond);

/// The first pass and one at half the cells' width, for a schedule that is known to be the best: both bound it from below,
/// and the second is closer.
void certificate_two_passes(benchmark::State& state) {
    const auto nfe = static_cast<int>(state.range(0));
    const auto noise = bench::stable_diffusion();
    const auto options = bench::published_options();
    const auto problem = make_problem(noise, nfe, options);
    const auto best = hso::optimize(noise, nfe, options);
    const double optimum = bench::published_optimum(nfe);
    Checkpoint checkpoint;
    Certificate certificate;
    double first = 0.0, second = 0.0;
    const auto passes = [&] {
        certificate.reset(problem, checkpoint);
        certificate.expect(best.t);
        first = certificate.bound();
        certificate.refine(best.fitness, 1.0, 1.0);
        second = certificate.bound();
    };
    passes();
    if (!bench::right(state, first > 0.9 * optimum && second > first && second <= optimum * (1.0 + 1e-8))) return;
    for (auto _ : state) {
        passes();
        benchmark::DoNotOptimize(second);
    }
}
BENCHMARK(certificate_two_passes)->Arg(5)->Arg(10)->Arg(20)->Unit(benchmark::kMicrosecond);

/// From nodes of the optimum that were moved, a lattice's worth of joint moves gets closer to it again.
void window_search(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const auto problem = make_problem(noise, 10, bench::loose_options());
    const auto best = hso::optimize(noise, 10, bench::loose_options());
    auto moved = best.t;
    for (std::size_t i = 1; i + 1 < moved.size(); ++i) moved[i] += i % 2 ? 0.004 : -0.004;
    Checkpoint checkpoint;
    WindowSearch window;
    window.reset(problem, checkpoint);
    auto t = moved;
    if (!bench::right(state, window.improve(t, 0.002) && mep_of(problem, t) < mep_of(problem, moved) &&
                                 mep_of(problem, t) >= best.mep * (1.0 - kRounding)))
        return;
    for (auto _ : state) {
        t = moved;
        benchmark::DoNotOptimize(window.improve(t, 0.002));
    }
}
BENCHMARK(window_search)->Unit(benchmark::kMicrosecond);

/// p = 3 with three nodes gathered at the end: a local minimum that both moves leave.
struct Gathered {
    Problem problem = make_problem(bench::stable_diffusion(), 10, bench::loose_options(3.0));
    std::vector<double> t;
    Gathered() {
        std::vector<double> lambdas = bench::even(problem.noise.lambda(0.98), -0.5, 8);
        t.resize(8);
        problem.t(lambdas, t);
        t.front() = 0.98;
        for (int i = 2; i >= 0; --i) t.push_back(0.02 + i * kLeastSpacing);
    }
};

void gathered_moves(benchmark::State& state) {
    const Gathered gathered;
    GatheredMoves moves;
    Checkpoint checkpoint;
    auto t = gathered.t;
    if (!bench::right(state, moves.spread(gathered.problem, t, checkpoint) &&
                                 mep_of(gathered.problem, t) < mep_of(gathered.problem, gathered.t)))
        return;
    for (auto _ : state) {
        t = gathered.t;
        benchmark::DoNotOptimize(moves.spread(gathered.problem, t, checkpoint));
    }
}
BENCHMARK(gathered_moves)->Unit(benchmark::kMicrosecond);

}  // namespace

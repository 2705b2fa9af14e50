// The upper level: differential evolution, the threads that share it, its random numbers.
#include <atomic>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "answers.hpp"
#include "differential_evolution.hpp"
#include "parallel.hpp"
#include "random.hpp"

namespace {

using namespace hso::detail;

/// Three parameters, 60 individuals, 60 generations: all but the fitness.
void differential_evolution(benchmark::State& state) {
    const std::vector<std::pair<double, double>> bounds(3, {0.0, 1.0});
    hso::EvolutionOptions options;
    options.tolerance = 0.0;
    DifferentialEvolution evolution;
    ThreadTeam team(1);
    Checkpoint checkpoint;
    const auto sphere = [](std::size_t, std::span<const double> x) {
        double sum = 0.0;
        for (const double v : x) sum += (v - 0.3) * (v - 0.3);
        return sum;
    };
    const auto run = [&]() -> const EvolutionResult& { return evolution.minimize(bounds, options, 0, team, sphere, checkpoint); };
    const auto& found = run();
    bool good = found.generations == 60;
    for (const double x : found.best) good &= std::abs(x - 0.3) < 1e-4;
    if (!bench::right(state, good)) return;
    for (auto _ : state) benchmark::DoNotOptimize(run().value);
    state.SetItemsProcessed(state.iterations() * 61 * 60);
}
BENCHMARK(differential_evolution)->Unit(benchmark::kMicrosecond);

/// One generation's loop of empty tasks, by the number of threads.
void thread_team_loop(benchmark::State& state) {
    ThreadTeam team(static_cast<int>(state.range(0)));
    Checkpoint checkpoint;
    constexpr std::size_t tasks = 60;
    std::atomic<std::size_t> sum = 0;
    const auto loop = [&] {
        team.run(
            tasks, [&](std::size_t, std::size_t i) { sum += i; }, checkpoint);
    };
    loop();
    if (!bench::right(state, sum == tasks * (tasks - 1) / 2)) return;
    for (auto _ : state) loop();
}
BENCHMARK(thread_team_loop)->Arg(1)->Arg(2)->Unit(benchmark::kMicrosecond)->UseRealTime();

/// What starting and ending the threads takes.
void thread_team_start(benchmark::State& state) {
    const int threads = static_cast<int>(state.range(0));
    if (!bench::right(state, ThreadTeam(threads).size() == static_cast<std::size_t>(threads))) return;
    for (auto _ : state) {
        const ThreadTeam team(threads);
        benchmark::DoNotOptimize(team.size());
    }
}
BENCHMARK(thread_team_start)->Arg(1)->Arg(2)->Unit(benchmark::kMicrosecond)->UseRealTime();

/// SplitMix64; uniform numbers have the mean 1/2 and the variance 1/12.
void random_uniform(benchmark::State& state) {
    RandomStream stream(0, 1, 2);
    constexpr int count = 100'000;
    double sum = 0.0, squares = 0.0;
    for (int i = 0; i < count; ++i) {
        const double x = stream.uniform() - 0.5;
        sum += x;
        squares += x * x;
    }
    if (!bench::right(state, std::abs(sum / count) < 0.005 && std::abs(squares / count - 1.0 / 12.0) < 0.002)) return;
    for (auto _ : state) benchmark::DoNotOptimize(stream.uniform());
}
BENCHMARK(random_uniform);

}  // namespace

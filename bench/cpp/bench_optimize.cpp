#include <benchmark/benchmark.h>

#include <cmath>
#include <map>

#include <hso/optimize.hpp>

#include "tables.hpp"

namespace {

/// Fitness that an independent SciPy implementation reaches on this table (terminal t_min, defaults), by nfe.
const std::map<int, double> kOptimum = {{4, 3.0960240010}, {5, 3.0513196}, {6, 3.0283941227}, {8, 3.0070053553}, {10, 3.2193385196}, {20, 2.9792290771}};

void optimize(benchmark::State& state, hso::Search search, int threads) {
    const auto noise = bench::stable_diffusion();
    const int nfe = static_cast<int>(state.range(0));
    hso::Options options;
    options.terminal = hso::Terminal::t_min;
    options.search = search;
    options.threads = threads;
    const auto schedule = hso::optimize(noise, nfe, options);
    const bool wrong = search == hso::Search::bilevel ? std::abs(schedule.fitness / kOptimum.at(nfe) - 1.0) > 1e-6
                                                      : schedule.fitness < kOptimum.at(nfe) * (1.0 - 1e-6);
    if (wrong) {
        state.SkipWithError("wrong answer");
        return;
    }
    for (auto _ : state) benchmark::DoNotOptimize(hso::optimize(noise, nfe, options));
    state.counters["fitness"] = schedule.fitness;
    state.counters["evaluations"] = static_cast<double>(schedule.evaluations);
    state.counters["generations"] = schedule.generations;
}

BENCHMARK_CAPTURE(optimize, bilevel, hso::Search::bilevel, 1)->Arg(4)->Arg(5)->Arg(6)->Arg(8)->Arg(10)->Arg(20)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(optimize, paper, hso::Search::paper, 1)->Arg(4)->Arg(5)->Arg(6)->Arg(8)->Arg(10)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(optimize, bilevel_two_threads, hso::Search::bilevel, 2)->Arg(20)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

#include <benchmark/benchmark.h>

#include <cmath>
#include <map>

#include <hso/optimize.hpp>

#include "tables.hpp"

namespace {

/// Fitness that an independent SciPy implementation reaches on this table (terminal t_min, defaults), by nfe.
const std::map<int, double> kOptimum = {{4, 3.0960240010}, {5, 3.0513196}, {6, 3.0283941227}, {8, 3.0070053553}, {10, 3.2193385196}, {20, 2.9792290771}};

constexpr double kNoCertificate = HUGE_VAL;

struct Setting {
    hso::Search search;
    hso::LocalSolver local = hso::LocalSolver::newton;
    double gap = kNoCertificate;
    int threads = 1;
};

void optimize(benchmark::State& state, const Setting& setting) {
    const auto noise = bench::stable_diffusion();
    const int nfe = static_cast<int>(state.range(0));
    hso::Options options;
    options.terminal = hso::Terminal::t_min;
    options.search = setting.search;
    options.limits = hso::Limits::published;  // the optima are published
    options.local = setting.local;
    options.gap = setting.gap;
    options.threads = setting.threads;
    const auto schedule = hso::optimize(noise, nfe, options);
    const double optimum = kOptimum.at(nfe);
    const bool wrong = setting.search == hso::Search::paper ? schedule.fitness < optimum * (1.0 - 1e-6)
                                                            : std::abs(schedule.fitness / optimum - 1.0) > 1e-6;
    if (wrong || schedule.gap > setting.gap) {
        state.SkipWithError("wrong answer");
        return;
    }
    for (auto _ : state) benchmark::DoNotOptimize(hso::optimize(noise, nfe, options));
    state.counters["fitness"] = schedule.fitness;
    state.counters["evaluations"] = static_cast<double>(schedule.evaluations);
    state.counters["generations"] = schedule.generations;
}

using hso::LocalSolver;
using hso::Search;

void few_calls(benchmark::internal::Benchmark* benchmark) {
    for (int nfe : {4, 5, 6, 8, 10, 20}) benchmark->Arg(nfe);
}

BENCHMARK_CAPTURE(optimize, exact, Setting{.search = Search::exact})->Apply(few_calls)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize, exact_certified, Setting{.search = Search::exact, .gap = 1e-6})->Apply(few_calls)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize, bilevel_newton, Setting{.search = Search::bilevel})->Apply(few_calls)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(optimize, bilevel_slsqp, Setting{.search = Search::bilevel, .local = LocalSolver::slsqp})
    ->Apply(few_calls)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(optimize, paper_newton, Setting{.search = Search::paper})->Apply(few_calls)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(optimize, paper_slsqp, Setting{.search = Search::paper, .local = LocalSolver::slsqp})
    ->Apply(few_calls)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(optimize, bilevel_slsqp_two_threads, Setting{.search = Search::bilevel, .local = LocalSolver::slsqp, .threads = 2})
    ->Arg(20)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

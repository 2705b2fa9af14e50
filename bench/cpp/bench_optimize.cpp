#include <benchmark/benchmark.h>

#include <cmath>
#include <map>
#include <vector>

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
    bool workspace = false;
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
    if (setting.workspace) {
        hso::Workspace workspace;
        hso::Schedule out;
        for (auto _ : state) {
            hso::optimize(noise, nfe, options, workspace, out);
            benchmark::DoNotOptimize(out);
        }
    } else {
        for (auto _ : state) benchmark::DoNotOptimize(hso::optimize(noise, nfe, options));
    }
    state.counters["fitness"] = schedule.fitness;
    state.counters["evaluations"] = static_cast<double>(schedule.evaluations);
    state.counters["generations"] = schedule.generations;
}

/// What a server does: image sizes, and so flow shifts, and numbers of calls change from request to request.
void serve_requests(benchmark::State& state, double gap, bool workspace) {
    std::vector<hso::NoiseSchedule> models;
    for (int i = 0; i < 16; ++i) models.push_back(hso::NoiseSchedule::flow(1.0 + 0.5 * i));
    hso::Options options;
    options.gap = gap;
    hso::Workspace kept;
    hso::Schedule out;
    int request = 0;
    for (auto _ : state) {
        const hso::NoiseSchedule& noise = models[static_cast<std::size_t>(request % 16)];
        const int nfe = 4 + request % 9;
        if (workspace) hso::optimize(noise, nfe, options, kept, out);
        else out = hso::optimize(noise, nfe, options);
        benchmark::DoNotOptimize(out);
        ++request;
    }
}

BENCHMARK_CAPTURE(serve_requests, exact, kNoCertificate, false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(serve_requests, exact_in_workspace, kNoCertificate, true)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(serve_requests, certified, 1e-6, false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(serve_requests, certified_in_workspace, 1e-6, true)->Unit(benchmark::kMicrosecond);

using hso::LocalSolver;
using hso::Search;

void few_calls(benchmark::internal::Benchmark* benchmark) {
    for (int nfe : {4, 5, 6, 8, 10, 20}) benchmark->Arg(nfe);
}

BENCHMARK_CAPTURE(optimize, exact, Setting{.search = Search::exact})->Apply(few_calls)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize, exact_certified, Setting{.search = Search::exact, .gap = 1e-6})->Apply(few_calls)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize, exact_in_workspace, Setting{.search = Search::exact, .workspace = true})
    ->Apply(few_calls)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize, exact_certified_in_workspace, Setting{.search = Search::exact, .gap = 1e-6, .workspace = true})
    ->Apply(few_calls)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize, bilevel_newton, Setting{.search = Search::bilevel})->Apply(few_calls)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(optimize, bilevel_newton_in_workspace, Setting{.search = Search::bilevel, .workspace = true})
    ->Apply(few_calls)
    ->Unit(benchmark::kMillisecond);
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

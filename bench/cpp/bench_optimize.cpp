#include <cmath>
#include <string>
#include <vector>

#include <hso/objective.hpp>
#include <hso/optimize.hpp>

#include "answers.hpp"
#include "problems.hpp"

namespace {

using hso::LocalSolver;
using hso::Search;

constexpr double kNoCertificate = HUGE_VAL;

struct Setting {
    Search search;
    LocalSolver local = LocalSolver::newton;
    double gap = kNoCertificate;
    int threads = 1;
    bool workspace = false;
};

/// With `workspace` calls share one and the schedule they write.
template <class Next>
void time_calls(benchmark::State& state, bool workspace, Next next) {
    hso::Workspace kept;
    hso::Schedule out;
    for (auto _ : state) {
        const auto& [noise, nfe, options] = next();
        if (workspace) hso::optimize(noise, nfe, options, kept, out);
        else out = hso::optimize(noise, nfe, options);
        benchmark::DoNotOptimize(out);
    }
}

struct Request {
    hso::NoiseSchedule noise;
    int nfe;
    hso::Options options;
};

void optimize(benchmark::State& state, const Setting& setting) {
    Request request{bench::stable_diffusion(), static_cast<int>(state.range(0)), bench::published_options()};
    request.options.search = setting.search;
    request.options.local = setting.local;
    request.options.gap = setting.gap;
    request.options.threads = setting.threads;
    const auto schedule = hso::optimize(request.noise, request.nfe, request.options);
    const double optimum = bench::published_optimum(request.nfe);
    const bool good = setting.search == Search::paper ? schedule.fitness > optimum * (1.0 - 1e-6)
                                                      : bench::close(schedule.fitness, optimum, 1e-6);
    if (!bench::right(state, good && !(schedule.gap > setting.gap))) return;
    time_calls(state, setting.workspace, [&]() -> const Request& { return request; });
    state.counters["fitness"] = schedule.fitness;
    state.counters["evaluations"] = static_cast<double>(schedule.evaluations);
    state.counters["generations"] = schedule.generations;
}

void few_calls(benchmark::internal::Benchmark* benchmark) {
    for (int nfe : {4, 5, 6, 8, 10, 20}) benchmark->Arg(nfe);
}

BENCHMARK_CAPTURE(optimize, exact, Setting{.search = Search::exact})->Apply(few_calls)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize, exact_certified, Setting{.search = Search::exact, .gap = 1e-6})
    ->Apply(few_calls)
    ->Unit(benchmark::kMicrosecond);
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
BENCHMARK_CAPTURE(optimize, bilevel_slsqp_two_threads,
                  Setting{.search = Search::bilevel, .local = LocalSolver::slsqp, .threads = 2})
    ->Arg(20)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// Several nfe in one call, each result that of a call of its own.
void optimize_list(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const auto options = bench::published_options();
    const int nfe[] = {4, 5, 6, 8};
    bool good = true;
    for (const auto& schedule : hso::optimize(noise, nfe, options))
        good &= bench::close(schedule.fitness, bench::published_optimum(schedule.nfe), 1e-6);
    if (!bench::right(state, good)) return;
    for (auto _ : state) benchmark::DoNotOptimize(hso::optimize(noise, nfe, options));
}
BENCHMARK(optimize_list)->Unit(benchmark::kMicrosecond);

/// Exact searches of other kinds: their certificates are the check, by the bi-level search's answer from above.
void optimize_kind(benchmark::State& state, const hso::NoiseSchedule& noise, const hso::Options& options, double tolerance) {
    const Request wanted{noise, static_cast<int>(state.range(0)), options};
    auto certified = options, other = options;
    certified.gap = 1e-6;
    other.search = Search::bilevel;
    const auto found = hso::optimize(noise, wanted.nfe, options), bound = hso::optimize(noise, wanted.nfe, certified);
    const double above = hso::optimize(noise, wanted.nfe, other).fitness;
    if (!bench::right(state, bound.gap <= 1e-6 && found.fitness >= bound.lower_bound &&
                                 bench::close(found.fitness, bound.fitness, 1e-6) && found.fitness <= above * (1.0 + 1e-9) &&
                                 above <= found.fitness * (1.0 + tolerance)))
        return;
    time_calls(state, false, [&]() -> const Request& { return wanted; });
}

hso::Options soft() {
    hso::Options options = bench::published_options();
    options.gamma = 10.0;
    return options;
}

hso::Options measured_proxy() {
    hso::Options options = bench::published_options();
    const auto lambda = bench::even(-3.0, 3.0, 33);
    std::vector<double> value;
    for (const double l : lambda) value.push_back(std::exp(-0.8 * l + 0.1 * std::sin(5.0 * l)));
    options.proxy = hso::ErrorProxy::table(lambda, value);
    return options;
}

/// README's C++ example; `gap` as in Options.
hso::Options request(double gap) {
    hso::Options options;
    options.gap = gap;
    return options;
}

BENCHMARK_CAPTURE(optimize_kind, flow_request, hso::NoiseSchedule::flow(3.0), request(kNoCertificate), 1e-6)
    ->Arg(6)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize_kind, flow_request_certified, hso::NoiseSchedule::flow(3.0), request(1e-6), 1e-6)
    ->Arg(6)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize_kind, flow, hso::NoiseSchedule::flow(3.0), bench::published_options(), 1e-6)
    ->Arg(8)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize_kind, edm, hso::NoiseSchedule::edm(), bench::published_options(), 1e-6)
    ->Arg(8)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize_kind, cosine, hso::NoiseSchedule::vp_cosine(), bench::published_options(), 1e-6)
    ->Arg(8)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize_kind, p3, bench::stable_diffusion(), bench::loose_options(3.0), 0.01)
    ->Arg(10)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize_kind, soft, bench::stable_diffusion(), soft(), 1.0)->Arg(8)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(optimize_kind, measured_proxy, bench::stable_diffusion(), measured_proxy(), 1e-3)
    ->Arg(8)
    ->Unit(benchmark::kMicrosecond);

/// Many nodes without a spacing, by the certificate or without.
void optimize_many(benchmark::State& state, double gap) {
    hso::Options options = bench::loose_options();
    const Request wanted{bench::stable_diffusion(), static_cast<int>(state.range(0)), options};
    options.gap = 1e-6;
    const auto found = hso::optimize(wanted.noise, wanted.nfe, options);
    options.gap = gap;
    if (!bench::right(state, found.gap <= 1e-6 &&
                                 bench::close(hso::optimize(wanted.noise, wanted.nfe, options).fitness, found.fitness, 1e-6)))
        return;
    const Request request{wanted.noise, wanted.nfe, options};
    time_calls(state, false, [&]() -> const Request& { return request; });
}
BENCHMARK_CAPTURE(optimize_many, exact, kNoCertificate)->Arg(50)->Arg(100)->Arg(200)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(optimize_many, exact_certified, 1e-6)->Arg(50)->Arg(100)->Unit(benchmark::kMillisecond);

/// DM-NonUni's bound, which only the bi-level search with SLSQP takes; never above that of evenly spaced nodes.
void optimize_dm_nonuni(benchmark::State& state) {
    Request request{bench::stable_diffusion(), static_cast<int>(state.range(0)), bench::published_options()};
    request.options.objective = hso::LowerObjective::dm_nonuni;
    request.options.d_min = 0.0;
    const auto found = hso::optimize(request.noise, request.nfe, request.options);
    const auto even = hso::dm_nonuni(request.noise, bench::even_lambdas(request.noise, static_cast<std::size_t>(request.nfe)));
    if (!bench::right(state, found.mep < even && bench::close(found.mep, hso::dm_nonuni(request.noise, found.lambdas), 1e-12)))
        return;
    time_calls(state, false, [&]() -> const Request& { return request; });
}
BENCHMARK(optimize_dm_nonuni)->Arg(5)->Unit(benchmark::kMillisecond);

/// What a server does: image sizes, and so flow shifts, and numbers of calls change from request to request.
void serve_requests(benchmark::State& state, double gap, bool workspace) {
    std::vector<Request> requests;
    hso::Options options;
    options.gap = gap;
    for (int i = 0; i < 144; ++i) requests.push_back({hso::NoiseSchedule::flow(1.0 + 0.5 * (i % 16)), 4 + i % 9, options});
    hso::Workspace kept;
    hso::Schedule out;
    bool good = true;
    for (const auto& [noise, nfe, wanted] : requests) {
        auto certified = wanted;
        certified.gap = 1e-6;
        const auto bound = hso::optimize(noise, nfe, certified);
        hso::optimize(noise, nfe, wanted, kept, out);
        good &= bound.gap <= 1e-6 && bench::close(out.fitness, bound.fitness, 1e-6);
    }
    if (!bench::right(state, good)) return;
    std::size_t next = 0;
    time_calls(state, workspace, [&]() -> const Request& { return requests[next++ % requests.size()]; });
}
BENCHMARK_CAPTURE(serve_requests, exact, kNoCertificate, false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(serve_requests, exact_in_workspace, kNoCertificate, true)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(serve_requests, certified, 1e-6, false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(serve_requests, certified_in_workspace, 1e-6, true)->Unit(benchmark::kMicrosecond);

/// A schedule without a search: its MEP is that of the nodes.
void schedule_from_nodes(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const auto options = bench::published_options();
    const auto t = bench::even(0.96, 0.03, 11);
    const auto schedule = hso::schedule_from_nodes(noise, t, options);
    if (!bench::right(state, schedule.mep, bench::reference_mep(schedule.lambdas), 1e-12)) return;
    for (auto _ : state) benchmark::DoNotOptimize(hso::schedule_from_nodes(noise, t, options));
}
BENCHMARK(schedule_from_nodes);

}  // namespace

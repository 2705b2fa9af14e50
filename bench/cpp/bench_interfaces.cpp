// One search through each interface: what try_ and C add to it.
#include <vector>

#include <hso/hso.h>
#include <hso/optimize.hpp>
#include <hso/try.hpp>

#include "answers.hpp"
#include "problems.hpp"

namespace {

constexpr int kNfe = 10;

void interface_cpp(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const auto options = bench::published_options();
    hso::Workspace workspace;
    hso::Schedule out;
    hso::optimize(noise, kNfe, options, workspace, out);
    if (!bench::right(state, out.fitness, bench::published_optimum(kNfe), 1e-6)) return;
    for (auto _ : state) {
        hso::optimize(noise, kNfe, options, workspace, out);
        benchmark::DoNotOptimize(out);
    }
}
BENCHMARK(interface_cpp)->Unit(benchmark::kMicrosecond);

void interface_try(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const auto options = bench::published_options();
    hso::Workspace workspace;
    hso::Schedule out;
    hso::Error error;
    const bool done = hso::try_optimize(noise, kNfe, options, workspace, out, error);
    if (!bench::right(state, done && bench::close(out.fitness, bench::published_optimum(kNfe), 1e-6))) return;
    for (auto _ : state) benchmark::DoNotOptimize(hso::try_optimize(noise, kNfe, options, workspace, out, error));
}
BENCHMARK(interface_try)->Unit(benchmark::kMicrosecond);

/// What a C caller holds.
struct CCaller {
    hso_noise* noise = nullptr;
    hso_workspace* workspace = nullptr;
    hso_options options;
    hso_schedule schedule = {};
    hso_error error;
    std::vector<double> t, lambdas, sigmas, timesteps;

    CCaller() : t(kNfe + 1), lambdas(kNfe + 1), sigmas(kNfe + 1), timesteps(kNfe) {
        const auto betas = bench::stable_diffusion_betas();
        hso_noise_from_betas(betas.data(), betas.size(), &noise, &error);
        hso_workspace_create(&workspace, &error);
        hso_options_init(&options, sizeof options, &error);
        options.terminal = HSO_TERMINAL_T_MIN;
        options.limits = HSO_LIMITS_PUBLISHED;
        options.gap = HUGE_VAL;
        schedule.size = sizeof schedule;
        schedule.capacity = kNfe + 1;
        schedule.t = t.data();
        schedule.lambdas = lambdas.data();
        schedule.sigmas = sigmas.data();
        schedule.timesteps = timesteps.data();
    }
    CCaller(const CCaller&) = delete;
    CCaller& operator=(const CCaller&) = delete;
    ~CCaller() {
        hso_workspace_free(workspace);
        hso_noise_free(noise);
    }

    hso_code optimize() { return hso_optimize(noise, kNfe, &options, workspace, &schedule, &error); }
};

void interface_c(benchmark::State& state) {
    CCaller caller;
    if (!bench::right(state,
                      caller.optimize() == HSO_OK && bench::close(caller.schedule.fitness, bench::published_optimum(kNfe), 1e-6)))
        return;
    for (auto _ : state) benchmark::DoNotOptimize(caller.optimize());
}
BENCHMARK(interface_c)->Unit(benchmark::kMicrosecond);

/// A refusal: the exception, its message copied.
void interface_c_refuses(benchmark::State& state) {
    CCaller caller;
    const auto refuse = [&] {
        return hso_optimize(caller.noise, 0, &caller.options, caller.workspace, &caller.schedule, &caller.error);
    };
    if (!bench::right(state, refuse() == HSO_INVALID_ARGUMENT)) return;
    for (auto _ : state) benchmark::DoNotOptimize(refuse());
}
BENCHMARK(interface_c_refuses)->Unit(benchmark::kMicrosecond);

/// A server's request through C: a noise schedule made, one value taken, freed.
void interface_c_flow(benchmark::State& state) {
    hso_error error;
    double out = 0.0;
    const auto request = [&] {
        hso_noise* noise = nullptr;
        const double t = 0.25;
        hso_noise_flow(3.0, &noise, &error);
        hso_noise_lambda(noise, &t, &out, 1, &error);
        hso_noise_free(noise);
        return error.code;
    };
    if (!bench::right(state, request() == HSO_OK && bench::close(out, std::log(3.0L), 1e-12))) return;
    for (auto _ : state) benchmark::DoNotOptimize(request());
}
BENCHMARK(interface_c_flow);

}  // namespace

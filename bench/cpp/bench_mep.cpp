#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include <hso/objective.hpp>

#include "tables.hpp"

namespace {

std::vector<double> nodes(const hso::NoiseSchedule& noise, std::size_t intervals) {
    std::vector<double> lambdas(intervals + 1);
    const double first = noise.lambda(0.96), last = noise.lambda(0.03);
    for (std::size_t i = 0; i <= intervals; ++i)
        lambdas[i] = first + (last - first) * static_cast<double>(i) / static_cast<double>(intervals);
    return lambdas;
}

/// The definition, eq. 8, in long double: what the timed kernels have to agree with first.
long double reference(const std::vector<double>& lambdas) {
    long double sum = 0.0L;
    for (std::size_t i = 0; i + 1 < lambdas.size(); ++i) {
        const long double a = lambdas[i], b = lambdas[i + 1], m = (a + b) / 2.0L, sigma2 = 1.0L / (1.0L + std::exp(2.0L * m));
        sum += sigma2 / std::sqrt(1.0L - sigma2) * (std::exp(b) - std::exp(a));
    }
    return sum;
}

bool agrees(benchmark::State& state, double value, const std::vector<double>& lambdas) {
    const long double expected = reference(lambdas);
    if (std::abs(static_cast<long double>(value) - expected) <= 1e-12L * std::abs(expected)) return true;
    state.SkipWithError("wrong answer");
    return false;
}

void mep_gradient(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const auto lambdas = nodes(noise, static_cast<std::size_t>(state.range(0)));
    const auto proxy = hso::ErrorProxy::power(2.0);
    std::vector<double> gradient(lambdas.size());
    if (!agrees(state, hso::mep_gradient(noise, lambdas, proxy, gradient), lambdas)) return;
    for (auto _ : state) {
        benchmark::DoNotOptimize(hso::mep_gradient(noise, lambdas, proxy, gradient));
        benchmark::ClobberMemory();
    }
    state.counters["ns_per_interval"] = benchmark::Counter(static_cast<double>(state.range(0)) * 1e-9,
                                                           benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(mep_gradient)->Arg(5)->Arg(10)->Arg(20)->Arg(100);

void mep_hessian(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const auto lambdas = nodes(noise, static_cast<std::size_t>(state.range(0)));
    const auto proxy = hso::ErrorProxy::power(2.0);
    std::vector<double> gradient(lambdas.size()), diagonal(lambdas.size()), off_diagonal(lambdas.size() - 1);
    if (!agrees(state, hso::mep_hessian(noise, lambdas, proxy, gradient, diagonal, off_diagonal), lambdas)) return;
    for (auto _ : state) {
        benchmark::DoNotOptimize(hso::mep_hessian(noise, lambdas, proxy, gradient, diagonal, off_diagonal));
        benchmark::ClobberMemory();
    }
}
BENCHMARK(mep_hessian)->Arg(10);

void dm_nonuni_gradient(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const auto lambdas = nodes(noise, static_cast<std::size_t>(state.range(0)));
    const auto proxy = hso::ErrorProxy::power(2.0);
    std::vector<double> gradient(lambdas.size());
    for (auto _ : state) {
        benchmark::DoNotOptimize(hso::dm_nonuni_gradient(noise, lambdas, proxy, gradient));
        benchmark::ClobberMemory();
    }
}
BENCHMARK(dm_nonuni_gradient)->Arg(10);

void t_to_lambda_and_back(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    double t = 0.4321;
    for (auto _ : state) benchmark::DoNotOptimize(t = noise.t(noise.lambda(t)));
    if (std::abs(t - 0.4321) > 1e-9) state.SkipWithError("the inverse drifts");
}
BENCHMARK(t_to_lambda_and_back);

}  // namespace

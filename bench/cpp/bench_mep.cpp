#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <span>
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

/// Rows of 11 nodes, each with ends and interior nodes of its own.
std::vector<double> candidates(const hso::NoiseSchedule& noise, std::size_t rows) {
    const auto base = nodes(noise, 10);
    std::vector<double> lambdas;
    for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t i = 0; i < base.size(); ++i)
            lambdas.push_back(base[i] + 0.2 * std::sin(static_cast<double>(row * base.size() + i)));
    return lambdas;
}

void mep_gradient_batch(benchmark::State& state, const hso::NoiseSchedule& noise, double p) {
    constexpr std::size_t size = 11;
    const auto rows = static_cast<std::size_t>(state.range(0));
    const auto lambdas = candidates(noise, rows);
    const auto proxy = hso::ErrorProxy::power(p);
    std::vector<double> values(rows), gradients(lambdas.size()), expected(size);
    hso::mep_gradient_batch(noise, lambdas, size, proxy, values, gradients);
    for (std::size_t row = 0; row < rows; ++row) {
        const double value = hso::mep_gradient(noise, std::span(lambdas).subspan(row * size, size), proxy, expected);
        bool good = std::abs(values[row] - value) <= 1e-14 * std::abs(value);
        for (std::size_t i = 0; i < size; ++i) good &= std::abs(gradients[row * size + i] - expected[i]) <= 1e-13;
        if (!good) return state.SkipWithError("wrong answer");
    }
    for (auto _ : state) {
        hso::mep_gradient_batch(noise, lambdas, size, proxy, values, gradients);
        benchmark::ClobberMemory();
    }
    state.counters["ns_per_interval"] =
        benchmark::Counter(static_cast<double>(rows * (size - 1)) * 1e-9,
                           benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(mep_gradient_batch, vp_p2, bench::stable_diffusion(), 2.0)->Arg(64)->Arg(1024);
BENCHMARK_CAPTURE(mep_gradient_batch, vp_p2_5, bench::stable_diffusion(), 2.5)->Arg(64)->Arg(1024);
BENCHMARK_CAPTURE(mep_gradient_batch, flow_p2, hso::NoiseSchedule::flow(), 2.0)->Arg(64)->Arg(1024);
BENCHMARK_CAPTURE(mep_gradient_batch, flow_p2_5, hso::NoiseSchedule::flow(), 2.5)->Arg(64)->Arg(1024);

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

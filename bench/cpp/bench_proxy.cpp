#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <hso/error_proxy.hpp>
#include <hso/spacing.hpp>
#include <hso/start.hpp>

#include "answers.hpp"
#include "monotone_cubic.hpp"
#include "problems.hpp"
#include "weight_range.hpp"

namespace {

constexpr std::size_t kPoints = 100;

void proxy_weight_power(benchmark::State& state, double p) {
    const auto noise = bench::stable_diffusion();
    const auto proxy = hso::ErrorProxy::power(p);
    const auto lambdas = bench::even(-2.0, 2.5, kPoints);
    bool good = true;
    for (const double lambda : lambdas) {  // G = sigma^(p-1) and its first derivative -(p-1) alpha^2 G
        const long double sigma2 = 1.0L / (1.0L + std::exp(2.0L * static_cast<long double>(lambda))), q = p - 1.0;
        const long double expected = std::pow(sigma2, 0.5L * q);
        const auto weight = proxy.weight(noise, lambda);
        good &= bench::close(weight.g, expected, 1e-12) && bench::close(weight.d1, -q * (1.0L - sigma2) * expected, 1e-12);
    }
    if (!bench::right(state, good)) return;
    for (auto _ : state)
        for (const double lambda : lambdas) benchmark::DoNotOptimize(proxy.weight(noise, lambda));
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kPoints));
}
BENCHMARK_CAPTURE(proxy_weight_power, p2, 2.0);
BENCHMARK_CAPTURE(proxy_weight_power, p2_5, 2.5);

/// eps~ as measured: log(eps~) at 33 nodes, rough.
struct Measured {
    std::vector<double> lambda = bench::even(-3.0, 3.0, 33), value = bench::wavy(33);
    Measured() {
        for (std::size_t i = 0; i < value.size(); ++i) value[i] = std::exp(-0.8 * lambda[i] + 0.3 * value[i]);
    }
    hso::ErrorProxy proxy() const { return hso::ErrorProxy::table(lambda, value); }
};

bool passes_through_nodes(const hso::NoiseSchedule& noise, const Measured& measured) {
    const auto proxy = measured.proxy();
    for (std::size_t i = 0; i < measured.lambda.size(); ++i) {
        const long double expected =
            static_cast<long double>(measured.value[i]) * std::exp(static_cast<long double>(measured.lambda[i]));
        if (!bench::close(proxy.weight(noise, measured.lambda[i]).g, expected, 1e-12)) return false;
    }
    return true;
}

void proxy_weight_table(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const Measured measured;
    if (!bench::right(state, passes_through_nodes(noise, measured))) return;
    const auto proxy = measured.proxy();
    const auto lambdas = bench::even(-2.0, 2.5, kPoints);
    for (auto _ : state)
        for (const double lambda : lambdas) benchmark::DoNotOptimize(proxy.weight(noise, lambda));
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kPoints));
}
BENCHMARK(proxy_weight_table);

void proxy_table_construct(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const Measured measured;
    if (!bench::right(state, passes_through_nodes(noise, measured))) return;
    for (auto _ : state) benchmark::DoNotOptimize(measured.proxy());
}
BENCHMARK(proxy_table_construct);

void monotone_cubic(benchmark::State& state) {
    const Measured measured;
    hso::detail::Checkpoint checkpoint;
    const hso::detail::MonotoneCubic cubic(measured.lambda, measured.value, checkpoint);
    bool good = true;
    for (std::size_t i = 0; i < measured.lambda.size(); ++i)
        good &= bench::close(cubic(measured.lambda[i]).value, measured.value[i], 1e-13);
    if (!bench::right(state, good)) return;
    const auto points = bench::even(-2.9, 2.9, kPoints);
    for (auto _ : state)
        for (const double x : points) benchmark::DoNotOptimize(cubic(x));
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kPoints));
}
BENCHMARK(monotone_cubic);

/// The bounds of both derivatives hold for samples between.
void monotone_cubic_range(benchmark::State& state) {
    const Measured measured;
    hso::detail::Checkpoint checkpoint;
    const hso::detail::MonotoneCubic cubic(measured.lambda, measured.value, checkpoint);
    const auto points = bench::even(-2.9, 2.9, kPoints);
    bool good = true;
    for (std::size_t i = 0; i + 1 < kPoints; ++i) {
        const auto range = cubic.range(points[i], points[i + 1]);
        for (const double x : bench::even(points[i], points[i + 1], 9)) {
            const auto at = cubic(x);
            good &= at.d1 >= range.d1.low - 1e-12 && at.d1 <= range.d1.high + 1e-12 && at.d2 >= range.d2.low - 1e-9 &&
                    at.d2 <= range.d2.high + 1e-9;
        }
    }
    if (!bench::right(state, good)) return;
    for (auto _ : state)
        for (std::size_t i = 0; i + 1 < kPoints; ++i) benchmark::DoNotOptimize(cubic.range(points[i], points[i + 1]));
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kPoints - 1));
}
BENCHMARK(monotone_cubic_range);

void weight_ranges(benchmark::State& state, const hso::ErrorProxy& proxy) {
    const auto noise = bench::stable_diffusion();
    constexpr double first = -2.0, step = 0.04;
    bool good = true;
    const auto inside = [&](const hso::detail::Range& range, double value) {
        good &= value >= range.low - 1e-9 * (1.0 + std::abs(value)) && value <= range.high + 1e-9 * (1.0 + std::abs(value));
    };
    hso::detail::weight_ranges(noise, proxy, first, step, kPoints, [&](std::size_t j, const auto& weight, const auto& range) {
        const double at = first + step * static_cast<double>(j);
        good &= bench::close(weight.g, proxy.weight(noise, at).g, 1e-12);
        for (const double x : bench::even(at - step, at + step, 9)) {
            const auto near = proxy.weight(noise, x);
            inside(range.g, near.g), inside(range.d1, near.d1), inside(range.d2, near.d2);
        }
    });
    if (!bench::right(state, good)) return;
    for (auto _ : state)
        hso::detail::weight_ranges(noise, proxy, first, step, kPoints,
                                   [&](std::size_t, const auto&, const auto& range) { benchmark::DoNotOptimize(range.d2.high); });
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kPoints));
}
BENCHMARK_CAPTURE(weight_ranges, power, hso::ErrorProxy::power(2.0));
BENCHMARK_CAPTURE(weight_ranges, table, Measured().proxy());

/// Eq. 2, in long double.
void karras_start(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const hso::Psi psi{7.0, 0.03, 0.96};
    std::vector<double> lambdas(11);
    hso::karras_start(noise, psi, lambdas);
    const auto root = [&](double t) { return std::exp(-static_cast<long double>(noise.lambda(t)) / 7.0L); };
    bool good = true;
    for (std::size_t i = 0; i < lambdas.size(); ++i) {
        const long double share = static_cast<long double>(i) / 10.0L, sigma_root = std::lerp(root(0.96), root(0.03), share);
        good &= std::abs(static_cast<long double>(lambdas[i]) + 7.0L * std::log(sigma_root)) <= 1e-12L;
    }
    if (!bench::right(state, good)) return;
    for (auto _ : state) {
        hso::karras_start(noise, psi, lambdas);
        benchmark::ClobberMemory();
    }
}
BENCHMARK(karras_start);

/// d_min, spacing_penalty and min_spacing of 11 nodes, 0.093 apart.
void spacing(benchmark::State& state) {
    const auto t = bench::even(0.96, 0.03, 11);
    const auto all = [&] { return hso::d_min(10) + hso::min_spacing(t) + hso::spacing_penalty(t, 0.1, 1.0); };
    const long double d_min = 0.15L - (0.15L - 0.01L) * 6.0L / 16.0L;
    if (!bench::right(state, all(), d_min + 0.093L + 10.0L * 0.007L * 0.007L, 1e-10)) return;
    for (auto _ : state) benchmark::DoNotOptimize(all());
}
BENCHMARK(spacing);

}  // namespace

#include <cstddef>
#include <span>

#include <hso/objective.hpp>
#include <hso/spacing.hpp>

#include "answers.hpp"
#include "problems.hpp"

namespace {

constexpr double kRounding = 1e-12;

void count_intervals(benchmark::State& state, std::size_t intervals) {
    state.counters["ns_per_interval"] = benchmark::Counter(
        static_cast<double>(intervals) * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void mep(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const auto lambdas = bench::even_lambdas(noise, static_cast<std::size_t>(state.range(0)));
    const auto proxy = hso::ErrorProxy::power(2.0);
    if (!bench::right(state, hso::mep(noise, lambdas, proxy), bench::reference_mep(lambdas), kRounding)) return;
    for (auto _ : state) benchmark::DoNotOptimize(hso::mep(noise, lambdas, proxy));
    count_intervals(state, lambdas.size() - 1);
}
BENCHMARK(mep)->Arg(10);

void mep_gradient(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const auto lambdas = bench::even_lambdas(noise, static_cast<std::size_t>(state.range(0)));
    const auto proxy = hso::ErrorProxy::power(2.0);
    std::vector<double> gradient(lambdas.size());
    if (!bench::right(state, hso::mep_gradient(noise, lambdas, proxy, gradient), bench::reference_mep(lambdas), kRounding))
        return;
    for (auto _ : state) {
        benchmark::DoNotOptimize(hso::mep_gradient(noise, lambdas, proxy, gradient));
        benchmark::ClobberMemory();
    }
    count_intervals(state, lambdas.size() - 1);
}
BENCHMARK(mep_gradient)->Arg(5)->Arg(10)->Arg(20)->Arg(100);

/// Rows of 11 nodes, each with ends and interior nodes of its own.
std::vector<double> candidates(const hso::NoiseSchedule& noise, std::size_t rows) {
    const auto base = bench::even_lambdas(noise, 10);
    std::vector<double> lambdas;
    for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t i = 0; i < base.size(); ++i)
            lambdas.push_back(base[i] + 0.2 * std::sin(static_cast<double>(row * base.size() + i)));
    return lambdas;
}

constexpr std::size_t kRow = 11;

/// Each row's value and gradient against those of a call of its own.
bool batch_is_right(const hso::NoiseSchedule& noise, const hso::ErrorProxy& proxy, std::span<const double> lambdas,
                    std::span<const double> values, std::span<const double> gradients) {
    std::vector<double> expected(kRow);
    for (std::size_t row = 0; row < values.size(); ++row) {
        const double value = hso::mep_gradient(noise, lambdas.subspan(row * kRow, kRow), proxy, expected);
        bool good = std::abs(values[row] - value) <= 1e-14 * std::abs(value);
        for (std::size_t i = 0; i < kRow && !gradients.empty(); ++i)
            good &= std::abs(gradients[row * kRow + i] - expected[i]) <= 1e-13;
        if (!good) return false;
    }
    return true;
}

void mep_batch(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const auto rows = static_cast<std::size_t>(state.range(0));
    const auto lambdas = candidates(noise, rows);
    const auto proxy = hso::ErrorProxy::power(2.0);
    std::vector<double> values(rows);
    hso::mep_batch(noise, lambdas, kRow, proxy, values);
    if (!bench::right(state, batch_is_right(noise, proxy, lambdas, values, {}))) return;
    for (auto _ : state) {
        hso::mep_batch(noise, lambdas, kRow, proxy, values);
        benchmark::ClobberMemory();
    }
    count_intervals(state, rows * (kRow - 1));
}
BENCHMARK(mep_batch)->Arg(64);

void mep_gradient_batch(benchmark::State& state, const hso::NoiseSchedule& noise, double p) {
    const auto rows = static_cast<std::size_t>(state.range(0));
    const auto lambdas = candidates(noise, rows);
    const auto proxy = hso::ErrorProxy::power(p);
    std::vector<double> values(rows), gradients(lambdas.size());
    hso::mep_gradient_batch(noise, lambdas, kRow, proxy, values, gradients);
    if (!bench::right(state, batch_is_right(noise, proxy, lambdas, values, gradients))) return;
    for (auto _ : state) {
        hso::mep_gradient_batch(noise, lambdas, kRow, proxy, values, gradients);
        benchmark::ClobberMemory();
    }
    count_intervals(state, rows * (kRow - 1));
}
BENCHMARK_CAPTURE(mep_gradient_batch, vp_p2, bench::stable_diffusion(), 2.0)->Arg(64)->Arg(1024);
BENCHMARK_CAPTURE(mep_gradient_batch, vp_p2_5, bench::stable_diffusion(), 2.5)->Arg(64)->Arg(1024);
BENCHMARK_CAPTURE(mep_gradient_batch, flow_p2, hso::NoiseSchedule::flow(), 2.0)->Arg(64)->Arg(1024);
BENCHMARK_CAPTURE(mep_gradient_batch, flow_p2_5, hso::NoiseSchedule::flow(), 2.5)->Arg(64)->Arg(1024);

void mep_hessian(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    const auto lambdas = bench::even_lambdas(noise, static_cast<std::size_t>(state.range(0)));
    const auto proxy = hso::ErrorProxy::power(2.0);
    std::vector<double> gradient(lambdas.size()), diagonal(lambdas.size()), off_diagonal(lambdas.size() - 1);
    if (!bench::right(state, hso::mep_hessian(noise, lambdas, proxy, gradient, diagonal, off_diagonal),
                      bench::reference_mep(lambdas), kRounding))
        return;
    for (auto _ : state) {
        benchmark::DoNotOptimize(hso::mep_hessian(noise, lambdas, proxy, gradient, diagonal, off_diagonal));
        benchmark::ClobberMemory();
    }
}
BENCHMARK(mep_hessian)->Arg(10);

/// SPF with nodes that all miss the spacing: 10 intervals of 0.093 in t, asked to be 0.1.
void spf(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    std::vector<double> lambdas(11);
    noise.lambda(bench::even(0.96, 0.03, 11), lambdas);
    const long double expected = bench::reference_mep(lambdas) + 1e9L * 10.0L * 0.007L * 0.007L;
    if (!bench::right(state, hso::spf(noise, lambdas, 0.1), expected, 1e-9)) return;
    for (auto _ : state) benchmark::DoNotOptimize(hso::spf(noise, lambdas, 0.1));
}
BENCHMARK(spf);

/// DM-NonUni's bound has a gradient that finite differences of its value confirm.
void dm_nonuni_gradient(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    auto lambdas = bench::even_lambdas(noise, static_cast<std::size_t>(state.range(0)));
    const auto proxy = hso::ErrorProxy::power(2.0);
    std::vector<double> gradient(lambdas.size());
    const double value = hso::dm_nonuni_gradient(noise, lambdas, proxy, gradient);
    bool good = bench::close(value, hso::dm_nonuni(noise, lambdas, proxy), kRounding);
    for (double& x : lambdas) {
        constexpr double step = 1e-5;
        const double at = x, slope = gradient[static_cast<std::size_t>(&x - lambdas.data())];
        x = at + step;
        const double above = hso::dm_nonuni(noise, lambdas, proxy);
        x = at - step;
        const double below = hso::dm_nonuni(noise, lambdas, proxy);
        x = at;
        good &= std::abs((above - below) / (2.0 * step) - slope) <= 1e-6 * value;
    }
    if (!bench::right(state, good)) return;
    for (auto _ : state) {
        benchmark::DoNotOptimize(hso::dm_nonuni_gradient(noise, lambdas, proxy, gradient));
        benchmark::ClobberMemory();
    }
}
BENCHMARK(dm_nonuni_gradient)->Arg(10);

}  // namespace

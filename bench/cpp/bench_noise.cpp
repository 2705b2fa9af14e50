#include <cmath>
#include <cstddef>
#include <functional>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <hso/noise_schedule.hpp>

#include "answers.hpp"
#include "problems.hpp"

namespace {

constexpr std::size_t kEntries = 1000;

using AlphaSigma = std::pair<long double, long double>;

/// A way to make a noise schedule, and what its alpha and sigma are at the times of kTimes, from the formulas.
struct Kind {
    std::string name;
    std::function<hso::NoiseSchedule()> make;
    std::function<AlphaSigma(std::size_t)> expected;                ///< at entry i, t = (i + 1) / kEntries
    std::function<long double(std::size_t, long double)> timestep;  ///< from the entry and lambda
};

AlphaSigma of_log_alpha(long double log_alpha) { return {std::exp(log_alpha), std::sqrt(-std::expm1(2.0L * log_alpha))}; }

long double time(std::size_t i) { return static_cast<long double>(i + 1) / static_cast<long double>(kEntries); }

std::vector<long double> log_alphas(std::span<const double> betas) {
    std::vector<long double> logs;
    long double sum = 0.0L;
    for (const double beta : betas) logs.push_back(sum += 0.5L * std::log1p(-static_cast<long double>(beta)));
    return logs;
}

/// A table that is of no family: alpha = 1 - t/2, sigma = t^1.5.
struct General {
    std::vector<double> t, alpha, sigma;

    explicit General(std::size_t entries) {
        for (std::size_t i = 0; i < entries; ++i) {
            t.push_back(static_cast<double>(i + 1) / static_cast<double>(entries));
            alpha.push_back(1.0 - 0.5 * t.back());
            sigma.push_back(std::pow(t.back(), 1.5));
        }
    }
    hso::NoiseSchedule make() const { return hso::NoiseSchedule::from_table(t, alpha, sigma); }
    static AlphaSigma at(long double t) { return {1.0L - 0.5L * t, std::pow(t, 1.5L)}; }
};

std::vector<Kind> kinds() {
    const auto betas = bench::stable_diffusion_betas();
    const auto table = [logs = log_alphas(betas)](std::size_t i) { return of_log_alpha(logs[i]); };
    const auto index = [](std::size_t i, long double) { return static_cast<long double>(i); };
    const auto edm_log_sigma = [](std::size_t i) {
        return std::lerp(std::log(0.002L), std::log(80.0L), (time(i) - 0.001L) / 0.999L);
    };
    return {
        {"vp_table", [betas] { return hso::NoiseSchedule::from_betas(betas); }, table, index},
        {"vp_linear", [] { return hso::NoiseSchedule::vp_linear(); },
         [](std::size_t i) { return of_log_alpha(-time(i) * time(i) * 19.9L / 4.0L - time(i) * 0.1L / 2.0L); }, index},
        {"vp_cosine", [] { return hso::NoiseSchedule::vp_cosine(); },
         [](std::size_t i) {
             const auto angle = [](long double t) { return (t + 0.008L) / 1.008L * std::numbers::pi_v<long double> / 2.0L; };
             return of_log_alpha(std::log(std::cos(angle(time(i))) / std::cos(angle(0.0L))));
         },
         index},
        {"flow", [] { return hso::NoiseSchedule::flow(3.0); },
         [](std::size_t i) {
             return AlphaSigma{1.0L - time(i), time(i)};
         },
         [](std::size_t i, long double) { return static_cast<long double>(i + 1); }},
        {"edm", [] { return hso::NoiseSchedule::edm(); },
         [=](std::size_t i) {
             return AlphaSigma{1.0L, std::exp(edm_log_sigma(i))};
         },
         [](std::size_t, long double lambda) { return -lambda / 4.0L; }},
        {"general", [table = General(kEntries)] { return table.make(); }, [](std::size_t i) { return General::at(time(i)); },
         index},
    };
}

/// Entries 10 to 989: the ends of a family's range are cut in their own ways.
constexpr std::size_t kFirst = 10, kCount = 980;

/// The five maps, in and out, and what they give by the formulas.
struct Columns {
    std::vector<double> t, lambda, alpha, sigma, timestep;

    explicit Columns(const Kind& kind) {
        for (std::size_t i = kFirst; i < kFirst + kCount; ++i) {
            const auto [a, s] = kind.expected(i);
            const long double log_ratio = std::log(a / s);
            t.push_back(static_cast<double>(time(i)));
            lambda.push_back(static_cast<double>(log_ratio));
            alpha.push_back(static_cast<double>(a));
            sigma.push_back(static_cast<double>(s));
            timestep.push_back(static_cast<double>(kind.timestep(i, log_ratio)));
        }
    }
};

bool agree(std::span<const double> found, std::span<const double> expected) {
    for (std::size_t i = 0; i < found.size(); ++i)
        if (!(std::abs(found[i] - expected[i]) <= 1e-9 * (1.0 + std::abs(expected[i])))) return false;
    return true;
}

void construct(benchmark::State& state, const Kind& kind) {
    const Columns expected(kind);
    const auto noise = kind.make();
    std::vector<double> lambda(kCount);
    noise.lambda(expected.t, lambda);
    if (!bench::right(state, agree(lambda, expected.lambda))) return;
    for (auto _ : state) benchmark::DoNotOptimize(kind.make());
}

using Map = void (hso::NoiseSchedule::*)(std::span<const double>, std::span<double>) const;
using Column = std::vector<double> Columns::*;

void evaluate(benchmark::State& state, const Kind& kind, Map map, Column in, Column out) {
    const Columns columns(kind);
    const auto noise = kind.make();
    std::vector<double> found(kCount);
    (noise.*map)(columns.*in, found);
    if (!bench::right(state, agree(found, columns.*out))) return;
    for (auto _ : state) {
        (noise.*map)(columns.*in, found);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kCount));
}

/// noise_construct/<kind>, noise_<map>/<kind>: 980 values.
[[maybe_unused]] const bool registered = [] {
    const auto all = kinds();
    for (const Kind& kind : all)
        benchmark::RegisterBenchmark(("noise_construct/" + kind.name).c_str(), [kind](benchmark::State& state) {
            construct(state, kind);
        })->Unit(benchmark::kMicrosecond);
    struct Evaluation {
        const char* name;
        Map map;
        Column in, out;
    };
    const Evaluation evaluations[] = {
        {"lambda", &hso::NoiseSchedule::lambda, &Columns::t, &Columns::lambda},
        {"t", &hso::NoiseSchedule::t, &Columns::lambda, &Columns::t},
        {"alpha", &hso::NoiseSchedule::alpha, &Columns::lambda, &Columns::alpha},
        {"sigma", &hso::NoiseSchedule::sigma, &Columns::lambda, &Columns::sigma},
        {"timestep", &hso::NoiseSchedule::timestep, &Columns::lambda, &Columns::timestep},
    };
    for (const Evaluation& e : evaluations)
        for (const Kind& kind : all)
            benchmark::RegisterBenchmark(("noise_" + std::string(e.name) + "/" + kind.name).c_str(),
                                         [kind, e](benchmark::State& state) { evaluate(state, kind, e.map, e.in, e.out); })
                ->Unit(benchmark::kMicrosecond);
    return true;
}();

/// The other constructors, and larger tables.
void noise_from_betas(benchmark::State& state) {
    const auto betas = bench::stable_diffusion_betas(static_cast<int>(state.range(0)));
    const auto logs = log_alphas(betas);
    const std::size_t half = betas.size() / 2 - 1;  // t = 0.5
    const auto [alpha, sigma] = of_log_alpha(logs[half]);
    if (!bench::right(state, hso::NoiseSchedule::from_betas(betas).lambda(0.5), std::log(alpha / sigma), 1e-9)) return;
    for (auto _ : state) benchmark::DoNotOptimize(hso::NoiseSchedule::from_betas(betas));
}
BENCHMARK(noise_from_betas)->Arg(10000)->Unit(benchmark::kMicrosecond);

void noise_from_alphas_cumprod(benchmark::State& state) {
    std::vector<double> alphas_cumprod;
    for (const long double log_alpha : log_alphas(bench::stable_diffusion_betas()))
        alphas_cumprod.push_back(static_cast<double>(std::exp(2.0L * log_alpha)));
    const long double log_alpha = 0.5L * std::log(static_cast<long double>(alphas_cumprod[499]));
    const auto [alpha, sigma] = of_log_alpha(log_alpha);
    if (!bench::right(state, hso::NoiseSchedule::from_alphas_cumprod(alphas_cumprod).lambda(0.5), std::log(alpha / sigma), 1e-9))
        return;
    for (auto _ : state) benchmark::DoNotOptimize(hso::NoiseSchedule::from_alphas_cumprod(alphas_cumprod));
}
BENCHMARK(noise_from_alphas_cumprod)->Unit(benchmark::kMicrosecond);

void noise_from_table(benchmark::State& state) {
    const General table(static_cast<std::size_t>(state.range(0)));
    const auto [alpha, sigma] = General::at(0.5L);
    if (!bench::right(state, table.make().lambda(0.5), std::log(alpha / sigma), 1e-9)) return;
    for (auto _ : state) benchmark::DoNotOptimize(table.make());
}
BENCHMARK(noise_from_table)->Arg(10000)->Unit(benchmark::kMicrosecond);

void t_to_lambda_and_back(benchmark::State& state) {
    const auto noise = bench::stable_diffusion();
    double t = 0.4321;
    if (!bench::right(state, noise.t(noise.lambda(t)), t, 1e-12)) return;
    for (auto _ : state) benchmark::DoNotOptimize(t = noise.t(noise.lambda(t)));
}
BENCHMARK(t_to_lambda_and_back);

}  // namespace

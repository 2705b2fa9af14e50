// Solvers and their error on a measured model.
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <hso/error_model.hpp>

#include "answers.hpp"
#include "multistep.hpp"
#include "problems.hpp"

namespace {

using hso::Solver;

constexpr Solver kDdim{Solver::Kind::ddim, 1}, kDpm2M{Solver::Kind::dpm_solver_pp, 2}, kUniPc{Solver::Kind::unipc, 2};

/// Ten steps on 64 numbers. A network that always says c is solved exactly by all of them: y - c shrinks by e^-lambda.
void multistep(benchmark::State& state, Solver solver) {
    constexpr std::size_t size = 64;
    const auto lambdas = bench::even(-3.0, 2.0, 11), start = bench::wavy(size), c = bench::wavy(size, 1.0);
    hso::detail::Multistep run(solver, size);
    auto y = start;
    const auto predict = [&](double, std::span<const double>, std::span<double> x0) {
        std::copy(c.begin(), c.end(), x0.begin());
    };
    run.run(lambdas, false, predict, y);
    bool good = true;
    for (std::size_t i = 0; i < size; ++i) good &= std::abs(y[i] - (c[i] + std::exp(-5.0) * (start[i] - c[i]))) <= 1e-12;
    if (!bench::right(state, good)) return;
    for (auto _ : state) {
        y = start;
        run.run(lambdas, false, predict, y);
        benchmark::ClobberMemory();
    }
}
BENCHMARK_CAPTURE(multistep, ddim, kDdim)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(multistep, dpm_solver_2m, kDpm2M)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(multistep, unipc, kUniPc)->Unit(benchmark::kMicrosecond);

/// Gaussian data of variance 1/4 in every direction: the denoiser is y C / (C + s^2), its trajectories have closed forms.
struct Gaussian {
    static constexpr double kVariance = 0.25;
    static constexpr std::size_t kRank = 64, kNodes = 41, kProbes = 64;
    hso::NoiseSchedule noise = bench::stable_diffusion();
    double low = noise.lambda_range().first, high = 3.5;

    static double total(double lambda) { return kVariance + std::exp(-2.0 * lambda); }
    static double shrink(double lambda) { return kVariance / total(lambda); }
    /// y at lambda for eps = 1.
    double state(double lambda) const { return std::sqrt(total(lambda) / total(low)) / noise.alpha(low); }

    hso::Measurements measurements() const {
        hso::Measurements m;
        m.rank = kRank;
        m.lambdas = bench::even(low, high, kNodes);
        m.eps = bench::wavy(kRank);
        for (const double lambda : m.lambdas)
            for (const double eps : m.eps) {
                m.states.push_back(state(lambda) * eps);
                m.x0.push_back(shrink(lambda) * m.states.back());
            }
        m.probe_lambdas = bench::even(low, high, kProbes);
        for (std::size_t i = 0; i < kProbes; ++i)
            for (const double error : bench::wavy(kRank, static_cast<double>(i))) {
                m.probe_errors.push_back(error);
                m.probe_responses.push_back(shrink(m.probe_lambdas[i]) * error);
            }
        return m;
    }

    /// DDIM's error by hand: Euler's method on one number, times the length of eps.
    double ddim_error(std::span<const double> lambdas) const {
        double y = 1.0 / noise.alpha(lambdas[0]);
        for (std::size_t i = 0; i + 1 < lambdas.size(); ++i) {
            const double kept = std::exp(lambdas[i] - lambdas[i + 1]);
            y = kept * y + (1.0 - kept) * shrink(lambdas[i]) * y;
        }
        double squares = 0.0;
        for (const double eps : bench::wavy(kRank)) squares += eps * eps;
        return std::abs(shrink(lambdas.back()) * y - shrink(high) * state(high)) * std::sqrt(squares);
    }

    std::vector<double> nodes(std::size_t count) const { return bench::even(low, 2.0, count); }
};

void error_model_construct(benchmark::State& state) {
    const Gaussian data;
    const auto nodes = data.nodes(10);
    if (!bench::right(state, hso::ErrorModel(data.noise, data.measurements()).error(nodes, kDdim, hso::Terminal::zero),
                      data.ddim_error(nodes), 0.01))
        return;
    const auto measurements = data.measurements();
    for (auto _ : state) benchmark::DoNotOptimize(hso::ErrorModel(data.noise, measurements));
}
BENCHMARK(error_model_construct)->Unit(benchmark::kMillisecond);

void error_model_error(benchmark::State& state, Solver solver) {
    const Gaussian data;
    const hso::ErrorModel model(data.noise, data.measurements());
    const auto nodes = data.nodes(10);
    // DDIM's is known; the others are of second order, and far better
    const double ddim = data.ddim_error(nodes), error = model.error(nodes, solver, hso::Terminal::zero);
    if (!bench::right(state, solver.order == 1 ? bench::close(error, ddim, 0.01) : error > 0.0 && error < 0.5 * ddim)) return;
    for (auto _ : state) benchmark::DoNotOptimize(model.error(nodes, solver, hso::Terminal::zero));
}
BENCHMARK_CAPTURE(error_model_error, ddim, kDdim)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(error_model_error, dpm_solver_2m, kDpm2M)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(error_model_error, unipc, kUniPc)->Unit(benchmark::kMicrosecond);

void error_model_jumps(benchmark::State& state) {
    const Gaussian data;
    const hso::ErrorModel model(data.noise, data.measurements());
    const auto points = data.nodes(static_cast<std::size_t>(state.range(0)));
    using Carried = hso::ErrorModel::Carried;
    // one long step from the first point: its error in y by hand
    const std::size_t to = points.size() / 2;
    const double kept = std::exp(points[0] - points[to]), y = data.state(points[0]);
    double squares = 0.0;
    for (const double eps : bench::wavy(Gaussian::kRank)) squares += eps * eps;
    const double expected =
        std::abs(kept * y + (1.0 - kept) * Gaussian::shrink(points[0]) * y - data.state(points[to])) * std::sqrt(squares);
    if (!bench::right(state, model.jumps(points, Carried::no)[to], expected, 0.01)) return;
    for (auto _ : state) benchmark::DoNotOptimize(model.jumps(points, Carried::no));
}
BENCHMARK(error_model_jumps)->Arg(50)->Unit(benchmark::kMicrosecond);

void error_model_improve(benchmark::State& state) {
    const Gaussian data;
    const hso::ErrorModel model(data.noise, data.measurements());
    const auto start = data.nodes(static_cast<std::size_t>(state.range(0)));
    hso::ErrorModel::Search search;
    search.first = {data.low, data.low};
    search.last = {1.0, 3.0};
    const auto found = model.improve(start, search);
    if (!bench::right(state, found.error < 0.95 * data.ddim_error(start) &&
                                 bench::close(data.ddim_error(found.lambdas), found.error, 0.02)))
        return;
    for (auto _ : state) benchmark::DoNotOptimize(model.improve(start, search));
}
BENCHMARK(error_model_improve)->Arg(6)->Unit(benchmark::kMillisecond);

}  // namespace

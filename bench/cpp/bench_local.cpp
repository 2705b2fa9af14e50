// Local optimizers: Newton, its quadratic programs, NLopt's SLSQP and subplex, the bi-level search's lower level.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "answers.hpp"
#include "chain_qp.hpp"
#include "dense.hpp"
#include "lower_level.hpp"
#include "newton.hpp"
#include "preconditioner.hpp"
#include "problem.hpp"
#include "problems.hpp"
#include "slsqp.hpp"

namespace {

using namespace hso::detail;

constexpr int kEvaluations = 1000;

/// All nodes, ends free, spacing kept, from an even spread over the widest ends, to the published optimum.
void newton(benchmark::State& state) {
    const auto nfe = static_cast<int>(state.range(0));
    const auto problem = make_problem(bench::stable_diffusion(), nfe, bench::published_options());
    const auto start = bench::even(problem.t_max.second, problem.t_min.first, problem.nodes());
    Checkpoint checkpoint;
    Newton solver(problem, checkpoint);
    auto t = start;
    const double value = solver.minimize(t, problem.t_max, problem.t_min, kEvaluations, true).value;
    if (!bench::right(state, value, bench::published_optimum(nfe), 1e-6)) return;
    for (auto _ : state) {
        t = start;
        benchmark::DoNotOptimize(solver.minimize(t, problem.t_max, problem.t_min, kEvaluations, true));
    }
}
BENCHMARK(newton)->Arg(5)->Arg(10)->Arg(20)->Unit(benchmark::kMicrosecond);

constexpr hso::Psi kPsi{7.0, 0.02, 0.98};

/// One solve of the lower level, as published (free) or with the spacing: Newton and SLSQP have to agree.
void lower_level(benchmark::State& state, hso::LocalSolver local, bool spaced) {
    const auto nfe = static_cast<int>(state.range(0));
    auto options = bench::published_options();
    options.d_min = 0.5 / nfe;
    const auto problem = make_problem(bench::stable_diffusion(), nfe, options);
    Checkpoint checkpoint;
    LowerLevel level(problem, local, 80, checkpoint);
    LowerLevel other(problem, local == hso::LocalSolver::newton ? hso::LocalSolver::slsqp : hso::LocalSolver::newton,
                     kEvaluations, checkpoint);
    std::vector<double> nodes(problem.nodes());
    const auto solve = [&](LowerLevel& solver) {
        return spaced ? solver.solve_spaced(kPsi, nodes) : solver.solve_free(kPsi, nodes);
    };
    if (!bench::right(state, solve(level), solve(other), 1e-8)) return;
    for (auto _ : state) benchmark::DoNotOptimize(solve(level));
}
BENCHMARK_CAPTURE(lower_level, free_newton, hso::LocalSolver::newton, false)->Arg(5)->Arg(20)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(lower_level, free_slsqp, hso::LocalSolver::slsqp, false)->Arg(5)->Arg(20)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(lower_level, spaced_newton, hso::LocalSolver::newton, true)->Arg(5)->Arg(20)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(lower_level, spaced_slsqp, hso::LocalSolver::slsqp, true)->Arg(5)->Arg(20)->Unit(benchmark::kMicrosecond);

/// The nearest sequence that does not rise, by pooling neighbours that do.
std::vector<double> nearest_falling(std::span<const double> c) {
    struct Block {
        double sum;
        std::size_t size;
        double mean() const { return sum / static_cast<double>(size); }
    };
    std::vector<Block> blocks;
    for (const double x : c) {
        blocks.push_back({x, 1});
        while (blocks.size() > 1 && blocks.back().mean() > blocks[blocks.size() - 2].mean()) {
            const Block last = blocks.back();
            blocks.pop_back();
            blocks.back().sum += last.sum;
            blocks.back().size += last.size;
        }
    }
    std::vector<double> falling;
    for (const Block& block : blocks) falling.insert(falling.end(), block.size, block.mean());
    return falling;
}

/// With the identity as Hessian and no slack the program is that projection, with half of the constraints active.
void chain_qp(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const std::vector<double> diagonal(n, 1.0), off_diagonal(n - 1, 0.0), slack(n - 1, 0.0), low(n, -infinity), high(n, infinity);
    auto c = bench::wavy(n), gradient = c;
    for (std::size_t i = 0; i < n; ++i) {
        c[i] -= 0.2 * static_cast<double>(i);
        gradient[i] = -c[i];
    }
    std::vector<double> step(n);
    ChainQp qp(n);
    Checkpoint checkpoint;
    const ChainQp::Problem problem{diagonal, off_diagonal, gradient, slack, low, high};
    qp.solve(problem, step, checkpoint);
    const auto expected = nearest_falling(c);
    bool good = true;
    for (std::size_t i = 0; i < n; ++i) good &= std::abs(step[i] - expected[i]) <= 1e-12 * static_cast<double>(n);
    if (!bench::right(state, good)) return;
    for (auto _ : state) {
        qp.solve(problem, step, checkpoint);
        benchmark::ClobberMemory();
    }
}
BENCHMARK(chain_qp)->Arg(10)->Arg(100)->Unit(benchmark::kMicrosecond);

/// H = L L^T: in the new variables it is the identity, so x^T H x = |z|^2.
void preconditioner(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    auto diagonal = bench::wavy(n), off_diagonal = bench::wavy(n - 1, 1.0);
    const auto z = bench::wavy(n, 2.0);
    for (double& d : diagonal) d += 3.5;
    Preconditioner change;
    std::vector<double> x = z;
    const auto all = [&] {
        change.factor(diagonal, off_diagonal);
        std::copy(z.begin(), z.end(), x.begin());
        change.to_step(x);
    };
    all();
    long double square = 0.0L, expected = 0.0L;
    for (std::size_t i = 0; i < n; ++i) {
        square += diagonal[i] * x[i] * x[i] + (i + 1 < n ? 2.0 * off_diagonal[i] * x[i] * x[i + 1] : 0.0);
        expected += z[i] * z[i];
    }
    if (!bench::right(state, static_cast<double>(square), expected, 1e-12)) return;
    for (auto _ : state) {
        all();
        benchmark::ClobberMemory();
    }
}
BENCHMARK(preconditioner)->Arg(20);

/// The nearest point of a half space to c, a closed form.
void slsqp(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    const auto c = bench::wavy(n), normal = bench::wavy(n, 1.0);
    std::vector<double> x(n);
    const auto f = [&](std::span<const double> at, std::span<double> gradient) {
        double sum = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            sum += 0.5 * (at[i] - c[i]) * (at[i] - c[i]);
            if (!gradient.empty()) gradient[i] = at[i] - c[i];
        }
        return sum;
    };
    const std::vector<double> bound = {-0.5};
    const auto solve = [&] {
        std::fill(x.begin(), x.end(), 0.0);
        x[0] = -0.5 / normal[0];  // feasible
        return minimize_slsqp(x, f, {normal, bound}, {.tolerance = 1e-15, .max_evaluations = 200}).value;
    };
    const double excess = dot(normal, c) - bound[0];
    const long double expected = excess > 0.0 ? 0.5L * excess * excess / dot(normal, normal) : 0.0L;
    if (!bench::right(state, excess > 0.0 && bench::close(solve(), expected, 1e-6))) return;
    for (auto _ : state) benchmark::DoNotOptimize(solve());
}
BENCHMARK(slsqp)->Arg(10)->Unit(benchmark::kMicrosecond);

/// Two variables, as at the end of the published search.
void subplex(benchmark::State& state) {
    const std::vector<double> low = {0.0, 0.0}, high = {1.0, 1.0};
    std::vector<double> x(2);
    const auto f = [](std::span<const double> at) { return std::abs(at[0] - 0.3) + (at[1] - 0.6) * (at[1] - 0.6); };
    const auto solve = [&] {
        x = {0.5, 0.5};
        return minimize_subplex(x, low, high, f, {.tolerance = 1e-12, .max_evaluations = 300});
    };
    solve();
    if (!bench::right(state, std::abs(x[0] - 0.3) < 1e-5 && std::abs(x[1] - 0.6) < 1e-3)) return;
    for (auto _ : state) benchmark::DoNotOptimize(solve());
}
BENCHMARK(subplex)->Unit(benchmark::kMicrosecond);

/// Cholesky: A X = B with one right-hand side.
void solve_positive(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    const auto entries = bench::wavy(n * n), right = bench::wavy(n, 1.0);
    std::vector<double> matrix(n * n);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j)
            matrix[i * n + j] = dot(row(entries, i, n), row(entries, j, n)) + (i == j ? static_cast<double>(n) : 0.0);
    auto a = matrix, b = right;
    Checkpoint checkpoint;
    const auto solve = [&] {
        a = matrix;
        b = right;
        hso::detail::solve_positive(a, n, b, 1, checkpoint);
    };
    solve();
    bool good = true;
    for (std::size_t i = 0; i < n; ++i) good &= std::abs(dot(row(matrix, i, n), b) - right[i]) <= 1e-12;
    if (!bench::right(state, good)) return;
    for (auto _ : state) {
        solve();
        benchmark::ClobberMemory();
    }
}
BENCHMARK(solve_positive)->Arg(20)->Unit(benchmark::kMicrosecond);

}  // namespace

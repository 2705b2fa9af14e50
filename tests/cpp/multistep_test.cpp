#include "multistep.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "multistep_reference.hpp"
#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

constexpr std::size_t kSize = 3;
constexpr Solver kSolvers[] = {
    {Solver::Kind::ddim, 1},  {Solver::Kind::dpm_solver_pp, 1}, {Solver::Kind::dpm_solver_pp, 2},
    {Solver::Kind::unipc, 1}, {Solver::Kind::unipc, 2},         {Solver::Kind::unipc, 3},
};

/// A network that is nothing special: components mix, and nothing is linear.
template <class Number>
void ask(Number lambda, const Number* y, Number* x0) {
    for (std::size_t r = 0; r < kSize; ++r)
        x0[r] = std::tanh(y[(r + 1) % kSize] / (1 + std::exp(-lambda))) + std::sin(lambda + static_cast<Number>(r)) / 2;
}

std::vector<double> run(Solver solver, const std::vector<double>& lambdas, bool to_zero, std::vector<double> y,
                        std::vector<double>* asked = nullptr) {
    detail::Multistep multistep(solver, kSize);
    const auto predict = [&](double lambda, std::span<const double> at, std::span<double> x0) {
        if (asked) asked->push_back(lambda);
        ask(lambda, at.data(), x0.data());
    };
    multistep.run(lambdas, to_zero, predict, y);
    return y;
}

}  // namespace

TEST_CASE("multistep solvers are exponential integrators of what their papers say") {
    Random random(5);
    for (const Solver solver : kSolvers)
        for (std::size_t steps = 1; steps <= 20; ++steps)
            for (const bool to_zero : {true, false}) {
                CAPTURE(static_cast<int>(solver.kind));
                CAPTURE(solver.order);
                CAPTURE(steps);
                CAPTURE(to_zero);
                const std::size_t nodes = steps + (to_zero ? 0 : 1);
                // gaps from a tenth of the mean one: h from 0.03 to several
                const auto lambdas = random_increasing(random, std::max<std::size_t>(nodes, 2), -4.0, 3.0);
                const std::vector<double> used(lambdas.begin(), lambdas.begin() + static_cast<std::ptrdiff_t>(nodes));
                const std::vector<double> start{30.0, -20.0, 5.0};
                const auto expected = reference_solver(used, to_zero, solver,
                                                       [](long double lambda, const Vector& y) {
                                                           Vector x0(kSize);
                                                           ask(lambda, y.data(), x0.data());
                                                           return x0;
                                                       },
                                                       {start.begin(), start.end()});
                std::vector<double> asked;
                const auto found = run(solver, used, to_zero, start, &asked);
                CHECK(asked == std::vector<double>(used.begin(), used.begin() + static_cast<std::ptrdiff_t>(steps)));
                CHECK(relative_error(found, std::vector<double>(expected.begin(), expected.end())) < 1e-12);
            }
}

TEST_CASE("2M's last step is of order 2 from 15 steps on") {
    for (const std::size_t steps : {std::size_t{14}, std::size_t{15}}) {
        std::vector<double> lambdas;
        for (std::size_t i = 0; i <= steps; ++i) lambdas.push_back(-3.0 + 0.4 * static_cast<double>(i));
        // the last prediction but one counts in the last step only where that is of order 2
        const auto final = [&](double bump) {
            detail::Multistep multistep({Solver::Kind::dpm_solver_pp, 2}, 1);
            std::vector<double> y{1.0};
            std::vector<double> before;
            std::size_t call = 0;
            multistep.run(
                lambdas, false,
                [&](double, std::span<const double> at, std::span<double> x0) {
                    ++call;
                    x0[0] = call == steps - 1 ? bump : 0.0;
                    if (call == steps) before.assign(at.begin(), at.end());
                },
                y);
            return y[0] - before[0] * std::exp(-0.4);
        };
        const double moved = final(1.0);
        CHECK(moved == doctest::Approx(steps < 15 ? 0.0 : 0.5 * std::expm1(-0.4)).epsilon(1e-12));
    }
}

TEST_CASE("a solver may run again, and nothing is left of the run before") {
    const std::vector<double> lambdas{-3.0, -1.5, -0.2, 0.9, 2.0, 2.4};
    for (const Solver solver : kSolvers) {
        detail::Multistep multistep(solver, kSize);
        const auto predict = [](double lambda, std::span<const double> y, std::span<double> x0) {
            ask(lambda, y.data(), x0.data());
        };
        std::vector<double> first{1.0, 2.0, -3.0}, second{0.5, 0.1, 0.7};
        multistep.run(lambdas, false, predict, first);
        multistep.run(std::span(lambdas).first(3), true, predict, second);
        CHECK(first == run(solver, lambdas, false, {1.0, 2.0, -3.0}));
        CHECK(second == run(solver, {lambdas.begin(), lambdas.begin() + 3}, true, {0.5, 0.1, 0.7}));
    }
}

TEST_CASE("small steps are as exact as large ones") {
    // phi functions of tiny arguments, and of those about 1 where their formula changes
    for (const double h : {1e-3, 0.3, 0.999999, 1.000001, 2.5, 6.0})
        for (const int order : {2, 3}) {
            std::vector<double> lambdas;
            for (int i = 0; i < 6; ++i) lambdas.push_back(-4.0 + h * i * (1.0 + 0.05 * i));
            const Solver solver{Solver::Kind::unipc, order};
            const auto expected = reference_solver(lambdas, false, solver,
                                                   [](long double lambda, const Vector& y) {
                                                       Vector x0(kSize);
                                                       ask(lambda, y.data(), x0.data());
                                                       return x0;
                                                   },
                                                   {1.0L, -2.0L, 0.5L});
            CAPTURE(h);
            CHECK(relative_error(run(solver, lambdas, false, {1.0, -2.0, 0.5}),
                                 std::vector<double>(expected.begin(), expected.end())) < 1e-12);
        }
}

#include "newton.hpp"

#include <hso/objective.hpp>
#include <hso/schedule.hpp>

#include <optional>

#include <doctest/doctest.h>

#include "chain_kkt.hpp"
#include "lower_level.hpp"
#include "noise_table.hpp"
#include "support.hpp"

using namespace hso;
using namespace hso::detail;
using namespace hso::test;

namespace {

constexpr int kEvaluations = 1000;
constexpr double kPowers[] = {0.0, 1.0, 2.0, 2.5, 3.0, 4.0};

const std::vector<NoiseSchedule>& smooth_schedules() {
    static const std::vector<NoiseSchedule> all = {NoiseSchedule::vp_linear(), NoiseSchedule::vp_cosine(), NoiseSchedule::flow(),
                                                   NoiseSchedule::flow(3.0), NoiseSchedule::edm()};
    return all;
}

/// The objective in t: MEP, and a soft problem's penalty.
double value_of(const Problem& problem, std::span<const double> t) {
    std::vector<double> lambdas(t.size());
    problem.lambda(t, lambdas);
    double sum = mep(problem.noise, lambdas, problem.proxy);
    for (std::size_t i = 0; problem.soft && i + 1 < t.size(); ++i)
        sum += problem.gamma * std::pow(std::max(0.0, problem.d_min - (t[i] - t[i + 1])), 2);
    return sum;
}

/// Random nodes that keep the spacing.
std::vector<double> random_start(Random& random, const Problem& problem) {
    const std::size_t n = problem.nodes();
    const double need = problem.spacing * static_cast<double>(n - 1);
    const double first = random.uniform(std::max(problem.t_max.first, problem.t_min.first + need), problem.t_max.second);
    const double last = random.uniform(problem.t_min.first, std::min(problem.t_min.second, first - need));
    const auto x = random_increasing(random, n, 0.0, std::max(0.0, first - last - need));
    std::vector<double> t(n);
    for (std::size_t i = 0; i < n; ++i) t[i] = first - x[i] - problem.spacing * static_cast<double>(i);
    keep_spacing(t, problem.spacing, problem.t_min, problem.t_max);
    return t;
}

void check_result(const Problem& problem, std::span<const double> t, const std::pair<double, double>& first,
                  const std::pair<double, double>& last, double value, double value_before) {
    REQUIRE(value <= value_before * (1.0 + 1e-13));
    REQUIRE(relative_error(value, value_of(problem, t)) < 1e-12);
    for (std::size_t i = 0; i + 1 < t.size(); ++i) REQUIRE(t[i] - t[i + 1] >= problem.spacing - 1e-12);
    REQUIRE(t.front() >= first.first);
    REQUIRE(t.front() <= first.second);
    REQUIRE(t.back() >= last.first);
    REQUIRE(t.back() <= last.second);
}

/// How far `t` is from stationary, as a share of the largest entry of the gradient.
double stationarity(const Problem& problem, std::span<const double> t, const std::pair<double, double>& first,
                    const std::pair<double, double>& last) {
    const std::size_t n = t.size();
    std::vector<double> lambdas(n), gradient(n);
    problem.lambda(t, lambdas);
    mep_gradient(problem.noise, lambdas, problem.proxy, gradient);
    Tight tight{std::vector<bool>(n), std::vector<bool>(n), std::vector<bool>(n)};
    double largest = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
        gradient[i] *= problem.noise.lambda_slope(t[i]).dlambda_dt;
        largest = std::max(largest, std::abs(gradient[i]));
        tight.gap[i] = i + 1 < n && t[i] - t[i + 1] <= problem.spacing + 1e-11;
    }
    tight.low.front() = t.front() - first.first <= 1e-14;
    tight.high.front() = first.second - t.front() <= 1e-14;
    tight.low.back() = t.back() - last.first <= 1e-14;
    tight.high.back() = last.second - t.back() <= 1e-14;
    return chain_kkt_violation(gradient, tight) / largest;
}

/// lambda(t) steep in the middle, and rough: equal steps in lambda want nodes closer than a spacing lets them be.
NoiseSchedule rough_table(Random& random) {
    std::vector<double> t, alpha, sigma;
    double lambda = 4.0;
    for (int i = 0; i <= 60; ++i) {
        t.push_back(0.01 + 0.99 * i / 60.0);
        sigma.push_back(std::exp(-lambda));
        alpha.push_back(1.0);
        lambda -= (0.03 + 0.5 * std::exp(-std::pow((t.back() - 0.5) / 0.1, 2))) * random.uniform(0.3, 1.7);
    }
    return NoiseSchedule::from_table(t, alpha, sigma);
}

}  // namespace

TEST_CASE("Newton over t ends at a stationary point within all constraints, from anywhere") {
    Random random(91);
    for (const auto& noise : smooth_schedules())
        for (double p : kPowers)
            for (int nfe : {2, 3, 5, 8, 20, 60}) {
                const std::string name(to_string(noise.family()));
                CAPTURE(name);
                CAPTURE(p);
                CAPTURE(nfe);
                const auto wanted = random.below(2) ? std::nullopt : std::optional(random.uniform(0.0, 0.9) / nfe);
                const auto problem =
                    make_problem(noise, nfe, {.proxy = ErrorProxy::power(p), .limits = Limits::published, .d_min = wanted});
                auto t = random_start(random, problem);
                Checkpoint unasked;
                Newton newton(problem, unasked);
                const double before = value_of(problem, t);
                auto fixed = t;
                const auto result = newton.minimize(t, problem.t_max, problem.t_min, kEvaluations, true);
                CHECK(!result.kinked);
                CHECK(result.evaluations <= 100);  // a wrong Hessian would need many
                check_result(problem, t, problem.t_max, problem.t_min, result.value, before);
                CHECK(stationarity(problem, t, problem.t_max, problem.t_min) < 1e-5);
                // the same object, with fixed ends
                const std::pair first(fixed.front(), fixed.front()), last(fixed.back(), fixed.back());
                const auto held = newton.minimize(fixed, first, last, kEvaluations, false);
                check_result(problem, fixed, first, last, held.value, before);
                CHECK(stationarity(problem, fixed, first, last) < 1e-5);
            }
}

TEST_CASE("Newton goes on where the Hessian is indefinite") {
    // after two steps MEP is concave in most of the nodes, and Newton's quadratic program has no minimum
    const auto problem =
        make_problem(NoiseSchedule::edm(), 5, {.proxy = ErrorProxy::power(4.0), .limits = Limits::published, .d_min = 0.0});
    std::vector t = {0.96885284466487642, 0.92196201209641704, 0.5889201742216954, 0.39624685305692409, 0.020195786654886177};
    const double before = value_of(problem, t);
    Checkpoint unasked;
    const auto result = Newton(problem, unasked).minimize(t, problem.t_max, problem.t_min, kEvaluations, true);
    check_result(problem, t, problem.t_max, problem.t_min, result.value, before);
    CHECK(stationarity(problem, t, problem.t_max, problem.t_min) < 1e-5);

    Random random(96);
    for (int repeat = 0; repeat < 1000; ++repeat) {
        CAPTURE(repeat);
        const int nfe = 2 + static_cast<int>(random.below(7));
        const auto& noise = smooth_schedules()[random.below(smooth_schedules().size())];
        const auto proxy = ErrorProxy::power(random.uniform(2.5, 4.0));
        const auto any =
            make_problem(noise, nfe, {.proxy = proxy, .limits = Limits::published, .d_min = random.below(2) ? 0.0 : 0.5 / nfe});
        auto x = random_start(random, any);
        Newton(any, unasked).minimize(x, any.t_max, any.t_min, kEvaluations, true);
        CHECK(stationarity(any, x, any.t_max, any.t_min) < 1e-5);
    }
}

TEST_CASE("Newton over t and over lambda agrees with SLSQP" * doctest::test_suite("nlopt")) {
    Random random(92);
    std::vector<NoiseSchedule> schedules = smooth_schedules();
    schedules.push_back(sd_noise());
    for (const auto& noise : schedules)
        for (int nfe : {3, 5, 10}) {
            const std::string name(to_string(noise.family()));
            CAPTURE(name);
            CAPTURE(nfe);
            const auto problem = make_problem(noise, nfe, {.limits = Limits::published, .d_min = 0.5 / nfe});
            Checkpoint unasked;
            LowerLevel newton(problem, LocalSolver::newton, kEvaluations, unasked),
                slsqp(problem, LocalSolver::slsqp, kEvaluations, unasked);
            const Psi psi{random.uniform(3.0, 16.0), random.uniform(problem.t_min.first, problem.t_min.second),
                          random.uniform(problem.t_max.first, problem.t_max.second)};
            std::vector<double> a(problem.nodes()), b(problem.nodes());
            const double spaced = newton.solve_spaced(psi, a), spaced_expected = slsqp.solve_spaced(psi, b);
            CHECK(relative_error(spaced, spaced_expected) < 1e-8);
            CHECK(relative_error(newton.polish(a), slsqp.polish(b)) < 1e-8);
            const double free = newton.solve_free(psi, a);
            CHECK(relative_error(free, slsqp.solve_free(psi, b)) < 1e-8);
            CHECK(free <= spaced * (1.0 + 1e-12));
        }
}

TEST_CASE("Newton over lambda: the inner gradient vanishes and the ends stay to the bit") {
    Random random(93);
    for (const auto& noise : smooth_schedules())
        for (double p : kPowers)
            for (int nfe : {3, 4, 8, 30}) {
                const std::string name(to_string(noise.family()));
                CAPTURE(name);
                CAPTURE(p);
                CAPTURE(nfe);
                const auto problem =
                    make_problem(noise, nfe, {.proxy = ErrorProxy::power(p), .limits = Limits::published, .d_min = 0.0});
                auto lambdas = random_increasing(random, problem.nodes(), random.uniform(-4.0, -2.0), random.uniform(1.0, 4.0));
                const std::size_t n = lambdas.size();
                const double first = lambdas.front(), last = lambdas.back(), before = mep(noise, lambdas, problem.proxy);
                const double least = 0.05 * (last - first) / static_cast<double>(n - 1);
                Checkpoint unasked;
                const auto result = Newton(problem, unasked).minimize_lambdas(lambdas, least, kEvaluations);
                CHECK(lambdas.front() == first);
                CHECK(lambdas.back() == last);
                CHECK(result.value <= before * (1.0 + 1e-13));
                std::vector<double> gradient(n);
                CHECK(relative_error(result.value, mep_gradient(noise, lambdas, problem.proxy, gradient)) < 1e-12);
                // a chain that falls: -lambda
                Tight tight{std::vector<bool>(n), std::vector<bool>(n), std::vector<bool>(n)};
                double largest = 0.0;
                for (std::size_t i = 0; i < n; ++i) {
                    largest = std::max(largest, std::abs(gradient[i]));
                    gradient[i] *= -1.0;
                    if (i + 1 == n) break;
                    REQUIRE(lambdas[i + 1] - lambdas[i] >= least - 1e-12);
                    tight.gap[i] = lambdas[i + 1] - lambdas[i] <= least + 1e-11;
                }
                tight.low.front() = tight.high.front() = tight.low.back() = tight.high.back() = true;
                CHECK(chain_kkt_violation(gradient, tight) < 1e-5 * largest);
            }
}

TEST_CASE("on a rough table blocks of tied nodes settle where no shift of theirs is better") {
    Random random(94);
    int kinked = 0, floating = 0;
    for (int repeat = 0; repeat < 60; ++repeat) {
        CAPTURE(repeat);
        const auto noise = rough_table(random);
        const auto problem = make_problem(
            noise, 8, {.proxy = ErrorProxy::power(random.uniform(0.8, 1.3)), .limits = Limits::published, .d_min = 0.06});
        auto t = random_start(random, problem);
        const double before = value_of(problem, t);
        Checkpoint unasked;
        const auto result = Newton(problem, unasked).minimize(t, problem.t_max, problem.t_min, kEvaluations, true);
        check_result(problem, t, problem.t_max, problem.t_min, result.value, before);
        kinked += result.kinked;
        for (std::size_t first = 0, last = 0; first < t.size(); first = last + 1) {
            for (last = first; last + 1 < t.size() && t[last] - t[last + 1] <= problem.spacing + 1e-10; ++last) {
            }
            if (first == 0 || last + 1 == t.size()) continue;
            floating += last > first;
            // to the next entry that a node of the block meets on either side, where lambda(t) has its next kink
            for (double side : {-1.0, 1.0}) {
                double reach = std::min(t[first - 1] - t[first], t[last] - t[last + 1]) - problem.spacing;
                const auto& ts = noise.table().ts;
                for (std::size_t i = first; i <= last; ++i)
                    for (double entry : ts)
                        if ((entry - t[i]) * side > 1e-10) reach = std::min(reach, std::abs(entry - t[i]));
                for (int k = 1; k <= 200; ++k) {
                    auto moved = t;
                    for (std::size_t i = first; i <= last; ++i) moved[i] += side * reach * k / 200.0;
                    REQUIRE(value_of(problem, moved) >= result.value * (1.0 - 1e-12));
                }
            }
        }
    }
    CHECK(kinked > 20);
    CHECK(floating > 20);
}

TEST_CASE("soft spacing: Newton agrees with a minimizer that needs no derivatives" * doctest::test_suite("nlopt")) {
    Random random(95);
    std::vector<NoiseSchedule> schedules = smooth_schedules();
    schedules.push_back(sd_noise());
    for (const auto& noise : schedules)
        for (double gamma : {1.0, 100.0, 1e6})
            for (int nfe : {2, 3, 4}) {
                const std::string name(to_string(noise.family()));
                CAPTURE(name);
                CAPTURE(gamma);
                CAPTURE(nfe);
                const auto problem = make_problem(noise, nfe, {.gamma = gamma, .limits = Limits::published, .d_min = 0.8 / nfe});
                REQUIRE(problem.soft);
                auto t = random_start(random, problem);
                const double before = value_of(problem, t);
                Checkpoint unasked;
                const auto result = Newton(problem, unasked).minimize(t, problem.t_max, problem.t_min, kEvaluations, true);
                check_result(problem, t, problem.t_max, problem.t_min, result.value, before);
                auto x = random_start(random, problem);
                std::vector<double> low(x.size(), problem.t_min.first), high(x.size(), problem.t_max.second);
                low.front() = problem.t_max.first;
                high.back() = problem.t_min.second;
                const auto objective = [&](std::span<const double> at) {
                    for (std::size_t i = 0; i + 1 < at.size(); ++i)
                        if (!(at[i] - at[i + 1] > kLeastSpacing)) return 1e12;
                    return value_of(problem, at);
                };
                double expected = HUGE_VAL;
                for (int round = 0; round < 6; ++round)
                    expected = minimize_subplex(x, low, high, objective, {.tolerance = 1e-15, .max_evaluations = 3000}).value;
                CHECK(result.value <= expected * (1.0 + 1e-9));
                CHECK(result.value >= expected * (1.0 - 1e-5));
            }
}

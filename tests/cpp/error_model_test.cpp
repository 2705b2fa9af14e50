#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <hso/error_model.hpp>
#include <limits>
#include <thread>

#include "multistep_reference.hpp"
#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

constexpr Solver kSolvers[] = {
    {Solver::Kind::ddim, 1},  {Solver::Kind::dpm_solver_pp, 1}, {Solver::Kind::dpm_solver_pp, 2},
    {Solver::Kind::unipc, 1}, {Solver::Kind::unipc, 2},         {Solver::Kind::unipc, 3},
};
constexpr Solver kDdim = kSolvers[0];
using Carried = ErrorModel::Carried;

std::vector<double> even(double low, double high, std::size_t n) {
    std::vector<double> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = low + (high - low) * static_cast<double>(i) / static_cast<double>(n - 1);
    values.back() = high;
    return values;
}

/// The y that sampling starts from, for the noise eps = 1.
long double start_scale(const NoiseSchedule& noise, double lambda) {
    return noise.family() == Family::ve ? noise.sigma(lambda) : 1.0L / noise.alpha(lambda);
}

double rms(const Vector& values) {
    long double sum = 0.0L;
    for (const long double value : values) sum += value * value;
    return static_cast<double>(std::sqrt(sum));
}

/// The error of a solver run on any network, in long double.
double true_error(const NoiseSchedule& noise, const std::vector<double>& eps, const LongPredict& predict, const Vector& final,
                  const std::vector<double>& lambdas, Solver solver, Terminal terminal, double gain = 1.0) {
    Vector y(eps.begin(), eps.end());
    for (auto& value : y) value *= gain * start_scale(noise, lambdas.front());
    const bool to_zero = terminal != Terminal::t_min;
    y = reference_solver(lambdas, to_zero, solver, predict, y);
    const long double scale = to_zero ? 1.0L : noise.alpha(lambdas.back());
    for (std::size_t r = 0; r < y.size(); ++r) y[r] = scale * y[r] - final[r];
    return rms(y);
}

/// A network that an ErrorModel represents exactly: D = p(lambda) + k (y - q(lambda)), p and q's scaled
/// states linear in lambda, up to the last node, from which on p stays and q goes to it.
struct Line {
    NoiseSchedule noise;
    double low, high;
    double k = 0.4;
    std::vector<double> eps{1.0, -0.3};

    Vector p(long double lambda) const {
        const long double l = std::min<long double>(lambda, high);
        return {0.3L + 0.2L * l, 0.5L - 0.1L * l};
    }
    Vector q(long double lambda) const {
        const long double l = std::min<long double>(lambda, high), scale = std::hypot(1.0L, std::exp(-l));
        Vector at{(1.0L - 0.1L * l) * scale, (-0.2L + 0.05L * l) * scale};
        const long double kept = std::exp(l - lambda);
        const Vector end = p(l);
        for (std::size_t r = 0; r < 2; ++r) at[r] = end[r] + kept * (at[r] - end[r]);
        return at;
    }
    LongPredict predict() const {
        return [this](long double lambda, const Vector& y) {
            Vector x0 = p(lambda);
            const Vector at = q(lambda);
            for (std::size_t r = 0; r < 2; ++r) x0[r] += static_cast<long double>(k) * (y[r] - at[r]);
            return x0;
        };
    }
    Measurements measured() const {
        Measurements m{.rank = 2,
                       .lambdas = {},
                       .x0 = {},
                       .states = {},
                       .eps = eps,
                       .probe_lambdas = {},
                       .probe_errors = {},
                       .probe_responses = {}};
        Random random(3);
        m.lambdas = random_increasing(random, 9, low, high);
        m.lambdas.front() = low;
        m.lambdas.back() = high;
        for (const double lambda : m.lambdas) {
            const Vector x0 = p(lambda), state = q(lambda);
            m.x0.insert(m.x0.end(), x0.begin(), x0.end());
            m.states.insert(m.states.end(), state.begin(), state.end());
        }
        for (int j = 0; j < 30; ++j) {
            m.probe_lambdas.push_back(random.uniform(low, high));
            for (int r = 0; r < 2; ++r) {
                m.probe_errors.push_back(random.uniform(-1.0, 1.0));
                m.probe_responses.push_back(k * m.probe_errors.back());
            }
        }
        return m;
    }
    ErrorModel model() const { return {noise, measured()}; }
};

std::vector<Named> lines() { return {{"vp", sd_noise()}, {"flow", NoiseSchedule::flow(3.0)}, {"ve", NoiseSchedule::edm()}}; }
Line line_of(const NoiseSchedule& noise, double end = 2.5) { return {noise, noise.lambda_range().first, end}; }

/// Gaussian data of variances C: D = C / (C + s^2) y, on its exact trajectory.
struct Gaussian {
    NoiseSchedule noise;
    std::vector<double> variances;
    std::vector<double> eps;
    double last = 3.5;

    long double shrink(std::size_t r, long double lambda) const {
        return variances[r] / (variances[r] + std::exp(-2.0L * lambda));
    }
    /// What becomes of a deviation at `from` along the ODE.
    long double carried(std::size_t r, long double from, long double to) const {
        return std::sqrt((variances[r] + std::exp(-2.0L * to)) / (variances[r] + std::exp(-2.0L * from)));
    }
    Vector state(long double lambda) const {
        const double first = noise.lambda_range().first;
        Vector y(eps.begin(), eps.end());
        for (std::size_t r = 0; r < y.size(); ++r) y[r] *= start_scale(noise, first) * carried(r, first, lambda);
        return y;
    }
    Vector predict(long double lambda, Vector y) const {
        for (std::size_t r = 0; r < y.size(); ++r) y[r] *= shrink(r, lambda);
        return y;
    }
    Vector final() const { return predict(last, state(last)); }
    double error(const std::vector<double>& lambdas, Solver solver, Terminal terminal, double gain = 1.0) const {
        return true_error(
            noise, eps, [this](long double l, const Vector& y) { return predict(l, y); }, final(), lambdas, solver, terminal,
            gain);
    }
    /// Teacher nodes and probes, `each` at a level.
    ErrorModel model(std::size_t nodes, std::size_t levels, std::size_t each) const {
        const std::size_t rank = eps.size();
        Measurements m{.rank = rank,
                       .lambdas = even(noise.lambda_range().first, last, nodes),
                       .x0 = {},
                       .states = {},
                       .eps = eps,
                       .probe_lambdas = {},
                       .probe_errors = {},
                       .probe_responses = {}};
        for (const double lambda : m.lambdas) {
            const Vector y = state(lambda), x0 = predict(lambda, y);
            m.x0.insert(m.x0.end(), x0.begin(), x0.end());
            m.states.insert(m.states.end(), y.begin(), y.end());
        }
        Random random(8);
        for (const double lambda : even(m.lambdas.front(), last, levels))
            for (std::size_t i = 0; i < each; ++i) {
                m.probe_lambdas.push_back(lambda);
                for (std::size_t r = 0; r < rank; ++r) {
                    m.probe_errors.push_back((r == i % rank ? 1.0 : 0.0) + random.uniform(-0.2, 0.2));
                    m.probe_responses.push_back(static_cast<double>(shrink(r, lambda)) * m.probe_errors.back());
                }
            }
        return {noise, m};
    }
};

std::vector<double> nodes_of(const NoiseSchedule& noise, std::size_t n, double end) {
    auto nodes = even(std::max(noise.lambda_range().first, -5.0), end, std::max<std::size_t>(n, 2));
    for (std::size_t i = 1; i + 1 < n; ++i) nodes[i] += 0.15 * std::sin(static_cast<double>(i));
    nodes.resize(n);
    return nodes;
}

}  // namespace

TEST_CASE("the error is exact on a network that it can represent") {
    for (const auto& [name, noise] : lines()) {
        const Line line = line_of(noise);
        const ErrorModel model = line.model();
        for (const Solver solver : kSolvers)
            for (const std::size_t n : {1, 2, 3, 7, 15, 16, 20})
                for (const Terminal terminal : {Terminal::zero, Terminal::t_min, Terminal::skip})
                    for (const double end : {2.0, 3.2}) {  // within the teacher's nodes, and past its last
                        if (terminal == Terminal::t_min && n < 2) continue;
                        CAPTURE(name);
                        CAPTURE(n);
                        CAPTURE(end);
                        CAPTURE(solver.order);
                        CAPTURE(static_cast<int>(terminal));
                        const auto lambdas = nodes_of(noise, n, end);
                        for (const double gain : {1.0, 0.0, -0.7, 1.2}) {
                            const double expected =
                                true_error(noise, line.eps, line.predict(), line.p(line.high), lambdas, solver, terminal, gain);
                            CHECK(relative_error(model.error(lambdas, solver, terminal, gain), expected) < 1e-9);
                        }
                        CHECK(model.error(lambdas, solver, terminal) == model.error(lambdas, solver, terminal, 1.0));
                    }
    }
}

TEST_CASE("the best gain is the vertex of error^2") {
    for (const auto& [name, noise] : lines()) {
        const ErrorModel model = line_of(noise).model();
        for (const Solver solver : kSolvers)
            for (const Terminal terminal : {Terminal::zero, Terminal::t_min, Terminal::skip}) {
                const auto lambdas = nodes_of(noise, 6, 2.4);
                const auto square = [&](double gain) { return std::pow(model.error(lambdas, solver, terminal, gain), 2); };
                const double down = square(-1.0), none = square(0.0), up = square(1.0);
                const double vertex = 0.5 * (down - up) / (down - 2.0 * none + up);
                const double found = model.best_gain(lambdas, solver, terminal);
                CHECK(found == doctest::Approx(vertex).epsilon(1e-9));
                CHECK(square(found) <= square(found * 1.01));
                CHECK(square(found) <= square(found * 0.99));
            }
    }
}

TEST_CASE("the error converges to the solver's own on Gaussian data") {
    for (const auto& [name, noise] : lines())
        for (const bool wide : {false, true}) {
            const Gaussian data =
                wide ? Gaussian{noise, {2.0, 0.6, 0.1, 0.02}, {1.0, -0.7, 0.5, 0.9}} : Gaussian{noise, {0.3}, {1.0}};
            // the shortest first; the last has 16 probes at each level or near it, for the 16 of a fit
            const ErrorModel models[] = {data.model(12, 6, wide ? 4 : 1), data.model(40, 24, wide ? 8 : 2),
                                         data.model(160, 160, 16)};
            double worst[3] = {};
            for (const Solver solver : kSolvers)
                for (const std::size_t n : {1, 2, 5, 12})
                    for (const Terminal terminal : {Terminal::zero, Terminal::t_min}) {
                        if (terminal == Terminal::t_min && n < 2) continue;
                        const auto lambdas = nodes_of(noise, n, 3.0);
                        const double expected = data.error(lambdas, solver, terminal);
                        for (int i = 0; i < 3; ++i)
                            worst[i] = std::max(worst[i], std::abs(models[i].error(lambdas, solver, terminal) - expected));
                    }
            CAPTURE(name);
            CAPTURE(wide);
            CHECK(worst[1] < worst[0]);
            CHECK(worst[2] < worst[1]);
            CHECK(worst[2] < 5e-3);  // images have a length of about 1
        }
}

TEST_CASE("responses may turn errors") {
    const Line line = line_of(sd_noise());
    const long double turn[2][2] = {{0.3L, 0.6L}, {-0.2L, 0.1L}};
    const auto respond = [&](const Vector& e) {
        return Vector{turn[0][0] * e[0] + turn[0][1] * e[1], turn[1][0] * e[0] + turn[1][1] * e[1]};
    };
    Measurements m = line.measured();
    m.probe_lambdas.clear();
    m.probe_errors.clear();
    m.probe_responses.clear();
    Random random(4);
    for (const double lambda : even(line.low, line.high, 100))
        for (int i = 0; i < 16; ++i) {
            const Vector e{random.uniform(-1.0, 1.0), random.uniform(-1.0, 1.0)}, answer = respond(e);
            m.probe_lambdas.push_back(lambda);
            m.probe_errors.insert(m.probe_errors.end(), e.begin(), e.end());
            m.probe_responses.insert(m.probe_responses.end(), answer.begin(), answer.end());
        }
    const ErrorModel model(line.noise, m);
    const LongPredict predict = [&](long double lambda, const Vector& y) {
        const Vector at = line.q(lambda);
        Vector x0 = respond({y[0] - at[0], y[1] - at[1]});
        for (std::size_t r = 0; r < 2; ++r) x0[r] += line.p(lambda)[r];
        return x0;
    };
    for (const Solver solver : kSolvers) {
        const auto lambdas = nodes_of(line.noise, 7, 2.4);
        const double expected = true_error(line.noise, line.eps, predict, line.p(line.high), lambdas, solver, Terminal::zero);
        CHECK(model.error(lambdas, solver, Terminal::zero) == doctest::Approx(expected).epsilon(2e-3));
    }
    // carried along: by the same map, in small steps
    Vector error = line.q(0.5);
    for (std::size_t r = 0; r < 2; ++r) error[r] = line.eps[r] * start_scale(line.noise, 0.5) - error[r];
    const Vector once = respond(error);
    const std::vector<double> point{0.5};
    CHECK(model.late_starts(point, Carried::no)[0] == doctest::Approx(rms(error)).epsilon(1e-9));
    CHECK(model.late_starts(point, Carried::x0)[0] == doctest::Approx(rms(once)).epsilon(2e-3));
    for (int i = 0; i < 20; ++i) {
        const Vector answer = respond(error);
        const long double kept = std::exp(-0.1L);  // 20 steps to 2.5
        for (std::size_t r = 0; r < 2; ++r) error[r] = kept * error[r] + (1.0L - kept) * answer[r];
    }
    CHECK(model.late_starts(point, Carried::to_zero)[0] == doctest::Approx(rms(respond(error))).epsilon(5e-3));
}

TEST_CASE("single steps have the errors of the closed form") {
    for (const auto& [name, noise] : lines()) {
        CAPTURE(name);
        const Gaussian data{noise, {1.5, 0.2}, {1.0, -0.8}};
        const ErrorModel model = data.model(300, 160, 8);
        std::vector<double> points = even(std::max(noise.lambda_range().first, -4.0), 3.4, 12);
        const std::size_t n = points.size();
        const auto check = [&](double found, const Vector& error, double lambda, Carried carried) {
            Vector arrived = error;
            for (std::size_t r = 0; r < 2; ++r) {
                if (carried == Carried::x0) arrived[r] *= data.shrink(r, lambda);
                // the model's trajectory ends at its last node with the prediction there
                if (carried == Carried::to_zero) arrived[r] *= data.carried(r, lambda, data.last) * data.shrink(r, data.last);
            }
            // carried in steps of 0.1
            CHECK(found == doctest::Approx(rms(arrived)).epsilon(carried == Carried::to_zero ? 0.05 : 5e-3));
        };
        for (const Carried carried : {Carried::no, Carried::x0, Carried::to_zero}) {
            CAPTURE(static_cast<int>(carried));
            const auto costs = model.jumps(points, carried);
            REQUIRE(costs.size() == n * (n + 1));
            const auto late = model.late_starts(points, carried);
            REQUIRE(late.size() == n);
            for (std::size_t i = 0; i < n; ++i) {
                const Vector from = data.state(points[i]), guess = data.predict(points[i], from), end = data.final();
                for (std::size_t j = 0; j < n; ++j) {
                    CAPTURE(i);
                    CAPTURE(j);
                    if (j <= i) {
                        CHECK(costs[i * (n + 1) + j] == 0.0);
                        continue;
                    }
                    const long double kept = std::exp(static_cast<long double>(points[i]) - points[j]);
                    Vector error = data.state(points[j]);
                    for (std::size_t r = 0; r < 2; ++r) error[r] = kept * from[r] + (1.0L - kept) * guess[r] - error[r];
                    check(costs[i * (n + 1) + j], error, points[j], carried);
                }
                Vector last = guess;
                for (std::size_t r = 0; r < 2; ++r) last[r] -= end[r];
                CHECK(costs[i * (n + 1) + n] == doctest::Approx(rms(last)).epsilon(5e-3));
                Vector first(data.eps.begin(), data.eps.end());
                const Vector state = data.state(points[i]);
                for (std::size_t r = 0; r < 2; ++r) first[r] = first[r] * start_scale(noise, points[i]) - state[r];
                if (rms(first) > 0.02 * rms(state)) check(late[i], first, points[i], carried);
            }
        }
    }
}

TEST_CASE("jumps past the teacher's last node follow the final prediction") {
    const Line line = line_of(sd_noise());
    const ErrorModel model = line.model();
    const std::vector<double> points{0.0, 2.6, 3.1};
    const auto costs = model.jumps(points, Carried::no);
    // between two points past the end a DDIM step is exact
    CHECK(costs[1 * 4 + 2] == doctest::Approx(0.0).epsilon(1e-12));
    CHECK(costs[1 * 4 + 3] == doctest::Approx(0.0).epsilon(1e-12));
    const Vector p = line.p(0.0), q = line.q(0.0), to = line.q(3.1);
    const long double kept = std::exp(-3.1L);
    CHECK(costs[2] ==
          doctest::Approx(rms({kept * q[0] + (1.0L - kept) * p[0] - to[0], kept * q[1] + (1.0L - kept) * p[1] - to[1]})));
}

TEST_CASE("improve: constraints hold and the error does not rise") {
    Random random(11);
    for (const auto& [name, noise] : lines()) {
        CAPTURE(name);
        const Gaussian data{noise, {1.5, 0.2, 0.03}, {1.0, -0.8, 0.4}};
        const ErrorModel model = data.model(60, 40, 6);
        const auto [low, high] = noise.lambda_range();
        for (const Solver solver : kSolvers)
            for (const std::size_t n : {1, 2, 3, 6, 20})
                for (const Terminal terminal : {Terminal::zero, Terminal::t_min})
                    for (const double caution : {0.0, 0.3}) {
                        if (terminal == Terminal::t_min && n < 2) continue;
                        CAPTURE(n);
                        const double first_low = random.uniform(low, 0.7 * low),
                                     first_high = random.uniform(0.6 * low, 0.4 * low);
                        const double last_low = random.uniform(1.0, 2.0), last_high = random.uniform(2.0, high);
                        ErrorModel::Search search{.solver = solver,
                                                  .terminal = terminal,
                                                  .first = {first_low, first_high},
                                                  .last = {last_low, last_high},
                                                  .least_gap = 0.05,
                                                  .caution = caution,
                                                  .max_iterations = 15};
                        auto start = random_increasing(random, std::max<std::size_t>(n, 2), first_low, last_high);
                        start.front() = first_low;
                        start.back() = last_high;
                        start.resize(n);
                        if (n == 1) search.last = search.first;
                        for (std::size_t i = 1; i + 1 < n; ++i)
                            start[i] = std::clamp(start[i], first_low + 0.05 * static_cast<double>(i),
                                                  last_high - 0.05 * static_cast<double>(n - 1 - i));
                        for (std::size_t i = 1; i < n; ++i) start[i] = std::max(start[i], start[i - 1] + 0.05);
                        const auto found = model.improve(start, search);
                        REQUIRE(found.lambdas.size() == n);
                        CHECK(found.error == doctest::Approx(model.error(found.lambdas, solver, terminal)).epsilon(1e-12));
                        CHECK(found.error <= model.error(start, solver, terminal) * (1.0 + 1e-12));
                        CHECK(found.lambdas.front() >= search.first.first);
                        CHECK(found.lambdas.front() <= search.first.second);
                        CHECK(found.lambdas.back() >= search.last.first);
                        CHECK(found.lambdas.back() <= search.last.second);
                        for (std::size_t i = 1; i < n; ++i) CHECK(found.lambdas[i] - found.lambdas[i - 1] >= 0.05 - 1e-12);
                        CHECK(found.evaluations >= 1);
                        const auto again = model.improve(start, search);
                        CHECK(again.lambdas == found.lambdas);
                    }
    }
}

TEST_CASE("improve: pinned ends stay, and inner nodes are stationary") {
    const Gaussian data{sd_noise(), {1.5, 0.2, 0.03}, {1.0, -0.8, 0.4}};
    const ErrorModel model = data.model(60, 40, 6);
    const auto start = even(-2.2, 2.8, 6);
    for (const Solver solver : {kDdim, Solver{Solver::Kind::dpm_solver_pp, 2}}) {
        const ErrorModel::Search search{.solver = solver, .first = {-2.2, -2.2}, .last = {2.8, 2.8}, .max_iterations = 200};
        const auto found = model.improve(start, search);
        CHECK(found.lambdas.front() == -2.2);
        CHECK(found.lambdas.back() == 2.8);
        CHECK(found.error < 0.99 * model.error(start, solver, Terminal::zero));
        const auto slope = [&](std::vector<double> at, std::size_t i) {
            const double shift = 1e-3;
            at[i] += shift;
            const double up = model.error(at, solver, Terminal::zero);
            at[i] -= 2.0 * shift;
            return (up - model.error(at, solver, Terminal::zero)) / (2.0 * shift);
        };
        double before = 0.0;
        for (std::size_t i = 1; i + 1 < start.size(); ++i) before = std::max(before, std::abs(slope(start, i)));
        for (std::size_t i = 1; i + 1 < start.size(); ++i) {
            CAPTURE(i);
            // Gauss and Newton's method converges slowly where much error is left; it stops at gains of 1e-4
            CHECK(std::abs(slope(found.lambdas, i)) < (solver.order == 1 ? 0.08 : 1e-3) * before);
            for (const double shift : {-0.05, 0.05}) {
                auto moved = found.lambdas;
                moved[i] += shift;
                CHECK(model.error(moved, solver, Terminal::zero) > found.error * 0.999);
            }
        }
    }
}

TEST_CASE("improve: caution keeps schedules near their start") {
    const Gaussian data{sd_noise(), {1.5, 0.2, 0.03}, {1.0, -0.8, 0.4}};
    const ErrorModel model = data.model(60, 40, 6);
    const auto start = even(-2.2, 2.8, 6);
    double moved_before = HUGE_VAL;
    for (const double caution : {0.0, 0.3, 3.0, 100.0}) {
        const auto found = model.improve(start, {.first = {-2.3, -1.0}, .last = {1.0, 3.0}, .caution = caution});
        const double error = model.error(start, kDdim, Terminal::zero);
        double moved = 0.0;
        for (std::size_t i = 1; i < start.size(); ++i)
            moved += std::pow(std::log((found.lambdas[i] - found.lambdas[i - 1]) / (start[i] - start[i - 1])), 2);
        CHECK(moved <= moved_before * (1.0 + 1e-6));
        CHECK(found.error * found.error + caution * caution * error * error * moved <= error * error * (1.0 + 1e-12));
        moved_before = moved;
    }
    CHECK(moved_before < 1e-3);
}

TEST_CASE("improve: starts are moved into the ranges; no room is refused") {
    const ErrorModel model = line_of(sd_noise()).model();
    const std::vector<double> start{-0.5, 0.0, 0.01, 3.0};
    const auto found = model.improve(start, {.first = {-2.0, -1.0}, .last = {0.5, 1.0}, .least_gap = 0.1, .max_iterations = 0});
    CHECK(found.lambdas == std::vector<double>{-1.0, 0.0, 0.1, 1.0});
    CHECK(found.evaluations == 1);
    // exactly as much room as there must be: all is decided, whatever the rounding
    Random random(17);
    for (int i = 0; i < 2000; ++i) {
        const double low = random.uniform(-2.0, 0.0), gap = random.uniform(0.02, 0.5);
        const double high = low + 3.0 * gap;
        const ErrorModel::Search search{.first = {low, low}, .last = {high, high}, .least_gap = gap, .max_iterations = 2};
        if (high - low < 3.0 * gap) continue;
        const auto tight = model.improve(start, search);
        for (std::size_t k = 0; k < 4; ++k)
            CHECK(tight.lambdas[k] == doctest::Approx(low + gap * static_cast<double>(k)).epsilon(1e-9));
    }
    CHECK(refuses("least_gap", [&] { model.improve(start, {.first = {0.0, 0.0}, .last = {0.2, 0.2}, .least_gap = 0.1}); }));
    // a single node is both ends
    const std::vector<double> one{0.0};
    CHECK(model.improve(one, {.first = {-2.0, 0.5}, .last = {0.2, 1.0}}).lambdas[0] >= 0.2);
    CHECK(refuses("last", [&] { model.improve(one, {.first = {-2.0, -1.0}, .last = {0.0, 1.0}}); }));
}

TEST_CASE("one model serves many threads") {
    const Gaussian data{sd_noise(), {1.5, 0.2, 0.03}, {1.0, -0.8, 0.4}};
    const ErrorModel model = data.model(60, 40, 6);
    const auto start = even(-2.2, 2.8, 8);
    const ErrorModel::Search search{
        .solver = {Solver::Kind::unipc, 2}, .first = {-2.3, -1.0}, .last = {1.0, 3.0}, .max_iterations = 10};
    const auto alone = model.improve(start, search);
    std::vector<ErrorModel::Found> found(4);
    std::vector<std::vector<double>> costs(4);
    std::vector<std::thread> threads;  // libc++ has no jthread before LLVM 20
    for (std::size_t i = 0; i < 4; ++i)
        threads.emplace_back([&, i] {
            found[i] = model.improve(start, search);
            costs[i] = model.jumps(start, Carried::to_zero);
        });
    for (auto& thread : threads) thread.join();
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(found[i].lambdas == alone.lambdas);
        CHECK(found[i].error == alone.error);
        CHECK(costs[i] == model.jumps(start, Carried::to_zero));
    }
}

TEST_CASE("measurements that make no sense are refused") {
    const Line line = line_of(sd_noise());
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = HUGE_VAL;
    const auto refused = [&](std::string_view argument, const std::function<void(Measurements&)>& spoil) {
        Measurements m = line.measured();
        spoil(m);
        CAPTURE(argument);
        CHECK(refuses(argument, [&] { ErrorModel(line.noise, m); }));
    };
    refused("rank", [](Measurements& m) { m.rank = 0; });
    refused("lambdas must be at least 4 nodes", [](Measurements& m) { m.lambdas.resize(3); });
    refused("probe_lambdas must be at least 1", [](Measurements& m) { m.probe_lambdas.clear(); });
    for (std::vector<double> Measurements::*field : {&Measurements::x0, &Measurements::states, &Measurements::eps,
                                                     &Measurements::probe_errors, &Measurements::probe_responses}) {
        const std::string_view name = field == &Measurements::x0             ? "x0"
                                      : field == &Measurements::states       ? "states"
                                      : field == &Measurements::eps          ? "eps"
                                      : field == &Measurements::probe_errors ? "probe_errors"
                                                                             : "probe_responses";
        refused(std::string(name) + " must be of size", [&](Measurements& m) { (m.*field).push_back(0.0); });
        refused(std::string(name) + " must be of size", [&](Measurements& m) { (m.*field).pop_back(); });
        refused(std::string(name) + "[1] must be finite", [&](Measurements& m) { (m.*field)[1] = kNaN; });
        refused(std::string(name) + "[0] must be finite", [&](Measurements& m) { (m.*field)[0] = -kInf; });
    }
    refused("lambdas[2] must be finite", [](Measurements& m) { m.lambdas[2] = kNaN; });
    refused("lambdas[2] must be above lambdas[1]", [](Measurements& m) { m.lambdas[2] = m.lambdas[1]; });
    refused("lambda", [](Measurements& m) { m.lambdas[0] = -50.0; });
    refused("lambda", [](Measurements& m) { m.lambdas.back() = 50.0; });
    refused("probe_lambdas[3] must be finite", [](Measurements& m) { m.probe_lambdas[3] = kNaN; });
    refused("probe_lambdas[3] must be in", [](Measurements& m) { m.probe_lambdas[3] = m.lambdas.back() + 1e-9; });
    refused("probe_lambdas[3] must be in", [](Measurements& m) { m.probe_lambdas[3] = m.lambdas.front() - 1e-9; });
    refused("probe_errors[2] must be a row that is not 0", [](Measurements& m) { m.probe_errors[4] = m.probe_errors[5] = 0.0; });
    refused("eps must be a row that is not 0", [](Measurements& m) { m.eps = {0.0, 0.0}; });
}

TEST_CASE("nodes whose squares would not fit into memory are refused") {
    const ErrorModel model = line_of(sd_noise()).model();
    std::vector<double> nodes(10001);
    for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i] = -2.0 + 3e-4 * static_cast<double>(i);
    CHECK(
        refuses("lambdas must be at most 10000 levels, got 10001 levels", [&] { model.jumps(nodes, ErrorModel::Carried::no); }));
    CHECK(refuses("start must be at most 1000 nodes, got 1001 nodes", [&] {
        model.improve(std::span(nodes).first(1001), {.first = {-2, 0}, .last = {0, 1}, .least_gap = 1e-5});
    }));
    CHECK(model.late_starts(nodes, ErrorModel::Carried::no).size() == nodes.size());
}

TEST_CASE("schedules and searches that make no sense are refused") {
    const ErrorModel model = line_of(sd_noise()).model();
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    const std::vector<double> good{-1.0, 0.0, 1.0}, none, swapped{0.0, -1.0}, equal{0.0, 0.0}, outside{-20.0, 0.0},
        nan{0.0, kNaN}, one{0.0};
    for (const Solver solver :
         {Solver{Solver::Kind::ddim, 2}, Solver{Solver::Kind::ddim, 0}, Solver{Solver::Kind::dpm_solver_pp, 3},
          Solver{Solver::Kind::unipc, 4}, Solver{Solver::Kind::unipc, -1}}) {
        CHECK(refuses("order must be in 1..", [&] { model.error(good, solver, Terminal::zero); }));
        CHECK(refuses("order must be in 1..", [&] { model.best_gain(good, solver, Terminal::zero); }));
        CHECK(refuses("order must be in 1..", [&] {
            model.improve(good, {.solver = solver, .first = {-1, 0}, .last = {1, 2}});
        }));
    }
    CHECK(refuses("lambdas must be at least 1", [&] { model.error(none, kDdim, Terminal::zero); }));
    CHECK(refuses("lambdas must be at least 2", [&] { model.error(one, kDdim, Terminal::t_min); }));
    for (const auto* bad : {&none, &swapped, &equal, &outside, &nan}) {
        CHECK(refuses("lambda", [&] { model.error(*bad, kDdim, Terminal::zero); }));
        CHECK(refuses("lambda", [&] { model.best_gain(*bad, kDdim, Terminal::zero); }));
        CHECK(refuses("lambda", [&] { model.jumps(*bad, Carried::no); }));
        CHECK(refuses("lambda", [&] { model.late_starts(*bad, Carried::no); }));
        const auto improve = [&] { model.improve(*bad, {.first = {-1, 0}, .last = {1, 2}}); };
        CHECK((refuses("start", improve) || refuses("lambda", improve)));
    }
    for (const double gain : {kNaN, HUGE_VAL}) CHECK(refuses("gain", [&] { model.error(good, kDdim, Terminal::zero, gain); }));
    CHECK(refuses("kind must be one", [&] { model.error(good, {static_cast<Solver::Kind>(3), 1}, Terminal::zero); }));
    CHECK(refuses("terminal must be one", [&] { model.error(good, kDdim, static_cast<Terminal>(3)); }));
    CHECK(refuses("max_iterations", [&] { model.improve(good, {.first = {-1, 0}, .last = {1, 2}, .max_iterations = -1}); }));
    CHECK(refuses("first", [&] { model.improve(good, {.first = {0.0, -1.0}, .last = {1, 2}}); }));
    CHECK(refuses("first", [&] { model.improve(good, {.first = {-20.0, -19.0}, .last = {1, 2}}); }));
    CHECK(refuses("first", [&] { model.improve(good, {.first = {kNaN, 0.0}, .last = {1, 2}}); }));
    CHECK(refuses("first", [&] { model.improve(good, {.first = {-1.0, kNaN}, .last = {1, 2}}); }));
    CHECK(refuses("last", [&] { model.improve(good, {.first = {-1.0, 0.0}, .last = {2, 1}}); }));
    CHECK(refuses("last", [&] { model.improve(good, {.first = {-1.0, 0.0}, .last = {kNaN, 1}}); }));
    CHECK(refuses("last", [&] { model.improve(good, {.first = {-1.0, 0.0}, .last = {1, kNaN}}); }));
    for (const double gap : {0.0, -0.1, kNaN, HUGE_VAL, 3.0})
        CHECK(refuses("least_gap", [&] { model.improve(good, {.first = {-1, 0}, .last = {1, 2}, .least_gap = gap}); }));
    for (const double caution : {-0.1, kNaN, HUGE_VAL})
        CHECK(refuses("caution", [&] { model.improve(good, {.first = {-1, 0}, .last = {1, 2}, .caution = caution}); }));
}

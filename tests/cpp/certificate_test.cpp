#include "certificate.hpp"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include <hso/objective.hpp>
#include <hso/optimize.hpp>

#include "lower_level.hpp"
#include "newton.hpp"
#include "support.hpp"

using namespace hso;
using namespace hso::detail;
using namespace hso::test;

namespace {

constexpr double kRounding = 1e-12;  ///< of a value, beyond which a bound must not lie above it

struct Case {
    std::string name;
    NoiseSchedule noise;
    int nfe;
    Options options;
};

Case with(std::string name, const NoiseSchedule& noise, int nfe, double d_min, ErrorProxy proxy = ErrorProxy::power(2.0)) {
    Case c{std::move(name), noise, nfe, {}};
    c.options.search = Search::exact;
    c.options.limits = Limits::published;
    c.options.terminal = Terminal::t_min;
    c.options.d_min = d_min;
    c.options.proxy = std::move(proxy);
    return c;
}

/// lambda(t) in steps of random height, steep in the middle: equal steps in lambda want nodes closer than a spacing lets them
/// be, and tied nodes meet kinks.
NoiseSchedule rough_table() {
    Random random(81);
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

ErrorProxy wavy_proxy() {
    return ErrorProxy::table(std::vector{-5.0, -2.0, -0.5, 0.5, 1.5, 3.0, 5.0}, std::vector{1.3, 2.0, 0.4, 0.9, 0.2, 0.25, 0.05});
}

/// Problems of every kind that the bound treats in its own way.
const std::vector<Case>& cases() {
    static const std::vector<Case> all = [] {
        std::vector<Case> list = {
            with("vp, loose", sd_noise(), 6, 0.02),
            with("vp, tight", sd_noise(), 8, 0.11),
            with("vp, p 0", golden_noise("ddpm_linear"), 5, 0.05, ErrorProxy::power(0.0)),
            with("vp, p 3", sd_noise(), 6, 0.1, ErrorProxy::power(3.0)),
            with("vp, p 4", golden_noise("hso_code_linear"), 6, 0.1, ErrorProxy::power(4.0)),
            with("cosine", NoiseSchedule::vp_cosine(), 7, 0.08),
            with("flow", NoiseSchedule::flow(3.0), 7, 0.09),
            with("edm, p 3", NoiseSchedule::edm(), 6, 0.08, ErrorProxy::power(3.0)),
            with("edm, p 1", NoiseSchedule::edm(), 9, 0.09, ErrorProxy::power(1.0)),
            with("wavy proxy", sd_noise(), 6, 0.06, wavy_proxy()),
            with("rough table, ties", rough_table(), 8, 0.06, ErrorProxy::power(1.0)),
            with("two entries",
                 NoiseSchedule::from_table(std::vector{0.001, 1.0}, std::vector{0.999, 0.02}, std::vector{0.01, 0.9}), 5, 0.12),
            with("soft, little", sd_noise(), 6, 0.14),
            with("soft, much", NoiseSchedule::flow(), 6, 0.15, ErrorProxy::power(2.5)),
            with("skip", sd_noise(), 4, 0.15),
            with("points", sd_noise(), 5, 0.05, ErrorProxy::power(2.5)),
        };
        const auto named = [&](std::string_view name) -> Options& {
            return std::find_if(list.begin(), list.end(), [&](const Case& c) { return c.name == name; })->options;
        };
        named("soft, little").gamma = 10.0;
        named("soft, much").gamma = 1e6;
        named("skip").terminal = Terminal::skip;
        named("points").t_min = {0.02, 0.02};
        named("points").t_max = {0.98, 0.98};
        return list;
    }();
    return all;
}

/// What is minimized, from the public functions alone; infinity for a schedule that the problem does not admit.
double value_of(const Case& c, const Problem& problem, std::span<const double> t) {
    std::vector<double> lambdas(t.size());
    c.noise.lambda(t, lambdas);
    double sum = mep(c.noise, lambdas, *c.options.proxy);
    for (std::size_t i = 0; i + 1 < t.size(); ++i) {
        const double spacing = t[i] - t[i + 1];
        if (!(spacing >= (c.options.gamma ? 0.0 : *c.options.d_min - 1e-14))) return HUGE_VAL;
        if (c.options.gamma) sum += *c.options.gamma * std::pow(std::max(0.0, *c.options.d_min - spacing), 2);
    }
    const bool inside = t.front() >= problem.t_max.first && t.front() <= problem.t_max.second &&
                        t.back() >= problem.t_min.first && t.back() <= problem.t_min.second;
    return inside ? sum : HUGE_VAL;
}

/// Random nodes that keep the spacing: evenly spread or crowded, at either end.
std::vector<double> random_start(Random& random, const Problem& problem) {
    const std::size_t n = problem.nodes();
    const double need = problem.spacing * static_cast<double>(n - 1), power = std::exp(random.uniform(-2.0, 2.0));
    const double first = random.uniform(std::max(problem.t_max.first, problem.t_min.first + need), problem.t_max.second);
    const double last = random.uniform(problem.t_min.first, std::min(problem.t_min.second, first - need));
    auto x = random_increasing(random, n, 0.0, 1.0);
    std::vector<double> t(n);
    for (std::size_t i = 0; i < n; ++i)
        t[i] = first - std::pow(x[i], power) * std::max(0.0, first - last - need) - problem.spacing * static_cast<double>(i);
    keep_spacing(t, problem.spacing, problem.t_min, problem.t_max);
    return t;
}

/// The schedule with each node moved by up to `reach`.
std::vector<double> shaken(Random& random, const Problem& problem, std::span<const double> around, double reach) {
    std::vector<double> t(around.begin(), around.end());
    for (double& x : t) x = std::clamp(x + random.uniform(-reach, reach), problem.t_min.first, problem.t_max.second);
    std::sort(t.rbegin(), t.rend());
    keep_spacing(t, problem.spacing, problem.t_min, problem.t_max);
    return t;
}

/// A few rounds of moves of single nodes, kept where they help.
double improve_by_coordinates(Random& random, const Case& c, const Problem& problem, std::vector<double>& t) {
    double value = value_of(c, problem, t);
    for (double reach = 0.05; reach > 1e-5; reach *= 0.4)
        for (std::size_t i = 0; i < t.size(); ++i) {
            const double before = t[i];
            t[i] = std::clamp(before + random.uniform(-reach, reach), problem.t_min.first, problem.t_max.second);
            const double moved = value_of(c, problem, t);
            if (moved < value) value = moved;
            else t[i] = before;
        }
    return value;
}

/// The optimized nodes of a schedule, of which skip does not sample the last.
std::vector<double> optimized_nodes(const Schedule& s) {
    auto t = s.t;
    if (s.terminal == Terminal::skip) t.back() = s.psi.t_min;
    return t;
}

}  // namespace

TEST_CASE("the bound is a bound: nothing from thousands of random starts gets below it") {
    constexpr int starts = 6000;
    Random random(82);
    for (const Case& c : cases()) {
        CAPTURE(c.name);
        const auto s = optimize(c.noise, c.nfe, c.options);
        const Problem problem = make_problem(c.noise, c.nfe, c.options);
        const auto best = optimized_nodes(s);
        REQUIRE(relative_error(value_of(c, problem, best), s.fitness) < 1e-12);
        REQUIRE(s.status == Status::converged);
        CHECK(s.gap <= 1e-6);
        const double least = s.lower_bound * (1.0 - kRounding);
        Checkpoint unasked;
        Newton newton(problem, unasked);
        double lowest = HUGE_VAL;
        int below_known = 0, admitted = 0;
        for (int i = 0; i < starts; ++i) {
            auto t = i % 4 == 3 ? shaken(random, problem, best, std::pow(10.0, random.uniform(-8.0, -0.5)))
                                : random_start(random, problem);
            double value = value_of(c, problem, t);
            REQUIRE(value >= least);
            if (i % 4 == 0) value = improve_by_coordinates(random, c, problem, t);
            else if (i % 4 < 3) {
                newton.minimize(t, problem.t_max, problem.t_min, 1000, i % 2 == 0);
                keep_spacing(t, problem.spacing, problem.t_min, problem.t_max);
                value = value_of(c, problem, t);
            }
            admitted += value < HUGE_VAL;
            REQUIRE(value >= least);
            below_known += value < s.fitness * (1.0 - 1e-9);
            lowest = std::min(lowest, value);
        }
        CHECK(admitted > starts * 9 / 10);
        CHECK(below_known == 0);                    // the certified schedule is the best
        CHECK(lowest <= s.fitness * (1.0 + 1e-6));  // and the starts are good enough to come near it
    }
}

TEST_CASE("every pass bounds the optimum, whatever it is told to expect and however poor the best schedule known") {
    Random random(83);
    for (const Case& c : cases()) {
        CAPTURE(c.name);
        const Problem problem = make_problem(c.noise, c.nfe, c.options);
        Options sharp = c.options;
        sharp.gap = 1e-8;
        const auto s = optimize(c.noise, c.nfe, sharp);
        const auto best = optimized_nodes(s);
        const double optimum = s.fitness;
        for (int expected = 0; expected < 3; ++expected)
            for (double poorer : {1e-11, 1e-4, 1e-2, 1.0}) {
                CAPTURE(expected);
                CAPTURE(poorer);
                Checkpoint unasked;
                Certificate certificate(problem, unasked);
                if (expected == 1) certificate.expect(best);
                if (expected == 2) certificate.expect(random_start(random, problem));
                std::vector<double> t(problem.nodes());
                double first_bound = -HUGE_VAL, last_bound = -HUGE_VAL;
                for (int pass = 0; pass < (poorer == 1e-11 ? 6 : poorer == 1.0 ? 2 : 3); ++pass) {
                    CAPTURE(pass);
                    const double bound = certificate.bound();
                    REQUIRE(bound <= optimum * (1.0 + kRounding));
                    if (pass == 0) first_bound = bound;
                    last_bound = bound;
                    // a start for a local solver: in order, at worst nodes of one cell coincide
                    certificate.path(t);
                    REQUIRE(std::is_sorted(t.rbegin(), t.rend()));
                    REQUIRE(t.front() <= problem.t_max.second + 1e-12);
                    REQUIRE(t.back() >= problem.t_min.first - 1e-12);
                    // an open gap as large as the wanted one: refined by the least factor
                    const double known = optimum * (1.0 + poorer);
                    const auto progress = certificate.refine(known, 1.0, 1.0);
                    REQUIRE(progress != Certificate::Progress::closed);
                    if (progress == Certificate::Progress::exhausted) break;
                }
                if (poorer == 1e-11) CHECK(optimum - last_bound <= 0.5 * (optimum - first_bound) + 1e-9 * optimum);
            }
    }
}

TEST_CASE("coarse passes bound the optimum of small random problems, also where nodes gather") {
    Random random(84);
    for (int number = 0; number < 400; ++number) {
        const auto& [name, noise] = every_schedule()[random.below(every_schedule().size())];
        Case c = with(name, noise, 1 + static_cast<int>(random.below(4)), 0.0, ErrorProxy::power(random.uniform(0.0, 6.0)));
        const auto [low, high] = noise.t_range();
        const auto [least, most] = noise.lambda_range();
        if (number % 4 == 0) {
            std::vector<double> value(3 + random.below(10));
            for (double& v : value) v = std::exp(random.uniform(-3.0, 3.0));
            c.options.proxy = ErrorProxy::table(random_increasing(random, value.size(), least, most), value);
        }
        c.options.t_min = {low, low + random.uniform(0.0, 0.4) * (high - low)};
        c.options.t_max = {high - random.uniform(0.0, 0.5) * (high - low), high};
        if (random.below(2)) c.options.d_min = random.uniform(0.0, 1.0) * (high - low) / c.nfe;
        if (random.below(3) == 0) c.options.gamma = std::exp(random.uniform(-3.0, 10.0));
        c.options.gap = HUGE_VAL;
        CAPTURE(number);
        CAPTURE(c.name);
        const Problem problem = make_problem(c.noise, c.nfe, c.options);
        const auto s = optimize(c.noise, c.nfe, c.options);
        Checkpoint unasked;
        Certificate certificate(problem, unasked);
        if (number % 2) certificate.expect(optimized_nodes(s));
        for (int pass = 0; pass < 4; ++pass) {
            CAPTURE(pass);
            const double bound = certificate.bound();
            REQUIRE(bound <= s.fitness * (1.0 + kRounding));
            const auto progress = certificate.refine(s.fitness * (1.0 + 1e-11), 1.0, 1.0);
            REQUIRE(progress != Certificate::Progress::closed);
            if (progress == Certificate::Progress::exhausted) break;
        }
    }
}

TEST_CASE("with a best schedule that is too good to be true the certificate finds nothing as good") {
    for (const Case& c : cases()) {
        CAPTURE(c.name);
        const Problem problem = make_problem(c.noise, c.nfe, c.options);
        const auto s = optimize(c.noise, c.nfe, c.options);
        Checkpoint unasked;
        Certificate certificate(problem, unasked);
        certificate.expect(optimized_nodes(s));
        const double wanted = s.fitness * (1.0 - 1e-3);
        auto progress = Certificate::Progress::refined;
        int passes = 0;
        while (progress == Certificate::Progress::refined && passes < 20) {
            const double bound = certificate.bound();
            if (bound > wanted) break;  // said in the other way
            progress = certificate.refine(wanted, s.fitness - bound, 1e-4 * s.fitness);
            ++passes;
        }
        CHECK(progress != Certificate::Progress::exhausted);
        CHECK(passes < 20);
    }
}

TEST_CASE("the bound comes near the optimum in few passes") {
    for (const Case& c : cases()) {
        CAPTURE(c.name);
        const Problem problem = make_problem(c.noise, c.nfe, c.options);
        const auto s = optimize(c.noise, c.nfe, c.options);
        Checkpoint unasked;
        Certificate certificate(problem, unasked);
        certificate.expect(optimized_nodes(s));
        double gap = HUGE_VAL;
        int passes = 0;
        for (auto progress = Certificate::Progress::refined; progress == Certificate::Progress::refined && gap > 1e-6; ++passes) {
            gap = 1.0 - certificate.bound() / s.fitness;
            progress = certificate.refine(s.fitness * (1.0 + kRounding), gap * s.fitness, 1e-6 * s.fitness);
        }
        CHECK(gap <= 1e-6);
        CHECK(passes <= 12);
    }
}

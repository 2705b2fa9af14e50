#include <hso/optimize.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include <hso/objective.hpp>
#include <hso/spacing.hpp>

#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

struct Case {
    std::string name;
    NoiseSchedule noise;
    int nfe;
    Options options;
};

/// A random problem that makes sense, with a small budget.
Case random_case(Random& random) {
    const auto& [name, noise] = every_schedule()[random.below(every_schedule().size())];
    Case c{name, noise, 1 + static_cast<int>(random.below(1 + random.below(30))), {}};
    Options& o = c.options;
    o.terminal = std::array{Terminal::zero, Terminal::t_min, Terminal::skip}[random.below(3)];
    o.search = random.below(2) ? Search::bilevel : Search::paper;
    o.local = random.below(2) ? LocalSolver::newton : LocalSolver::slsqp;
    o.objective = o.local == LocalSolver::newton || random.below(3) ? LowerObjective::mep : LowerObjective::dm_nonuni;
    if (random.below(4) == 0) {
        const auto [low, high] = noise.lambda_range();
        const std::size_t n = 2 + random.below(6);
        std::vector<double> value(n);
        for (double& v : value) v = std::exp(random.uniform(-2.0, 2.0));
        o.proxy = ErrorProxy::table(random_increasing(random, n, low, high), value);
    } else {
        o.proxy = ErrorProxy::power(std::array{0.0, 0.5, 1.0, 2.0, 2.0, 2.5, 3.0, 4.0}[random.below(8)]);
    }
    const auto [t_low, t_high] = noise.t_range();
    const double width = t_high - t_low;
    const auto range = [&](double from, double to) {
        const double a = t_low + width * random.uniform(from, to),
                     b = random.below(4) ? t_low + width * random.uniform(from, to) : a;
        return std::pair(std::min(a, b), std::max(a, b));
    };
    o.t_min = range(0.0, 0.2);
    o.t_max = range(0.7, 1.0);
    const int intervals = c.nfe - (o.terminal == Terminal::zero ? 1 : 0);
    const double room = (o.t_max->second - o.t_min->first) / std::max(1, intervals);
    switch (random.below(4)) {
        case 0: o.d_min = 0.0; break;
        case 1: o.d_min = room * 0.999; break;
        case 2: o.d_min = room; break;  // nothing left to choose
        default: o.d_min = room * random.uniform(0.0, 0.99);
    }
    o.gamma = random.below(3) ? 1e9 : random.uniform(0.0, 100.0);
    const double rho = random.uniform(0.5, 10.0);
    o.rho = {rho, rho + (random.below(2) ? 6.0 : 0.0)};
    o.seed = random.below(1000);
    o.evolution = {.population_factor = 2, .max_generations = 3};
    return c;
}

void check_schedule(const Case& c, const Schedule& s) {
    const Options& o = c.options;
    const auto calls = static_cast<std::size_t>(c.nfe);
    const ErrorProxy proxy = o.proxy.value_or(ErrorProxy::power(c.noise.family() == Family::ve ? 1.0 : 2.0));
    CAPTURE(c.name);
    CAPTURE(c.nfe);
    CAPTURE(to_string(o.terminal));
    const Search search = o.search.value_or(Search::exact);
    CAPTURE(to_string(search));
    CAPTURE(to_string(o.local.value_or(LocalSolver::newton)));
    CAPTURE(to_string(o.objective));
    CAPTURE(proxy.p());
    CAPTURE(o.d_min.value_or(-1.0));
    REQUIRE(s.nfe == c.nfe);
    REQUIRE(s.terminal == o.terminal);
    REQUIRE(s.t.size() == calls + 1);
    REQUIRE(s.lambdas.size() == calls + 1);
    REQUIRE(s.sigmas.size() == calls + 1);
    REQUIRE(s.timesteps.size() == calls);
    for (std::size_t i = 1; i <= calls; ++i) {
        REQUIRE(s.t[i] < s.t[i - 1]);
        REQUIRE(s.lambdas[i] > s.lambdas[i - 1]);
        REQUIRE(s.sigmas[i] < s.sigmas[i - 1]);
        if (i < calls) REQUIRE(s.timesteps[i] < s.timesteps[i - 1]);
    }
    const bool zero = o.terminal != Terminal::t_min;
    REQUIRE((s.t.back() == 0.0) == zero);
    REQUIRE((s.sigmas.back() == 0.0) == zero);
    REQUIRE(std::isinf(s.lambdas.back()) == zero);

    // the optimized nodes: psi holds their ends, of which skip does not sample the last
    auto nodes = s.t;
    if (zero) nodes.pop_back();
    if (o.terminal == Terminal::skip) nodes.push_back(s.psi.t_min);
    REQUIRE(nodes.front() == s.psi.t_max);
    REQUIRE(nodes.back() == s.psi.t_min);
    const auto [t_min_low, t_min_high] = *o.t_min;
    const auto [t_max_low, t_max_high] = *o.t_max;
    REQUIRE(s.psi.t_max >= t_max_low);
    REQUIRE(s.psi.t_max <= t_max_high);
    if (nodes.size() > 1) {
        REQUIRE(s.psi.t_min >= t_min_low);
        REQUIRE(s.psi.t_min <= t_min_high);
        if (search == Search::exact) {
            REQUIRE(std::isnan(s.psi.rho));
        } else {
            REQUIRE(s.psi.rho >= o.rho.first);
            REQUIRE(s.psi.rho <= o.rho.second);
        }
    }

    // its figures of merit, from the nodes
    std::vector<double> lambdas(nodes.size());
    c.noise.lambda(nodes, lambdas);
    double missing = 0.0, least = HUGE_VAL;
    for (std::size_t i = 0; i + 1 < nodes.size(); ++i) {
        REQUIRE(lambdas[i + 1] > lambdas[i]);
        const double gap = nodes[i] - nodes[i + 1];
        least = std::min(least, gap);
        missing += std::pow(std::max(0.0, *o.d_min - gap), 2);
    }
    const double objective =
        o.objective == LowerObjective::mep ? mep(c.noise, lambdas, proxy) : dm_nonuni(c.noise, lambdas, proxy);
    REQUIRE(std::isfinite(s.mep));
    REQUIRE(relative_error(s.mep, objective) < 1e-12);
    REQUIRE(relative_error(s.penalty, o.gamma.value_or(kPublishedGamma) * missing) < 1e-12);
    REQUIRE(s.fitness == s.mep + s.penalty);
    REQUIRE(s.min_spacing == least);
    REQUIRE(s.d_min == *o.d_min);
    if (search != Search::paper) REQUIRE(least >= *o.d_min - 1e-9);
    REQUIRE(s.status != Status::given);
    REQUIRE((s.evaluations > 0) == (nodes.size() > 1));
}

bool identical(const Schedule& a, const Schedule& b) {
    return a.t == b.t && a.lambdas == b.lambdas && a.sigmas == b.sigmas && a.timesteps == b.timesteps && a.mep == b.mep &&
           a.penalty == b.penalty && a.fitness == b.fitness &&
           (a.psi.rho == b.psi.rho || (std::isnan(a.psi.rho) && std::isnan(b.psi.rho))) && a.psi.t_min == b.psi.t_min &&
           a.psi.t_max == b.psi.t_max && a.evaluations == b.evaluations && a.generations == b.generations && a.status == b.status;
}

}  // namespace

TEST_CASE("random problems give schedules that keep every promise" * doctest::test_suite("nlopt")) {
    Random random(61);
    for (int i = 0; i < 400; ++i) {
        const Case c = random_case(random);
        CAPTURE(i);
        std::optional<Schedule> schedule;
        try {
            schedule = optimize(c.noise, c.nfe, c.options);
        } catch (const std::exception& error) {
            CAPTURE(c.name);
            FAIL("refused: ", std::string(error.what()));
        }
        check_schedule(c, *schedule);
    }
}

TEST_CASE("the result is bitwise the same for any number of threads and every run" * doctest::test_suite("nlopt")) {
    Random random(62);
    for (int i = 0; i < 40; ++i) {
        Case c = random_case(random);
        CAPTURE(i);
        const auto one = optimize(c.noise, c.nfe, c.options);
        for (int threads : {1, 2, 7}) {
            c.options.threads = threads;
            REQUIRE(identical(one, optimize(c.noise, c.nfe, c.options)));
        }
    }
}

TEST_CASE("the seed matters, the published settings do not hide it" * doctest::test_suite("nlopt")) {
    Options options;
    options.evolution.max_generations = 0;
    options.search = Search::paper;
    options.d_min = 0.0;
    const auto first = optimize(sd_noise(), 5, options);
    options.seed = 1;
    const auto second = optimize(sd_noise(), 5, options);
    CHECK_FALSE(identical(first, second));
}

TEST_CASE("1, 2 and 100 calls, every terminal and search" * doctest::test_suite("nlopt")) {
    for (Terminal terminal : {Terminal::zero, Terminal::t_min, Terminal::skip})
        for (Search search : {Search::bilevel, Search::paper})
            for (int nfe : {1, 2, 100}) {
                if (nfe == 100 && search == Search::bilevel && terminal != Terminal::t_min) continue;  // seconds each
                Case c{"sd", sd_noise(), nfe, {}};
                c.options.terminal = terminal;
                c.options.search = search;
                c.options.t_min = {0.01, 0.03};
                c.options.t_max = {0.96, 1.0};
                c.options.d_min = nfe == 100 ? 0.001 : d_min(nfe);
                c.options.evolution = {.population_factor = 1, .max_generations = nfe == 100 ? 0 : 5};
                check_schedule(c, optimize(c.noise, nfe, c.options));
            }
}

TEST_CASE("one call to sigma 0 starts from the most noise") {
    const auto s = optimize(sd_noise(), 1);
    CHECK(s.t == std::vector{1.0, 0.0});
    CHECK(s.timesteps[0] == doctest::Approx(999.0));
    CHECK(s.fitness == 0.0);
}

TEST_CASE("tables of 2 and of 10,000 entries" * doctest::test_suite("nlopt")) {
    Random random(63);
    for (std::size_t n : {2, 10000})
        for (Search search : {Search::bilevel, Search::paper}) {
            const double low = std::max(0.01, 1.0 / static_cast<double>(n));
            Case c{"random", NoiseSchedule::from_alphas_cumprod(random_alphas_cumprod(random, n, 8.0)), 5, {}};
            c.options.search = search;
            c.options.terminal = Terminal::t_min;
            c.options.t_min = {low, low + 0.02};
            c.options.t_max = {0.96, 1.0};
            c.options.d_min = 0.05;
            c.options.evolution = {.population_factor = 4, .max_generations = 10};
            check_schedule(c, optimize(c.noise, 5, c.options));
        }
}

TEST_CASE("proxies that reward huge steps keep schedules strictly monotone" * doctest::test_suite("nlopt")) {
    for (double p : {3.0, 4.0})
        for (const auto& noise : {sd_noise(), NoiseSchedule::flow(3.0), NoiseSchedule::edm()})
            for (Search search : {Search::bilevel, Search::paper})
                for (int nfe : {4, 10, 20}) {
                    Case c{"p", noise, nfe, {}};
                    c.options.search = search;
                    c.options.proxy = ErrorProxy::power(p);
                    c.options.t_min = {0.01, 0.03};
                    c.options.t_max = {0.96, 1.0};
                    if (noise.family() == Family::flow) c.options.t_max = {0.96, 0.999};
                    c.options.d_min = 0.0;
                    c.options.evolution = {.population_factor = 2, .max_generations = 3};
                    check_schedule(c, optimize(noise, nfe, c.options));
                }
}

TEST_CASE("ends and spacing that leave one node a hair's breadth are no problem") {
    // here NLopt's SLSQP proposes a NaN
    const auto noise =
        NoiseSchedule::from_table(std::vector{0.001, 1.0}, std::vector{0.9972, 0.307}, std::vector{0.008016, 2.9601});
    Case c{"narrow", noise, 2, {}};
    c.options.terminal = Terminal::skip;
    c.options.t_min = {0.14011252150058928, 0.14143494440060764};
    c.options.t_max = {0.949902587423617, 0.949902587423617};
    c.options.d_min = 0.40449013792855232;
    c.options.rho = {7.3028779415333469, 13.302877941533346};
    c.options.seed = 182;
    c.options.evolution = {.population_factor = 2, .max_generations = 3};
    check_schedule(c, optimize(c.noise, c.nfe, c.options));
}

TEST_CASE("a larger room never costs: bilevel with looser bounds is as good") {
    const auto noise = sd_noise();
    Options options;
    options.terminal = Terminal::t_min;
    options.search = Search::bilevel;
    options.limits = Limits::published;
    double previous = HUGE_VAL;
    for (double d : {0.14, 0.1, 0.05, 0.0}) {  // looser spacing
        options.d_min = d;
        const double fitness = optimize(noise, 6, options).fitness;
        CHECK(fitness <= previous * (1.0 + 1e-9));
        previous = fitness;
    }
}

TEST_CASE("the shift moves the published ends of flow") {
    Options options;
    options.limits = Limits::published;
    options.evolution = {.population_factor = 2, .max_generations = 3};
    options.terminal = Terminal::t_min;
    const auto noise = NoiseSchedule::flow(3.0);
    const auto s = optimize(noise, 4, options);
    CHECK(s.psi.t_min >= noise.shifted(0.01));
    CHECK(s.psi.t_min <= noise.shifted(0.03));
    CHECK(s.psi.t_max >= noise.shifted(0.96));
}

TEST_CASE("without limits given the first node is at the most noise and the last where its sigma has fallen with nfe") {
    for (const auto& [name, noise] : every_schedule())
        for (int nfe : {2, 3, 8, 20, 150})
            for (Terminal terminal : {Terminal::zero, Terminal::t_min, Terminal::skip}) {
                CAPTURE(name);
                CAPTURE(nfe);
                Options options;
                options.terminal = terminal;
                options.gap = std::numeric_limits<double>::infinity();
                const auto s = optimize(noise, nfe, options);
                const auto [low, high] = noise.t_range();
                CHECK(s.psi.t_max == high);
                CHECK(s.psi.t_min <= 0.5 * (low + high));
                const double sigma = (terminal == Terminal::zero ? 1.5 : 0.2) * noise.shift() / nfe,
                             reached = std::exp(-noise.lambda(s.psi.t_min));
                if (s.psi.t_min > low * (1.0 + 1e-9) && s.psi.t_min < 0.5 * (low + high))
                    CHECK(relative_error(reached, sigma) < 1e-9);
                const double even = (high - s.psi.t_min) / (nfe - (terminal == Terminal::zero));
                CHECK(s.d_min == doctest::Approx(std::min(0.75 * d_min(nfe), 0.8 * even)).epsilon(1e-12));
            }
}

TEST_CASE("limits that are not given do not stand in the way of a short range") {
    for (double first : {0.3, 0.05, 0.004}) {
        Options options;
        options.t_max = {first, first};
        const auto s = optimize(sd_noise(), 4, options);
        CHECK(s.psi.t_max == first);
        CHECK(s.psi.t_min <= 0.5 * (first + 0.001) + 1e-15);
    }
}

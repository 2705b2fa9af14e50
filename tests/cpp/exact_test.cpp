#include <hso/optimize.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>

#include <doctest/doctest.h>

#include <hso/objective.hpp>
#include <hso/spacing.hpp>
#include <hso/start.hpp>

#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

struct Case {
    std::string name;
    NoiseSchedule noise;
    int nfe;
    Options options;
    int intervals() const { return nfe - (options.terminal == Terminal::zero ? 1 : 0); }
    double room() const { return options.t_max->second - options.t_min->first; }
};

/// A random problem that makes sense: every family and kind of table, proxy, range of the ends and spacing.
Case random_case(int number) {
    Random random(1000 + static_cast<std::uint64_t>(number));
    const auto& [name, noise] = every_schedule()[random.below(every_schedule().size())];
    Case c{name, noise, 1 + static_cast<int>(random.below(random.below(2) ? 50 : 12)), {}};
    Options& o = c.options;
    o.terminal = std::array{Terminal::zero, Terminal::t_min, Terminal::skip}[random.below(3)];
    if (random.below(5) == 0) {
        const auto [low, high] = noise.lambda_range();
        const std::size_t n = 2 + random.below(6);
        std::vector<double> value(n);
        for (double& v : value) v = std::exp(random.uniform(-2.0, 2.0));
        o.proxy = ErrorProxy::table(random_increasing(random, n, low, high), value);
    } else {
        o.proxy = ErrorProxy::power(std::array{0.0, 0.5, 1.0, 2.0, 2.0, 2.0, 2.5, 3.0, 4.0}[random.below(9)]);
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
    switch (random.below(8)) {
        case 0: o.t_max->first = o.t_min->second; break;  // the ranges touch
        case 1:
            o.t_min->first = t_low;
            o.t_max->second = t_high;
            break;
        default: break;
    }
    const double most = c.room() / std::max(1, c.intervals());
    switch (random.below(5)) {
        case 0: o.d_min = 0.0; break;
        case 1: o.d_min = most * 0.999; break;
        case 2: o.d_min = most; break;  // nothing left to choose
        default: o.d_min = most * random.uniform(0.0, 0.99);
    }
    o.search = Search::exact;
    return c;
}

/// The nodes that a schedule optimizes, of which skip does not sample the last.
std::vector<double> optimized_nodes(const Schedule& s) {
    auto t = s.t;
    if (s.terminal != Terminal::t_min) t.pop_back();
    if (s.terminal == Terminal::skip) t.push_back(s.psi.t_min);
    return t;
}

/// What holds for every result of Search::exact.
void check_exact(const Case& c, const Schedule& s) {
    const Options& o = c.options;
    const auto t = optimized_nodes(s);
    std::vector<double> lambdas(t.size());
    c.noise.lambda(t, lambdas);
    for (std::size_t i = 0; i + 1 < t.size(); ++i) {
        REQUIRE(t[i + 1] < t[i]);
        REQUIRE(lambdas[i + 1] > lambdas[i]);
    }
    REQUIRE(t.front() >= o.t_max->first);
    REQUIRE(t.front() <= o.t_max->second);
    if (t.size() > 1) {
        REQUIRE(t.back() >= o.t_min->first);
        REQUIRE(t.back() <= o.t_min->second);
    }
    if (!o.gamma) REQUIRE(s.min_spacing >= s.d_min - 1e-9);
    REQUIRE(std::isfinite(s.mep));
    REQUIRE(relative_error(s.mep, mep(c.noise, lambdas, *o.proxy)) < 1e-12);
    REQUIRE(s.fitness == s.mep + s.penalty);
    if (std::isinf(o.gap)) {
        REQUIRE((t.size() == 1 || std::isnan(s.lower_bound)));
        REQUIRE((t.size() == 1 || std::isnan(s.gap)));
        REQUIRE(s.status != Status::uncertified);
        return;
    }
    REQUIRE(s.lower_bound <= s.fitness);
    REQUIRE(s.gap >= 0.0);
    REQUIRE(s.gap == (s.fitness > 0.0 ? (s.fitness - s.lower_bound) / s.fitness : 0.0));
    // the fitness is summed again over the final nodes: another rounding than the search's
    const double rounding = 1e-14;
    if (s.status == Status::uncertified) REQUIRE(s.gap > o.gap - rounding);
    if (s.status == Status::converged) REQUIRE(s.gap <= o.gap + rounding);
    REQUIRE((s.status == Status::uncertified || s.status == Status::converged || s.status == Status::collapsed));
}

struct Tally {
    int cases = 0, uncertified = 0, collapsed = 0;
};

/// Exact beside bilevel: the global optimum is at least as good as what any search finds, and its bound is below both.
void compare_with_bilevel(int number, Tally& tally) {
    const Case c = random_case(number);
    Options other = c.options;
    other.search = Search::bilevel;
    other.local = number % 2 ? LocalSolver::newton : LocalSolver::slsqp;
    const bool published_budget = number % 25 == 1 && c.nfe <= 12;
    if (!published_budget) other.evolution = {.population_factor = 2, .max_generations = c.nfe <= 12 ? 3 : 1};
    CAPTURE(number);
    CAPTURE(c.name);
    CAPTURE(c.nfe);
    CAPTURE(c.options.proxy->p());
    CAPTURE(*c.options.d_min * c.intervals() / c.room());
    const auto exact = optimize(c.noise, c.nfe, c.options), bilevel = optimize(c.noise, c.nfe, other);
    check_exact(c, exact);
    REQUIRE(exact.fitness <= bilevel.fitness * (1.0 + 1e-9));
    REQUIRE(exact.lower_bound <= bilevel.fitness * (1.0 + 1e-12));
    ++tally.cases;
    tally.uncertified += exact.status == Status::uncertified;
    tally.collapsed += exact.status == Status::collapsed;
}

Case named(const NoiseSchedule& noise, int nfe, std::optional<double> spacing, double p = 2.0,
           Terminal terminal = Terminal::t_min) {
    Case c{"", noise, nfe, {}};
    c.options.search = Search::exact;
    c.options.terminal = terminal;
    c.options.proxy = ErrorProxy::power(p);
    c.options.d_min = spacing;
    const auto [low, high] = noise.t_range();
    c.options.t_min = {std::max(low, noise.shifted(0.01)), std::max(low, noise.shifted(0.03))};
    c.options.t_max = {noise.shifted(0.96), std::min(high, noise.shifted(1.0))};
    return c;
}

Schedule solve(const Case& c) {
    const auto s = optimize(c.noise, c.nfe, c.options);
    check_exact(c, s);
    return s;
}

/// To the bit, where NaN is as good as any number.
bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// Everything but the time taken.
bool identical(const Schedule& a, const Schedule& b) {
    return a.nfe == b.nfe && a.t == b.t && a.lambdas == b.lambdas && a.sigmas == b.sigmas && a.timesteps == b.timesteps &&
           a.mep == b.mep && a.penalty == b.penalty && a.fitness == b.fitness && same(a.lower_bound, b.lower_bound) &&
           same(a.gap, b.gap) && same(a.psi.rho, b.psi.rho) && a.psi.t_min == b.psi.t_min && a.psi.t_max == b.psi.t_max &&
           a.evaluations == b.evaluations && a.generations == b.generations && a.status == b.status;
}

/// A table of n entries over lambda from -20 to 20, the same steps in lambda for all t.
NoiseSchedule widest_table(std::size_t n, bool exploding) {
    std::vector<double> t(n), alpha(n), sigma(n);
    for (std::size_t i = 0; i < n; ++i) {
        const double x = static_cast<double>(i) / static_cast<double>(n - 1), lambda = 20.0 - 40.0 * x;
        t[i] = 0.001 + 0.999 * x;
        alpha[i] = exploding ? 1.0 : 1.0 / std::sqrt(1.0 + std::exp(-2.0 * lambda));
        sigma[i] = exploding ? std::exp(-lambda) : 1.0 / std::sqrt(1.0 + std::exp(2.0 * lambda));
    }
    return NoiseSchedule::from_table(t, alpha, sigma);
}

}  // namespace

TEST_CASE("exact is never above bilevel, and its bound never above either" * doctest::test_suite("nlopt")) {
    Tally tally;
    for (int number = 0; number < 150; ++number) compare_with_bilevel(number, tally);
    CHECK(tally.uncertified + tally.collapsed < tally.cases / 3);
}

TEST_CASE("exact is never above bilevel: the rest of 500 random problems" * doctest::skip()) {
    Tally tally;
    for (int number = 150; number < 500; ++number) compare_with_bilevel(number, tally);
    CHECK(tally.uncertified + tally.collapsed < tally.cases / 3);
}

TEST_CASE("exact finds every golden optimum and certifies it") {
    for (std::string_view name : kGoldenTables) {
        const auto noise = golden_noise(name);
        for (const auto& entry : golden()["tables"][std::string(name)]["constrained_optimum"]) {
            Case c{std::string(name), noise, entry["nfe"], {}};
            c.options.search = Search::exact;
            c.options.terminal = Terminal::t_min;
            c.options.proxy = ErrorProxy::power(entry["p"].get<double>());
            c.options.t_min = entry["t_min_bounds"].get<std::pair<double, double>>();
            c.options.t_max = entry["t_max_bounds"].get<std::pair<double, double>>();
            c.options.d_min = entry["d_min"].get<double>();
            CAPTURE(c.name);
            CAPTURE(c.nfe);
            const auto s = solve(c);
            const double expected = entry["F"];
            CHECK(relative_error(s.fitness, expected) < 1e-7);
            CHECK(s.lower_bound <= expected);
            CHECK(s.gap <= 1e-6);
            CHECK(s.status == Status::converged);
            CHECK(s.penalty < 1e-9);
            CHECK(relative_error(s.t, entry["t"].get<std::vector<double>>()) < 1e-4);
            c.options.gap = kInf;
            CHECK(relative_error(solve(c).fitness, expected) < 1e-7);
        }
    }
}

TEST_CASE("exact is the default for MEP") {
    const auto by_default = optimize(sd_noise(), 6);
    CHECK(identical(by_default, optimize(sd_noise(), 6, {.search = Search::exact})));
    CHECK(by_default.gap <= 1e-6);
    CHECK(by_default.generations == 0);
    CHECK(std::isnan(by_default.psi.rho));
}

TEST_CASE("1 and 2 calls, every terminal") {
    for (const auto& [name, noise] : every_schedule()) {
        CAPTURE(name);
        for (auto [terminal, p] :
             {std::pair{Terminal::zero, 2.0}, {Terminal::t_min, 2.0}, {Terminal::t_min, 4.0}, {Terminal::skip, 0.5}}) {
            CAPTURE(p);
            Case c = named(noise, 1, 0.0, p, terminal);
            const auto [low, high] = noise.t_range();
            c.options.t_min = {low, low + 0.1 * (high - low)};
            c.options.t_max = {low + 0.6 * (high - low), high};
            const auto one = solve(c);
            if (terminal == Terminal::zero) {
                CHECK(one.fitness == 0.0);
                CHECK(one.lower_bound == 0.0);
                CHECK(one.t.front() == high);
            } else {
                CHECK(one.status == Status::converged);
                // one interval: no pair of ends is better
                for (int i = 0; i <= 8; ++i)
                    for (int j = 0; j <= 8; ++j) {
                        const double nodes[] = {
                            std::min(c.options.t_max->first + (high - c.options.t_max->first) * i / 8.0, high),
                            low + (c.options.t_min->second - low) * j / 8.0};
                        double lambdas[2];
                        noise.lambda(nodes, lambdas);
                        CHECK(one.fitness <= mep(noise, lambdas, *c.options.proxy) * (1.0 + 1e-12));
                    }
            }
            c.nfe = 2;
            if (p == 4.0) c.options.gap = kInf;  // nodes gather, and a bound takes seconds
            const auto two = solve(c);
            // a collapsed schedule pays for the least spacing of a node that it has no use for
            if (terminal != Terminal::zero && two.status != Status::collapsed) CHECK(two.fitness <= one.fitness * (1.0 + 1e-9));
        }
    }
}

TEST_CASE("1000 calls: better than the closed forms, in seconds") {
    for (const auto& noise : {sd_noise(), NoiseSchedule::flow(3.0), NoiseSchedule::edm()}) {
        const std::string name(to_string(noise.family()));
        CAPTURE(name);
        Case c = named(noise, 1000, 0.0);
        c.options.gap = kInf;
        const auto loose = solve(c);
        for (double rho : {1.0, 3.0, 7.0, 16.0}) {
            std::vector<double> lambdas(1001);
            karras_start(noise, {rho, loose.psi.t_min, loose.psi.t_max}, lambdas);
            CHECK(loose.fitness <= mep(noise, lambdas, *c.options.proxy) * (1.0 + 1e-12));  // VE: every schedule is as good
        }
        c.options.d_min = 9e-4;
        const auto tight = solve(c);
        CHECK(loose.fitness <= tight.fitness * (1.0 + 1e-12));
        CHECK(std::max(loose.elapsed, tight.elapsed) < 10.0);
    }
}

TEST_CASE("tables of 2 and of 10,000 entries, and lambda from -20 to 20") {
    Random random(71);
    std::vector<NoiseSchedule> schedules;
    for (std::size_t n : {2, 10000}) {
        schedules.push_back(NoiseSchedule::from_alphas_cumprod(random_alphas_cumprod(random, n, 8.0)));
        for (bool exploding : {false, true}) schedules.push_back(widest_table(n, exploding));
    }
    for (std::size_t i = 0; i < schedules.size(); ++i)
        for (double p : {0.0, 1.0, 2.0, 3.0})
            for (double share : {0.0, 0.5, 1.0}) {
                const auto& noise = schedules[i];
                const auto [low, high] = noise.t_range();
                Case c = named(noise, 6, 0.0, p);
                c.options.t_min = {low, low + 0.1 * (high - low)};
                c.options.t_max = {high - 0.1 * (high - low), high};
                c.options.d_min = share * (high - low) / 6.0;
                c.options.gap = share > 0.0 ? 1e-4 : kInf;  // bounds for nodes that gather take seconds
                CAPTURE(i);
                CAPTURE(p);
                CAPTURE(share);
                const auto s = solve(c);
                CHECK(s.elapsed < 10.0);
                Case other = c;
                other.options.search = Search::bilevel;
                other.options.evolution = {.population_factor = 3, .max_generations = 5};
                CHECK(s.fitness <= optimize(noise, 6, other.options).fitness * (1.0 + 1e-9));
            }
}

TEST_CASE("ranges that touch or are points, and zero terminal SNR") {
    Case c = named(sd_noise(), 5, 0.02);
    c.options.t_min = {0.3, 0.6};
    c.options.t_max = {0.6, 1.0};
    CHECK(solve(c).status == Status::converged);
    c.options.d_min = 0.7 / 5.0;  // nothing left to choose
    const auto even = solve(c);
    for (std::size_t i = 0; i <= 5; ++i) CHECK(even.t[i] == doctest::Approx(1.0 - 0.14 * static_cast<double>(i)).epsilon(1e-9));
    c.options.d_min = 0.01;
    c.options.t_min = {0.6, 0.6};
    const auto point = solve(c);
    CHECK(point.psi.t_min == 0.6);
    c.options.t_max = {0.9, 0.9};
    CHECK(solve(c).psi.t_max == 0.9);

    auto betas = golden_betas("sd_scaled_linear");
    betas.back() = 1.0;
    const auto zero_snr = solve(named(NoiseSchedule::from_betas(betas), 6, 0.05));
    CHECK(zero_snr.status == Status::converged);
    // the last entry's huge step in lambda costs more than it is worth
    CHECK(zero_snr.t.front() < 0.9995);
}

TEST_CASE("a spacing that does not fit is refused by name, with the room there is") {
    for (double gap : {1e-6, kInf}) {
        Case c = named(sd_noise(), 4, 0.25);
        c.options.gap = gap;
        CHECK(invalid_message([&] { optimize(c.noise, 4, c.options); }) ==
              "d_min must be at most 0.2475 for nfe = 4: 4 intervals * d_min = 1 does not fit between t_min = 0.01 and "
              "t_max = 1 (room 0.99), got 0.25");
        c.options.d_min = 0.2475;  // the largest that fits
        const auto s = solve(c);
        CHECK(s.t.front() == doctest::Approx(1.0).epsilon(1e-12));
        CHECK(s.t.back() == doctest::Approx(0.01).epsilon(1e-9));
        // soft, it is a price
        c.options.d_min = 0.25;
        c.options.gamma = 100.0;
        CHECK(solve(c).penalty > 0.0);
    }
    // in a list, before anything is searched
    const int counts[] = {3, 4, 5};
    Case c = named(sd_noise(), 4, 0.22);
    CHECK(refuses("d_min must be at most 0.198 for nfe = 5", [&] { optimize(c.noise, counts, c.options); }));
}

TEST_CASE("the soft problem lies below the hard one, and meets it as gamma grows") {
    struct Soft {
        NoiseSchedule noise;
        int nfe;
        double spacing, p;
    };
    for (const auto& [noise, nfe, spacing, p] :
         {Soft{sd_noise(), 6, 0.14, 2.0}, Soft{golden_noise("ddpm_linear"), 8, 0.1, 3.0},
          Soft{NoiseSchedule::flow(3.0), 5, 0.15, 2.0}, Soft{NoiseSchedule::edm(), 7, 0.12, 1.5}}) {
        const std::string name(to_string(noise.family()));
        CAPTURE(name);
        Case c = named(noise, nfe, spacing, p);
        const auto hard = solve(c);
        REQUIRE(hard.status == Status::converged);
        double previous = 0.0, previous_lack = kInf;
        for (double gamma : {0.0, 1.0, 1e3, 1e6, 1e9}) {
            CAPTURE(gamma);
            c.options.gamma = gamma;
            const auto soft = solve(c);
            CHECK(soft.fitness <= hard.fitness * (1.0 + 1e-9));
            CHECK(soft.fitness >= previous * (1.0 - 1e-9));
            CHECK(soft.lower_bound <= hard.fitness);
            CHECK(soft.penalty == spacing_penalty(soft.t, spacing, gamma));
            previous = soft.fitness;
            const double lack = std::max(0.0, spacing - soft.min_spacing);
            CHECK(lack <= previous_lack + 1e-7);
            previous_lack = lack;
        }
        CHECK(relative_error(previous, hard.fitness) < 1e-5);
        // gamma 0 does not know of the spacing
        c.options.gamma = 0.0;
        const auto weightless = solve(c);
        c.options.gamma.reset();
        c.options.d_min = 0.0;
        CHECK(relative_error(weightless.fitness, solve(c).fitness) < 1e-9);
    }
}

TEST_CASE("a soft spacing that does not fit shares out what is missing") {
    for (double gamma : {1.0, 1e3, 1e9}) {
        CAPTURE(gamma);
        Case c = named(sd_noise(), 5, 0.3);
        c.options.gamma = gamma;
        const auto s = solve(c);
        // an even schedule is the least penalty
        std::vector<double> even(6), lambdas(6);
        for (std::size_t i = 0; i <= 5; ++i) even[i] = 1.0 - 0.99 / 5.0 * static_cast<double>(i);
        even.back() = 0.01;
        c.noise.lambda(even, lambdas);
        CHECK(s.penalty >= spacing_penalty(even, 0.3, gamma) * (1.0 - 1e-9));
        CHECK(s.fitness <= (mep(c.noise, lambdas) + spacing_penalty(even, 0.3, gamma)) * (1.0 + 1e-12));
        if (gamma == 1e9) CHECK(relative_error(s.t, even) < 1e-6);
    }
}

TEST_CASE("the largest penalty is a number") {
    for (const int nfe : {1, 2, 10, 1000}) {
        Case c = named(sd_noise(), nfe, 1.0);
        c.options.gamma = 1e100;
        c.options.gap = nfe > 10 ? kInf : 0.1;
        const auto s = solve(c);
        CHECK(std::isfinite(s.fitness));
        CHECK((s.penalty > 0.0) == (nfe > 1 || c.options.terminal == Terminal::t_min));
        CHECK_FALSE(s.gap < 0.0);
    }
}

TEST_CASE("the gap asked for decides the work, not the schedule's quality") {
    Case c = named(sd_noise(), 8, 0.08);
    const auto best = solve(c);
    for (double gap : {1e-1, 1e-3, 1e-8, 1e-10}) {
        CAPTURE(gap);
        c.options.gap = gap;
        const auto s = solve(c);
        CHECK(s.status == Status::converged);
        CHECK(relative_error(s.fitness, best.fitness) < 1e-9);
    }
    c.options.gap = kInf;
    const auto uncertified = solve(c);
    CHECK(std::isnan(uncertified.lower_bound));
    CHECK(uncertified.status == Status::converged);
    CHECK(relative_error(uncertified.fitness, best.fitness) < 1e-9);
    // no bound of double precision is as close as this: the search ends where there is no more to have
    for (double gap : {1e-15, 1e-300}) {
        c.options.gap = gap;
        const auto beyond = solve(c);
        CHECK(beyond.status == Status::uncertified);
        CHECK(beyond.gap > 0.9e-12);
        CHECK(beyond.gap < 2.1e-12);
        CHECK(beyond.elapsed < 1.0);  // some milliseconds; the budget would be seconds
    }
    for (double bad : {0.0, -1e-6, -kInf, kNan}) {
        c.options.gap = bad;
        CHECK(refuses("gap must be above 0", [&] { optimize(c.noise, c.nfe, c.options); }));
    }
}

TEST_CASE("exact and newton are not for DM-NonUni's bound" * doctest::test_suite("nlopt")) {
    Options options;
    options.objective = LowerObjective::dm_nonuni;
    options.evolution = {.population_factor = 1, .max_generations = 0};
    CHECK(invalid_message([&] { optimize(sd_noise(), 5, options); }).empty());  // bilevel and slsqp by default
    options.search = Search::exact;
    CHECK(refuses("search must be bilevel or paper", [&] { optimize(sd_noise(), 5, options); }));
    for (Search search : {Search::bilevel, Search::paper}) {
        options.search = search;
        options.local = LocalSolver::newton;
        CHECK(refuses("local must be slsqp", [&] { optimize(sd_noise(), 5, options); }));
        options.local = LocalSolver::slsqp;
        CHECK(invalid_message([&] { optimize(sd_noise(), 5, options); }).empty());
    }
}

TEST_CASE("a list of nfe gives what single calls give, in its order" * doctest::test_suite("nlopt")) {
    const int counts[] = {8, 4, 20, 4, 1, 60, 2, 8};
    for (Search search : {Search::exact, Search::bilevel, Search::paper})
        for (Terminal terminal : {Terminal::zero, Terminal::t_min}) {
            Options options;
            options.search = search;
            options.terminal = terminal;
            options.d_min = 0.01;
            options.evolution = {.population_factor = 1, .max_generations = 1};
            CAPTURE(to_string(search));
            const auto all = optimize(sd_noise(), counts, options);
            REQUIRE(all.size() == std::size(counts));
            for (std::size_t i = 0; i < all.size(); ++i) {
                CAPTURE(i);
                CHECK(identical(all[i], optimize(sd_noise(), counts[i], options)));
            }
        }
    CHECK(optimize(sd_noise(), std::span<const int>()).empty());
    const int bad[] = {4, 0};
    CHECK(refuses("nfe must", [&] { optimize(sd_noise(), bad); }));
}

TEST_CASE("exact gives the same bits in every run, with any threads and seed" * doctest::test_suite("nlopt")) {
    for (int number = 600; number < 620; ++number) {
        Case c = random_case(number);
        CAPTURE(number);
        c.options.gap = number % 2 ? kInf : 1e-3;
        const auto first = optimize(c.noise, c.nfe, c.options);
        c.options.threads = 1 + number % 7;
        c.options.seed = 99;
        c.options.local = number % 3 ? LocalSolver::newton : LocalSolver::slsqp;
        CHECK(identical(first, optimize(c.noise, c.nfe, c.options)));
    }
}

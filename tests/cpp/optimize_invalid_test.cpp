#include <hso/optimize.hpp>
#include <hso/version.hpp>

#include <stdexcept>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

/// The message with which optimize() refuses what `change` makes of the default options.
template <class Change>
std::string refusal(Change change, int nfe = 4) {
    Options options;
    options.limits = Limits::published;
    options.evolution.max_generations = 0;
    change(options);
    return invalid_message([&] { optimize(sd_noise(), nfe, options); });
}

template <class Change>
bool refused(std::string_view argument, Change change) {
    return refusal(change).starts_with(argument);
}

}  // namespace

TEST_CASE("options that make no sense are refused by name") {
    CHECK(refusal([](Options&) {}).empty());
    for (int nfe : {0, -1, -1000}) CHECK(refusal([](Options&) {}, nfe).starts_with("nfe must"));
    CHECK(refusal([](Options&) {}, 10001).starts_with("nfe must be at most 10000"));
    for (double bad : {-1.0, kNan, kInf, -kInf}) {
        CHECK(refused("gamma", [=](Options& o) { o.gamma = bad; }));
        CHECK(refused("d_min", [=](Options& o) { o.d_min = bad; }));
        CHECK(refused("d_min must be in 0..1, got 1.5", [=](Options& o) { o.gamma = 1.0, o.d_min = 1.5; }));
        CHECK(refused("gamma must be in 0..1e100, got 1e+101", [=](Options& o) { o.gamma = 1e101; }));
        CHECK(refused("rho", [=](Options& o) { o.rho = {bad, 3.0}; }));
        CHECK(refused("t_min", [=](Options& o) { o.t_min = {bad, 0.03}; }));
        CHECK(refused("t_max", [=](Options& o) { o.t_max = {0.96, bad}; }));
        if (bad != kInf) CHECK(refused("tolerance", [=](Options& o) { o.evolution.tolerance = bad; }));
        CHECK(refused("mutation", [=](Options& o) { o.evolution.mutation_low = bad; }));
        CHECK(refused("mutation", [=](Options& o) { o.evolution.mutation_high = bad; }));
        CHECK(refused("crossover", [=](Options& o) { o.evolution.crossover = bad; }));
    }
    CHECK(refused("rho", [](Options& o) { o.rho = {0.0, 3.0}; }));
    CHECK(refused("rho", [](Options& o) { o.rho = {5.0, 3.0}; }));
    CHECK(refused("t_min", [](Options& o) { o.t_min = {0.03, 0.01}; }));
    CHECK(refused("t_max", [](Options& o) { o.t_max = {1.0, 0.96}; }));
    CHECK(refused("t_min", [](Options& o) { o.t_min = {0.0, 0.03}; }));
    CHECK(refused("t_max", [](Options& o) { o.t_max = {0.96, 1.1}; }));
    CHECK(refused("t_min", [](Options& o) { o.t_min = {0.01, 0.97}; }));
    CHECK(refused("threads", [](Options& o) { o.threads = -1; }));
    CHECK(refused("threads", [](Options& o) { o.threads = 1000000; }));
    CHECK(refused("local_iterations", [](Options& o) { o.local_iterations = 0; }));
    CHECK(refused("population_factor", [](Options& o) { o.evolution.population_factor = 0; }));
    CHECK(refused("population_factor", [](Options& o) { o.evolution.population_factor = 1000000000; }));
    CHECK(refused("max_generations", [](Options& o) { o.evolution.max_generations = -1; }));
    CHECK(refused("mutation", [](Options& o) { o.evolution.mutation_low = 1.5; }));
    CHECK(refused("crossover", [](Options& o) { o.evolution.crossover = 1.01; }));
}

TEST_CASE("a spacing that does not fit says what it needs and what room there is") {
    const auto message = refusal([](Options& o) {
        o.terminal = Terminal::t_min;
        o.d_min = 0.25;
    });
    CHECK(message ==
          "d_min must be at most 0.2475 for nfe = 4: 4 intervals * d_min = 1 does not fit between "
          "t_min = 0.01 and t_max = 1 (room 0.99), got 0.25");
    // the same spacing fits where the last step goes to sigma 0
    CHECK(refusal([](Options& o) { o.d_min = 0.25; }).empty());
    // the largest that fits is accepted
    CHECK(refusal([](Options& o) {
              o.terminal = Terminal::t_min;
              o.d_min = 0.2475;
          }).empty());
}

TEST_CASE("published ends beyond a noise schedule's range are named") {
    const auto coarse = NoiseSchedule::from_alphas_cumprod(std::vector{0.9, 0.5, 0.1});  // t from 1/3
    const auto message = invalid_message([&] { optimize(coarse, 2, {.limits = Limits::published}); });
    CHECK(message.starts_with("t_min must be within the noise schedule's t range"));
    CHECK(message.find("the default") != std::string::npos);
}

TEST_CASE("SLSQP, whose memory grows with the square of nfe, is refused beyond 1000" * doctest::test_suite("nlopt")) {
    const auto message = [](int nfe, Options options) {
        options.should_stop = [] { return true; };  // what is accepted is not searched
        try {
            optimize(sd_noise(), nfe, options);
        } catch (const std::invalid_argument& error) {
            return std::string(error.what());
        } catch (const Stopped&) {
        }
        return std::string();
    };
    const std::string expected = "nfe must be at most 1000 with local slsqp, whose memory grows with the square of it, got 1001";
    CHECK(message(1001, {.search = Search::bilevel, .local = LocalSolver::slsqp}) == expected);
    CHECK(message(1001, {.search = Search::paper, .local = LocalSolver::slsqp, .d_min = 0.0}) == expected);
    CHECK(message(1001, {.objective = LowerObjective::dm_nonuni}) == expected);
    CHECK(message(1000, {.objective = LowerObjective::dm_nonuni, .d_min = 0.0}).empty());
    CHECK(message(10000, {.search = Search::bilevel, .d_min = 0.0}).empty());
    CHECK(message(10000, {.search = Search::exact, .local = LocalSolver::slsqp}).empty());
}

TEST_CASE("enumerators that are none are refused by name") {
    for (int bad : {-1, 77}) {
        CHECK(refused("terminal must be one of its enumerators", [=](Options& o) { o.terminal = static_cast<Terminal>(bad); }));
        CHECK(refused("search", [=](Options& o) { o.search = static_cast<Search>(bad); }));
        CHECK(refused("local", [=](Options& o) { o.local = static_cast<LocalSolver>(bad); }));
        CHECK(refused("objective", [=](Options& o) { o.objective = static_cast<LowerObjective>(bad); }));
        CHECK(refused("limits", [=](Options& o) { o.limits = static_cast<Limits>(bad); }));
    }
}

TEST_CASE("error proxies that overflow are refused by name, and leave what they were given as it was") {
    const NoiseSchedule edm = NoiseSchedule::edm();
    const std::vector<double> lambda = {-5.0, 5.0}, value = {1e308, 1e308};
    for (int nfe : {5, 30})
        for (auto search : {Search::exact, Search::bilevel, Search::paper}) {
            if (search == Search::paper && !has_nlopt()) continue;
            Options options{.search = search};
            options.evolution.max_generations = 1;
            options.proxy = ErrorProxy::power(1e5);
            Workspace workspace;
            Schedule out = optimize(edm, 3);
            const auto before = out.t;
            CHECK(invalid_message([&] { optimize(edm, nfe, options, workspace, out); }) ==
                  "p must be such that the objective is at most 1e250 for this noise schedule, got 1e+05");
            CHECK(out.t == before);
            options.proxy = ErrorProxy::table(lambda, value);
            CHECK(refuses("proxy must be such", [&] { optimize(NoiseSchedule::flow(), nfe, options, workspace, out); }));
            CHECK(out.t == before);
            options.proxy = {};
            optimize(edm, nfe, options, workspace, out);
            CHECK(out.nfe == nfe);
        }
    CHECK(refuses("p must be such", [&] {
        schedule_from_nodes(edm, std::vector{0.9, 0.5}, {.proxy = ErrorProxy::power(1000.0)});
    }));
    CHECK(optimize(edm, 1, {.proxy = ErrorProxy::power(1000.0)}).mep == 0.0);
}

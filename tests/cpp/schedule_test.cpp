#include <hso/schedule.hpp>

#include <doctest/doctest.h>

#include <hso/objective.hpp>
#include <hso/spacing.hpp>

#include "support.hpp"

using namespace hso;
using namespace hso::test;

TEST_CASE("a schedule from nodes: terminal t_min samples to the last node") {
    const auto noise = sd_noise();
    const std::vector t = {0.9, 0.5, 0.2, 0.05};
    Options options;
    options.terminal = Terminal::t_min;
    options.d_min = 0.2;
    options.gamma = 100.0;
    const auto s = schedule_from_nodes(noise, t, options);
    CHECK(s.nfe == 3);
    CHECK(s.t == t);
    REQUIRE(s.timesteps.size() == 3);
    std::vector<double> lambdas(4);
    noise.lambda(t, lambdas);
    CHECK(s.lambdas == lambdas);
    for (std::size_t i = 0; i < 4; ++i) CHECK(s.sigmas[i] == doctest::Approx(std::exp(-lambdas[i])).epsilon(1e-14));
    for (std::size_t i = 0; i < 3; ++i) CHECK(s.timesteps[i] == doctest::Approx(1000.0 * t[i] - 1.0).epsilon(1e-12));
    CHECK(s.mep == doctest::Approx(mep(noise, lambdas)).epsilon(1e-14));
    CHECK(s.penalty == doctest::Approx(100.0 * 0.05 * 0.05).epsilon(1e-12));
    CHECK(s.fitness == s.mep + s.penalty);
    CHECK(s.min_spacing == doctest::Approx(0.15).epsilon(1e-13));
    CHECK(s.d_min == 0.2);
    CHECK(s.status == Status::given);
    CHECK(s.psi.t_min == 0.05);
    CHECK(s.psi.t_max == 0.9);
    CHECK(std::isnan(s.psi.rho));
    CHECK(std::isnan(s.lower_bound));
    CHECK(std::isnan(s.gap));
}

TEST_CASE("a schedule from nodes: terminals zero and skip end at sigma 0") {
    const auto noise = NoiseSchedule::flow(3.0);
    const std::vector t = {0.99, 0.5, 0.1};
    Options options;
    options.terminal = Terminal::zero;
    const auto zero = schedule_from_nodes(noise, t, options);
    CHECK(zero.nfe == 3);
    CHECK(zero.t == std::vector{0.99, 0.5, 0.1, 0.0});
    CHECK(zero.sigmas.back() == 0.0);
    CHECK(std::isinf(zero.lambdas.back()));
    CHECK(zero.timesteps.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {  // flow: sigma is s, the timestep 1000 s
        CHECK(zero.sigmas[i] == doctest::Approx(t[i]).epsilon(1e-13));
        CHECK(zero.timesteps[i] == doctest::Approx(1000.0 * t[i]).epsilon(1e-13));
    }
    options.terminal = Terminal::skip;
    const auto skip = schedule_from_nodes(noise, t, options);
    CHECK(skip.nfe == 2);
    CHECK(skip.t == std::vector{0.99, 0.5, 0.0});  // the last node is optimized, but not sampled
    CHECK(skip.sigmas.size() == 3);
    CHECK(skip.sigmas.back() == 0.0);
    CHECK(skip.timesteps.size() == 2);
    CHECK(skip.psi.t_min == 0.1);
    CHECK(skip.mep == zero.mep);  // over the same three nodes
    CHECK(zero.d_min == d_min(3));
}

TEST_CASE("one call is a schedule") {
    const auto noise = sd_noise();
    const auto s = schedule_from_nodes(noise, std::vector{1.0});
    CHECK(s.nfe == 1);
    CHECK(s.t == std::vector{1.0, 0.0});
    CHECK(s.mep == 0.0);
    CHECK(s.fitness == 0.0);
    CHECK(std::isinf(s.min_spacing));
}

TEST_CASE("nodes of DM-NonUni are measured by its bound") {
    const auto noise = sd_noise();
    const std::vector t = {1.0, 0.6, 0.3, 0.01};
    std::vector<double> lambdas(4);
    noise.lambda(t, lambdas);
    Options options;
    options.objective = LowerObjective::dm_nonuni;
    CHECK(schedule_from_nodes(noise, t, options).mep == doctest::Approx(dm_nonuni(noise, lambdas)).epsilon(1e-14));
}

TEST_CASE("nodes that are no schedule are refused by name") {
    const auto noise = sd_noise();
    Options options;
    const auto build = [&](std::vector<double> t) { return [&, t] { schedule_from_nodes(noise, t, options); }; };
    CHECK(refuses("t must", build({})));
    CHECK(refuses("t[1]", build({0.5, 0.5})));
    CHECK(refuses("t[2]", build({0.5, 0.4, 0.45})));
    CHECK(refuses("t[1]", build({0.5, std::nan("")})));
    CHECK(refuses("t", build({1.5, 0.5})));
    CHECK(refuses("t", build({0.5, 0.0})));
    CHECK(refuses("t", build({std::nan("")})));
    std::vector<double> many(10001);
    for (std::size_t i = 0; i < many.size(); ++i) many[i] = 0.9 - 1e-5 * static_cast<double>(i);
    CHECK(refuses("t must be at most 10000 long", build(many)));
    many.pop_back();
    CHECK(!refuses("t", build(many)));
    options.terminal = Terminal::t_min;
    CHECK(refuses("t must", build({0.5})));
    options.gamma = -1.0;
    CHECK(refuses("gamma", build({0.5, 0.4})));
}

TEST_CASE("every enumerator has its name") {
    CHECK(to_string(Family::vp) == "vp");
    CHECK(to_string(Family::flow) == "flow");
    CHECK(to_string(Family::ve) == "ve");
    CHECK(to_string(Family::general) == "general");
    CHECK(to_string(Terminal::zero) == "zero");
    CHECK(to_string(Terminal::t_min) == "t_min");
    CHECK(to_string(Terminal::skip) == "skip");
    CHECK(to_string(Search::bilevel) == "bilevel");
    CHECK(to_string(Search::paper) == "paper");
    CHECK(to_string(LowerObjective::mep) == "mep");
    CHECK(to_string(LowerObjective::dm_nonuni) == "dm_nonuni");
    CHECK(to_string(Status::converged) == "converged");
    CHECK(to_string(Status::max_generations) == "max_generations");
    CHECK(to_string(Status::collapsed) == "collapsed");
    CHECK(to_string(Status::given) == "given");
}

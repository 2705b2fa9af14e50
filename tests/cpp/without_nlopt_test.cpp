// Only in a build with HSO_WITH_NLOPT=OFF.
#include <hso/optimize.hpp>

#include <span>
#include <vector>

#include <doctest/doctest.h>

#include <hso/objective.hpp>
#include <hso/version.hpp>

#include "support.hpp"

using namespace hso;
using namespace hso::test;

TEST_CASE("what needs NLopt is refused before it is searched, and says why") {
    const auto noise = sd_noise();
    const auto refused = [&](const Options& options) { return invalid_message([&] { optimize(noise, 5, options); }); };
    CHECK_FALSE(has_nlopt());
    CHECK(refused({.search = Search::paper}) ==
          "search must be exact or bilevel (this library was built without NLopt), got paper");
    CHECK(refused({.search = Search::bilevel, .local = LocalSolver::slsqp}) ==
          "local must be newton (this library was built without NLopt), got slsqp");
    CHECK(refused({.objective = LowerObjective::dm_nonuni}) ==
          "objective must be mep (this library was built without NLopt), got dm_nonuni");
    CHECK(refused({.search = Search::paper, .local = LocalSolver::newton}).starts_with("search"));
}

TEST_CASE("bilevel with Newton finds exact's optimum without NLopt") {
    for (int nfe : {4, 5, 6, 8}) {
        const Options exact = {.search = Search::exact, .limits = Limits::published};
        const Options bilevel = {.search = Search::bilevel, .limits = Limits::published};
        const double best = optimize(sd_noise(), nfe, exact).fitness;
        CHECK(relative_error(optimize(sd_noise(), nfe, bilevel).fitness, best) < 1e-7);
    }
}

TEST_CASE("a schedule from nodes is scored by DM-NonUni without NLopt") {
    const std::vector t = {0.9, 0.5, 0.1};
    const auto noise = sd_noise();
    const Schedule schedule = schedule_from_nodes(noise, t, {.objective = LowerObjective::dm_nonuni});
    CHECK(schedule.mep == dm_nonuni(noise, std::span(schedule.lambdas).first(t.size())));
}

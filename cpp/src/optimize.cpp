#include <hso/optimize.hpp>

#include <chrono>

#include "problem.hpp"
#include "result.hpp"
#include "search.hpp"

namespace hso {

Schedule optimize(const NoiseSchedule& noise, int nfe, const Options& options) {
    const auto start = std::chrono::steady_clock::now();
    const detail::Problem problem = detail::make_problem(noise, nfe, options);
    detail::SearchResult found;
    if (problem.intervals == 0)  // one call, then to sigma 0: nothing to minimize, and the call belongs to the most noise
        found.t = {problem.t_max.second};
    else
        found = options.search == Search::paper ? detail::search_paper(problem, options)
                                                : detail::search_bilevel(problem, options);
    Schedule schedule = detail::make_schedule(problem, std::move(found.t), found.rho);
    schedule.evaluations = found.evaluations;
    schedule.generations = found.generations;
    if (schedule.status != Status::collapsed) schedule.status = found.status;
    schedule.elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return schedule;
}

}  // namespace hso

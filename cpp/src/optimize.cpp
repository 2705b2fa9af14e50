#include <hso/optimize.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "exact.hpp"
#include "problem.hpp"
#include "result.hpp"
#include "search.hpp"

namespace hso {

namespace {

detail::SearchResult run(const detail::Problem& problem, const Options& options, detail::ExactSearch& exact) {
    const Search search = detail::choose_search(options);
    if (problem.intervals == 0) {
        // one call, then to sigma 0: nothing to minimize, and the call belongs to the most noise
        detail::SearchResult only;
        only.t = {problem.t_max.second};
        if (search == Search::exact) only.lower_bound = 0.0;
        return only;
    }
    switch (search) {
        case Search::exact: return exact.run(problem, options);
        case Search::bilevel: return detail::search_bilevel(problem, options);
        case Search::paper: return detail::search_paper(problem, options);
    }
    return {};
}

}  // namespace

std::vector<Schedule> optimize(const NoiseSchedule& noise, std::span<const int> nfe, const Options& options) {
    std::vector<detail::Problem> problems;  // all are checked before the first is searched
    problems.reserve(nfe.size());
    for (int n : nfe) problems.push_back(detail::make_problem(noise, n, options));
    detail::ExactSearch exact;
    std::vector<Schedule> schedules;
    schedules.reserve(nfe.size());
    for (const detail::Problem& problem : problems) {
        const auto start = std::chrono::steady_clock::now();
        detail::SearchResult found = run(problem, options, exact);
        Schedule schedule = detail::make_schedule(problem, std::move(found.t), found.rho);
        schedule.evaluations = found.evaluations;
        schedule.generations = found.generations;
        if (schedule.status != Status::collapsed) schedule.status = found.status;
        if (!std::isnan(found.lower_bound)) {
            schedule.lower_bound = std::min(found.lower_bound, schedule.fitness);
            schedule.gap = schedule.fitness > 0.0 ? (schedule.fitness - schedule.lower_bound) / schedule.fitness : 0.0;
        }
        schedule.elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        schedules.push_back(std::move(schedule));
    }
    return schedules;
}

Schedule optimize(const NoiseSchedule& noise, int nfe, const Options& options) {
    return std::move(optimize(noise, std::span(&nfe, 1), options).front());
}

}  // namespace hso

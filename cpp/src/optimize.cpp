#include <hso/optimize.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "checkpoint.hpp"
#include "exact.hpp"
#include "problem.hpp"
#include "result.hpp"
#include "search.hpp"

namespace hso {

namespace detail {

/// Every search with the memory it works in.
struct Searches {
    ExactSearch exact;
    PsiSearch psi;
    SearchResult found;
    std::atomic_flag at_work;

    static Searches& of(Workspace& workspace) {
        if (!workspace.searches_) workspace.searches_ = std::make_unique<Searches>();
        return *workspace.searches_;
    }
};

}  // namespace detail

namespace {

/// Fills searches.found.
void search(const detail::Problem& problem, const Options& options, detail::Checkpoint& checkpoint, detail::Searches& searches) {
    detail::SearchResult& found = searches.found;
    found = detail::SearchResult{.t = std::move(found.t)};
    const Search kind = detail::choose_search(options);
    if (problem.intervals == 0) {
        // one call, then to sigma 0: nothing to minimize, and the call belongs to the most noise
        found.t.assign(1, problem.t_max.second);
        if (kind == Search::exact) found.lower_bound = 0.0;
        return;
    }
    switch (kind) {
        case Search::exact: return searches.exact.run(problem, options, checkpoint, found);
        case Search::bilevel: return searches.psi.run_bilevel(problem, options, checkpoint, found);
        case Search::paper: return searches.psi.run_paper(problem, options, checkpoint, found);
    }
}

void optimize(const detail::Problem& problem, const Options& options, detail::Checkpoint& checkpoint, detail::Searches& searches,
              Schedule& schedule) {
    const auto start = std::chrono::steady_clock::now();
    search(problem, options, checkpoint, searches);
    const detail::SearchResult& found = searches.found;
    detail::make_schedule(problem, found.t, found.rho, schedule);
    schedule.evaluations = found.evaluations;
    schedule.generations = found.generations;
    if (schedule.status != Status::collapsed) schedule.status = found.status;
    if (!std::isnan(found.lower_bound)) {
        schedule.lower_bound = std::min(found.lower_bound, schedule.fitness);
        schedule.gap = schedule.fitness > 0.0 ? (schedule.fitness - schedule.lower_bound) / schedule.fitness : 0.0;
    }
    schedule.elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Holds searches for one call.
class Turn {
  public:
    explicit Turn(detail::Searches& searches) : searches_(searches) {
        if (searches_.at_work.test_and_set(std::memory_order_acquire))
            throw std::logic_error("workspace is at work in another call: it serves one at a time");
    }
    ~Turn() { searches_.at_work.clear(std::memory_order_release); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

  private:
    detail::Searches& searches_;
};

}  // namespace

Workspace::Workspace() noexcept = default;
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;

void Workspace::release() noexcept { searches_.reset(); }

void optimize(const NoiseSchedule& noise, int nfe, const Options& options, Workspace& workspace, Schedule& out) {
    const detail::Problem problem = detail::make_problem(noise, nfe, options);
    detail::Searches& searches = detail::Searches::of(workspace);
    const Turn turn(searches);
    detail::Checkpoint checkpoint(options.should_stop);
    optimize(problem, options, checkpoint, searches, out);
}

Schedule optimize(const NoiseSchedule& noise, int nfe, const Options& options) {
    detail::Searches searches;  // what a workspace would hold
    Schedule schedule;
    const detail::Problem problem = detail::make_problem(noise, nfe, options);
    detail::Checkpoint checkpoint(options.should_stop);
    optimize(problem, options, checkpoint, searches, schedule);
    return schedule;
}

std::vector<Schedule> optimize(const NoiseSchedule& noise, std::span<const int> nfe, const Options& options) {
    std::vector<detail::Problem> problems;  // all are checked before the first is searched
    problems.reserve(nfe.size());
    for (int n : nfe) problems.push_back(detail::make_problem(noise, n, options));
    detail::Searches searches;
    std::vector<Schedule> schedules(nfe.size());
    detail::Checkpoint checkpoint(options.should_stop);
    for (std::size_t i = 0; i < problems.size(); ++i) optimize(problems[i], options, checkpoint, searches, schedules[i]);
    return schedules;
}

}  // namespace hso

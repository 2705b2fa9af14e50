#include "search.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <hso/spacing.hpp>

#include "slsqp.hpp"

namespace hso::detail {

namespace {

using Bounds = std::array<std::pair<double, double>, 3>;

Psi to_psi(std::span<const double> x) { return {.rho = x[0], .t_min = x[1], .t_max = x[2]}; }

/// SciPy, whose differential evolution the published search uses, ends with a local polish by finite differences. The
/// fitness is too noisy for those (gamma = 1e9 times rounding), so a derivative-free simplex method stands in; it moves
/// the two ends alone, since the fitness does not depend on rho but for rounding.
std::array<double, 3> polish_ends(const Problem& problem, const EvolutionResult& evolution,
                                  FunctionRef<double(std::span<const double>)> fitness) {
    constexpr LocalBudget budget{.tolerance = 1e-12, .max_evaluations = 200};
    std::array<double, 3> best;
    std::copy_n(evolution.best.begin(), best.size(), best.begin());
    const std::array<double, 3> lower = {best[0], problem.t_min.first, problem.t_max.first};
    const std::array<double, 3> upper = {best[0], problem.t_min.second, problem.t_max.second};
    std::array<double, 3> polished = best;
    return minimize_subplex(polished, lower, upper, fitness, budget).value < evolution.value ? polished : best;
}

}  // namespace

void PsiSearch::prepare(const Problem& problem, const Options& options, const ThreadTeam& team, Checkpoint& checkpoint) {
    if (workers_.size() < team.size()) workers_.resize(team.size());
    for (Worker& worker : std::span(workers_).first(team.size())) {
        const bool calling = &worker == &workers_.front();
        if (!calling) worker.checkpoint = Checkpoint(team.stopped());
        worker.level.reset(problem, choose_local(options), options.local_iterations, calling ? checkpoint : worker.checkpoint);
        worker.lambdas.resize(problem.nodes());
        worker.t.resize(problem.nodes());
    }
}

/// The upper level: evolves psi by the fitness of the schedules that the lower level makes of it.
const EvolutionResult& PsiSearch::evolve(const Problem& problem, const Options& options, ThreadTeam& team, Checkpoint& checkpoint,
                                         FunctionRef<double(std::size_t, const Psi&)> fitness) {
    const Bounds bounds = {problem.rho, problem.t_min, problem.t_max};
    return evolution_.minimize(
        bounds, options.evolution, options.seed, team,
        [&](std::size_t worker, std::span<const double> x) {
            const Psi psi = to_psi(x);
            // ranges that touch can put both ends on one point: no schedule
            return psi.t_min < psi.t_max ? fitness(worker, psi) : std::numeric_limits<double>::infinity();
        },
        checkpoint);
}

void PsiSearch::finish(const EvolutionResult& evolution, std::size_t workers, SearchResult& result) const {
    result.t = workers_[0].t;
    result.rho = evolution.best[0];
    result.generations = evolution.generations;
    result.status = evolution.converged ? Status::converged : Status::max_generations;
    for (const Worker& worker : std::span(workers_).first(workers)) result.evaluations += worker.level.evaluations();
}

void PsiSearch::run_paper(const Problem& problem, const Options& options, Checkpoint& checkpoint, SearchResult& result) {
    ThreadTeam team(options.threads);
    prepare(problem, options, team, checkpoint);
    const auto fitness = [&](std::size_t at, const Psi& psi) {
        Worker& worker = workers_[at];
        const double value = worker.level.solve_free(psi, worker.lambdas);
        problem.t(worker.lambdas, worker.t);
        return value + spacing_penalty(worker.t, problem.d_min, problem.gamma);
    };
    const EvolutionResult& evolution = evolve(problem, options, team, checkpoint, fitness);
    check_value(problem, evolution.value);
    const auto best = polish_ends(problem, evolution, [&](std::span<const double> x) { return fitness(0, to_psi(x)); });
    fitness(0, to_psi(best));
    finish(evolution, team.size(), result);
    result.t.front() = best[2];
    result.t.back() = best[1];
}

void PsiSearch::run_bilevel(const Problem& problem, const Options& options, Checkpoint& checkpoint, SearchResult& result) {
    ThreadTeam team(options.threads);
    prepare(problem, options, team, checkpoint);
    const auto fitness = [&](std::size_t at, const Psi& psi) {
        Worker& worker = workers_[at];
        const double value = worker.level.solve_spaced(psi, worker.t);
        return value + spacing_penalty(worker.t, problem.spacing, problem.gamma);
    };
    const EvolutionResult& evolution = evolve(problem, options, team, checkpoint, fitness);
    check_value(problem, evolution.value);
    fitness(0, to_psi(evolution.best));
    Worker& first = workers_[0];
    keep_spacing(first.t, problem.spacing, problem.t_min, problem.t_max);
    first.level.polish(first.t);
    finish(evolution, team.size(), result);
}

}  // namespace hso::detail

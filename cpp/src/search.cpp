#include "search.hpp"

#include <array>
#include <limits>
#include <utility>

#include <hso/spacing.hpp>

#include "differential_evolution.hpp"
#include "lower_level.hpp"

namespace hso::detail {

namespace {

using Bounds = std::array<std::pair<double, double>, 3>;

Psi to_psi(std::span<const double> x) { return {.rho = x[0], .t_min = x[1], .t_max = x[2]}; }

std::vector<LowerLevel> one_per_worker(const Problem& problem, const Options& options, std::size_t workers) {
    std::vector<LowerLevel> levels;
    levels.reserve(workers);
    for (std::size_t i = 0; i < workers; ++i) levels.emplace_back(problem, choose_local(options), options.local_iterations);
    return levels;
}

/// The upper level: evolves psi by the fitness of the schedules that the lower level makes of it.
EvolutionResult evolve(const Problem& problem, const Options& options, ThreadTeam& team,
                       FunctionRef<double(std::size_t, const Psi&)> fitness) {
    const Bounds bounds = {problem.rho, problem.t_min, problem.t_max};
    return differential_evolution(
        bounds, options.evolution, options.seed, team,
        [&](std::size_t worker, std::span<const double> x) {
            const Psi psi = to_psi(x);
            // ranges that touch can put both ends on one point: no schedule
            return psi.t_min < psi.t_max ? fitness(worker, psi) : std::numeric_limits<double>::infinity();
        },
        options.on_generation);
}

/// SciPy, whose differential evolution the published search uses, ends with a local polish by finite differences. The
/// fitness is too noisy for those (gamma = 1e9 times rounding), so a derivative-free simplex method stands in; it moves
/// the two ends alone, since the fitness does not depend on rho but for rounding.
void polish_ends(const Problem& problem, std::vector<double>& x, double value,
                 FunctionRef<double(std::span<const double>)> fitness) {
    constexpr LocalBudget budget{.tolerance = 1e-12, .max_evaluations = 200};
    const std::array<double, 3> lower = {x[0], problem.t_min.first, problem.t_max.first};
    const std::array<double, 3> upper = {x[0], problem.t_min.second, problem.t_max.second};
    std::vector<double> polished = x;
    if (minimize_subplex(polished, lower, upper, fitness, budget).value < value) x = polished;
}

SearchResult finish(const EvolutionResult& evolution, std::span<const LowerLevel> levels, double rho) {
    SearchResult result;
    result.rho = rho;
    result.generations = evolution.generations;
    result.status = evolution.converged ? Status::converged : Status::max_generations;
    for (const LowerLevel& level : levels) result.evaluations += level.evaluations();
    return result;
}

}  // namespace

SearchResult search_paper(const Problem& problem, const Options& options) {
    ThreadTeam team(options.threads);
    std::vector<LowerLevel> levels = one_per_worker(problem, options, team.size());
    std::vector<std::vector<double>> lambdas(team.size(), std::vector<double>(problem.nodes())), t = lambdas;
    const auto fitness = [&](std::size_t worker, const Psi& psi) {
        const double value = levels[worker].solve_free(psi, lambdas[worker]);
        problem.t(lambdas[worker], t[worker]);
        return value + spacing_penalty(t[worker], problem.d_min, problem.gamma);
    };
    EvolutionResult evolution = evolve(problem, options, team, fitness);
    polish_ends(problem, evolution.best, evolution.value, [&](std::span<const double> x) { return fitness(0, to_psi(x)); });
    fitness(0, to_psi(evolution.best));
    SearchResult result = finish(evolution, levels, evolution.best[0]);
    result.t = t[0];
    result.t.front() = evolution.best[2];
    result.t.back() = evolution.best[1];
    return result;
}

SearchResult search_bilevel(const Problem& problem, const Options& options) {
    ThreadTeam team(options.threads);
    std::vector<LowerLevel> levels = one_per_worker(problem, options, team.size());
    std::vector<std::vector<double>> t(team.size(), std::vector<double>(problem.nodes()));
    const auto fitness = [&](std::size_t worker, const Psi& psi) {
        const double value = levels[worker].solve_spaced(psi, t[worker]);
        return value + spacing_penalty(t[worker], problem.spacing, problem.gamma);
    };
    const EvolutionResult evolution = evolve(problem, options, team, fitness);
    fitness(0, to_psi(evolution.best));
    keep_spacing(t[0], problem.spacing, problem.t_min, problem.t_max);
    levels[0].polish(t[0]);
    SearchResult result = finish(evolution, levels, evolution.best[0]);
    result.t = t[0];
    return result;
}

}  // namespace hso::detail

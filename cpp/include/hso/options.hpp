#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include <hso/error_proxy.hpp>
#include <hso/stop.hpp>

namespace hso {

/// Where the last network call's interval ends.
enum class Terminal {
    zero,   ///< N nodes are optimized, then the step to sigma 0 (the published DDIM setting)
    t_min,  ///< N+1 nodes are optimized, integration stops at the last (the published UniPC setting)
    skip,   ///< N+1 nodes are optimized, but from the N-th the step goes straight to sigma 0
};

/// How the schedule is looked for.
enum class Search {
    exact,    ///< the global optimum by a shortest path and Newton's method, with a certificate (docs/exact.md)
    bilevel,  ///< differential evolution over psi, lower level with the spacing as constraints, polish with free ends
    paper,    ///< as published: the lower level ignores the spacing, the upper level penalizes it
};

/// Who solves the lower level of Search::bilevel and Search::paper.
enum class LocalSolver {
    newton,  ///< safeguarded Newton on MEP's tridiagonal Hessian
    slsqp,   ///< NLopt's sequential quadratic programming, for nfe up to 1000
};

/// What the lower level minimizes and the fitness measures.
enum class LowerObjective {
    mep,        ///< the midpoint error proxy (paper eq. 8)
    dm_nonuni,  ///< DM-NonUni's bound for UniPC (Xue et al. 2024)
};

/// The ends and the spacing where t_min, t_max and d_min are not given.
enum class Limits {
    /// As the samples of five models ask for (docs/quality.md): the first node at the most noise; the last where
    /// exp(-lambda) = 1.5 shift/nfe for Terminal::zero, 0.2 shift/nfe for the others, but at most halfway up to the first;
    /// three quarters of d_min(nfe) apart, at most 0.8 of an even spacing.
    measured,
    published,  ///< t in 0.01..0.03 and 0.96..1 on the sampler's clock (see NoiseSchedule::shifted), d_min(nfe)
};

/// Differential evolution (Storn and Price 1997), best1bin with dither; the defaults are the published settings.
struct EvolutionOptions {
    int population_factor = 20;  ///< individuals per parameter: 20 x 3
    int max_generations = 60;    ///< after the first population
    double tolerance = 0.01;     ///< stop when the fitness spread is below tolerance * |mean|
    double mutation_low = 0.5;   ///< the dithered F of a generation is drawn from [low, high)
    double mutation_high = 1.0;  ///< the end of that range, at most 2
    double crossover = 0.7;      ///< CR
};

/// The published weight of the spacing penalty.
constexpr double kPublishedGamma = 1e9;

/// Options of optimize().
struct Options {
    Terminal terminal = Terminal::zero;              ///< where the last network call's interval ends
    std::optional<Search> search = {};               ///< default: exact for MEP, bilevel for DM-NonUni, which is no chain
    std::optional<LocalSolver> local = {};           ///< default: newton for MEP, slsqp for DM-NonUni, whose bound has kinks
    LowerObjective objective = LowerObjective::mep;  ///< what is minimized
    std::optional<ErrorProxy> proxy = {};            ///< default: ErrorProxy::standard
    /// Weight of the spacing penalty, 0..1e100. With Search::exact a value makes the spacing soft: the minimum of MEP plus
    /// penalty is found. Without one the spacing is a constraint. The other searches use it (or the published 1e9) to weigh
    /// schedules that miss the spacing.
    std::optional<double> gamma = {};
    double gap =
        1e-6;  ///< Search::exact: the relative gap to certify, > 0, where 2e-12 is the least that rounding allows; infinity: no certificate
    std::optional<Limits> limits = {};                    ///< default: measured; published for Search::paper and DM-NonUni
    std::optional<double> d_min = {};                     ///< least spacing in t, 0..1; default: see Limits
    std::pair<double, double> rho = {3.0, 16.0};          ///< range of psi's rho
    std::optional<std::pair<double, double>> t_min = {};  ///< range of the last optimized node's t; default: see Limits
    std::optional<std::pair<double, double>> t_max = {};  ///< of the first node's
    std::uint64_t seed = 0;                               ///< of differential evolution's random numbers
    int threads = 1;                                      ///< 0: one per processor. The result does not depend on it.
    int local_iterations = 80;        ///< most objective evaluations of one lower-level solve (published: 80 iterations)
    EvolutionOptions evolution = {};  ///< of Search::bilevel and Search::paper
    /// Ends a search that takes too long. With LocalSolver::slsqp and more than some 100 nodes, one iteration of NLopt's, which
    /// cannot be asked within, may take longer than the 10 ms between two questions.
    ShouldStop should_stop = {};
};

}  // namespace hso

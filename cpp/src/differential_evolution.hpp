#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include <hso/options.hpp>

#include "function_ref.hpp"
#include "parallel.hpp"

namespace hso::detail {

struct EvolutionResult {
    std::vector<double> best;
    double value = 0.0;
    int generations = 0;
    bool converged = false;
};

/// Minimizes f over a box by differential evolution (Storn and Price 1997): best1bin, one dithered F a generation, Latin
/// hypercube start, deferred updates; a coordinate that leaves the box is drawn anew. Stops when the spread of the
/// population's values is within tolerance of their mean, or after max_generations.
///
/// Deterministic for any team size: the trials of a generation are built from the frozen population with one random
/// stream per (seed, generation, index), evaluated into their own slots, and selected in order.
/// f(worker, x) is called from the team's threads; on_generation between generations, from the caller's.
EvolutionResult differential_evolution(std::span<const std::pair<double, double>> bounds, const EvolutionOptions& options,
                                       std::uint64_t seed, ThreadTeam& team,
                                       FunctionRef<double(std::size_t, std::span<const double>)> f,
                                       const std::function<void()>& on_generation);

}  // namespace hso::detail

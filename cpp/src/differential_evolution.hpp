#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <hso/options.hpp>

#include "checkpoint.hpp"
#include "function_ref.hpp"
#include "parallel.hpp"

namespace hso::detail {

struct EvolutionResult {
    std::vector<double> best;
    double value = 0.0;
    int generations = 0;
    bool converged = false;
};

/// A population in the unit cube: row i is individual i.
class Population {
  public:
    void resize(std::size_t size, std::size_t dimension) {
        dimension_ = dimension;
        genes_.resize(size * dimension);
    }

    std::span<double> operator[](std::size_t i) { return std::span(genes_).subspan(i * dimension_, dimension_); }
    std::span<const double> operator[](std::size_t i) const { return std::span(genes_).subspan(i * dimension_, dimension_); }

  private:
    std::size_t dimension_ = 0;
    std::vector<double> genes_;
};

/// Minimizes f over a box by differential evolution (Storn and Price 1997): best1bin, one dithered F a generation, Latin
/// hypercube start, deferred updates; a coordinate that leaves the box is drawn anew. Stops when the spread of the
/// population's values is within tolerance of their mean, or after max_generations.
///
/// Deterministic for any team size: the trials of a generation are built from the frozen population with one random
/// stream per (seed, generation, index), evaluated into their own slots, and selected in order.
///
/// One object may serve one search after the other, and allocates only for larger populations than ever before.
class DifferentialEvolution {
  public:
    /// f(worker, x) is called from the team's threads. The result lives until the next call.
    const EvolutionResult& minimize(std::span<const std::pair<double, double>> bounds, const EvolutionOptions& options,
                                    std::uint64_t seed, ThreadTeam& team,
                                    FunctionRef<double(std::size_t, std::span<const double>)> f, Checkpoint& checkpoint);

  private:
    void sample_latin_hypercube(std::size_t size, std::size_t dimension, std::uint64_t seed);

    Population population_, trials_, scaled_;  ///< scaled_: one point of the box for each worker
    std::vector<double> values_, trial_values_;
    std::vector<std::size_t> slice_;
    EvolutionResult result_;
};

}  // namespace hso::detail

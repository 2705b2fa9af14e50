#include "differential_evolution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "random.hpp"

namespace hso::detail {

namespace {

constexpr std::size_t kWork = 100;  ///< nanoseconds or so for an individual in a generation, but for its evaluation

/// best1bin: best + F (r0 - r1) crossed into individual i; at least one gene comes from the mutant.
void build_trial(const Population& population, std::size_t size, std::size_t best, std::size_t i, double f, double crossover,
                 RandomStream random, std::span<double> trial) {
    std::size_t r0 = random.below(size - 1);
    if (r0 >= i) ++r0;
    std::size_t r1 = random.below(size - 2);
    for (std::size_t taken : {std::min(i, r0), std::max(i, r0)})
        if (r1 >= taken) ++r1;
    const std::size_t always = random.below(trial.size());
    for (std::size_t k = 0; k < trial.size(); ++k) {
        const bool mutate = random.uniform() < crossover || k == always;
        const double mutant = population[best][k] + f * (population[r0][k] - population[r1][k]);
        const double anew = random.uniform();
        if (!mutate) trial[k] = population[i][k];
        else trial[k] = mutant >= 0.0 && mutant <= 1.0 ? mutant : anew;
    }
}

bool has_converged(std::span<const double> values, double tolerance) {
    const auto n = static_cast<double>(values.size());
    double mean = 0.0, square = 0.0;
    for (double value : values) mean += value / n;
    if (!std::isfinite(mean)) return false;
    for (double value : values) square += (value - mean) * (value - mean) / n;
    return std::sqrt(square) <= tolerance * std::abs(mean);
}

}  // namespace

/// One sample in each of the `size` slices of every axis (McKay, Beckman and Conover 1979).
void DifferentialEvolution::sample_latin_hypercube(std::size_t size, std::size_t dimension, std::uint64_t seed) {
    slice_.resize(size);
    for (std::size_t k = 0; k < dimension; ++k) {
        RandomStream random(seed, 0, k);
        std::iota(slice_.begin(), slice_.end(), std::size_t{0});
        for (std::size_t i = size; i-- > 1;) std::swap(slice_[i], slice_[random.below(i + 1)]);
        for (std::size_t i = 0; i < size; ++i)
            population_[i][k] = (static_cast<double>(slice_[i]) + random.uniform()) / static_cast<double>(size);
    }
}

const EvolutionResult& DifferentialEvolution::minimize(std::span<const std::pair<double, double>> bounds,
                                                       const EvolutionOptions& options, std::uint64_t seed, ThreadTeam& team,
                                                       FunctionRef<double(std::size_t, std::span<const double>)> f,
                                                       Checkpoint& checkpoint) {
    const std::size_t dimension = bounds.size();
    const std::size_t size = std::max<std::size_t>(4, static_cast<std::size_t>(options.population_factor) * dimension);
    for (Population* rows : {&population_, &trials_}) rows->resize(size, dimension);
    scaled_.resize(team.size(), dimension);
    for (auto* column : {&values_, &trial_values_}) column->resize(size);
    result_.generations = 0;
    const auto to_box = [&](std::span<const double> unit, std::span<double> x) {
        for (std::size_t k = 0; k < dimension; ++k)
            x[k] = std::min(bounds[k].first + unit[k] * (bounds[k].second - bounds[k].first), bounds[k].second);
    };
    const auto evaluate = [&](const Population& rows, std::span<double> out) {
        const auto task = [&](std::size_t worker, std::size_t i) {
            to_box(rows[i], scaled_[worker]);
            const double value = f(worker, scaled_[worker]);
            out[i] = std::isnan(value) ? std::numeric_limits<double>::infinity() : value;  // no comparison orders a NaN
        };
        team.run(size, task, checkpoint);
    };

    sample_latin_hypercube(size, dimension, seed);
    evaluate(population_, values_);
    const auto best_index = [&] {
        return static_cast<std::size_t>(std::min_element(values_.begin(), values_.end()) - values_.begin());
    };
    for (;;) {
        result_.converged = has_converged(values_, options.tolerance);
        if (result_.converged || result_.generations == options.max_generations) break;
        const auto generation = static_cast<std::uint64_t>(++result_.generations);
        const double f_scale = options.mutation_low +
                               RandomStream(seed, generation, size).uniform() * (options.mutation_high - options.mutation_low);
        const std::size_t best = best_index();
        for (std::size_t i = 0; i < size; ++i) {
            checkpoint.pass(kWork);
            build_trial(population_, size, best, i, f_scale, options.crossover, RandomStream(seed, generation, i), trials_[i]);
        }
        evaluate(trials_, trial_values_);
        for (std::size_t i = 0; i < size; ++i) {
            if (!(trial_values_[i] <= values_[i])) continue;
            values_[i] = trial_values_[i];
            std::copy(trials_[i].begin(), trials_[i].end(), population_[i].begin());
        }
    }
    const std::size_t best = best_index();
    result_.value = values_[best];
    result_.best.resize(dimension);
    to_box(population_[best], result_.best);
    return result_;
}

}  // namespace hso::detail

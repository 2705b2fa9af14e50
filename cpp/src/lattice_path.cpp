#include "lattice_path.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "chain_sweep.hpp"

namespace hso::detail {

namespace {

constexpr double kUnreachable = std::numeric_limits<double>::infinity();
constexpr std::size_t kRowWork = 10, kSumsPerWork = 4;  ///< nanoseconds or so for a row of the table, sums in one

}  // namespace

void Lattice::reset(const Problem& problem, std::size_t points) {
    for (auto* column : {&t, &coarseness, &steepness, &twice_sinh}) column->resize(points);
    weight.resize(2 * points - 1);
    const NoiseSchedule& noise = problem.noise;
    const double first = noise.lambda(problem.t_max.second), last = noise.lambda(problem.t_min.first);
    const double step = (last - first) / static_cast<double>(points - 1);
    for (std::size_t k = 0; k < points; ++k) {
        t[k] = noise.t(k + 1 < points ? first + step * static_cast<double>(k) : last);
        twice_sinh[k] = 2.0 * std::sinh(0.5 * step * static_cast<double>(k));
    }
    for (std::size_t k = 0; k < points; ++k) {
        const std::size_t before = k > 0 ? k - 1 : 0, after = std::min(k + 1, points - 1);
        coarseness[k] = 0.25 * (t[before] - t[after]);
        steepness[k] = step * static_cast<double>(after - before) / (t[before] - t[after]);
    }
    for (std::size_t j = 0; j < weight.size(); ++j)
        weight[j] = problem.proxy.weight(noise, first + 0.5 * step * static_cast<double>(j)).g;
}

/// Fills reach_ and the costs, but for what lies beyond a row's reach.
std::span<const double> LatticePath::price_edges(const Problem& problem, const Lattice& lattice) {
    const std::size_t points = lattice.size();
    const auto& t = lattice.t;
    const std::span<double> costs = costs_.take(points * points);
    reach_.resize(points);
    std::size_t reach = 0;
    for (std::size_t l = 0; l < points; ++l) {
        while (reach <= l && t[reach] - t[l] >= problem.spacing - lattice.coarseness[reach] - lattice.coarseness[l]) ++reach;
        reach_[l] = reach;
        double* row = &costs[l * points];
        for (std::size_t k = 0; k < reach; ++k) row[k] = lattice.weight[k + l] * lattice.twice_sinh[l - k];
        // nodes that share a point are kept apart by the least spacing in the end: that decides where they gather
        if (reach > l) row[l] = lattice.weight[2 * l] * lattice.steepness[l] * problem.spacing;
        if (!problem.soft) continue;
        for (std::size_t k = 0; k < reach; ++k) {
            const double lack = std::max(0.0, problem.d_min - (t[k] - t[l]));
            row[k] += problem.gamma * lack * lack;
        }
    }
    return costs;
}

void LatticePath::find(const Problem& problem, const Lattice& lattice, std::span<double> t, Checkpoint& checkpoint) {
    const std::size_t points = lattice.size(), last = problem.intervals;
    const std::span<const double> costs = price_edges(problem, lattice);
    const std::span<double> values = values_.take(problem.nodes() * points);
    least_.resize(last);
    const auto row = [&](std::size_t i) { return &values[i * points]; };
    const auto cost = [&](std::size_t l) { return &costs[l * points]; };
    const auto outside = [&](std::size_t k, const std::pair<double, double>& range) {
        const double slack = 2.0 * lattice.coarseness[k];
        return lattice.t[k] > range.second + slack || lattice.t[k] < range.first - slack;
    };
    for (std::size_t k = 0; k < points; ++k) row(0)[k] = outside(k, problem.t_max) ? kUnreachable : 0.0;
    for (std::size_t l = 0; l < points; ++l) {
        checkpoint.pass(last * (kRowWork + std::min(reach_[l], l) / kSumsPerWork));
        least_sums({cost(l), std::min(reach_[l], l)}, values.data(), points, least_);
        for (std::size_t i = 0; i < last; ++i)
            row(i + 1)[l] = reach_[l] > l ? std::min(least_[i], row(i)[l] + cost(l)[l]) : least_[i];
    }
    std::size_t at = points - 1;
    for (std::size_t l = points; l-- > 0;)
        if (!outside(l, problem.t_min) && row(last)[l] < row(last)[at]) at = l;
    t[last] = lattice.t[at];
    for (std::size_t i = last; i-- > 0;) {
        checkpoint.pass(points);
        at = least_sum_at({cost(at), reach_[at]}, row(i));
        t[i] = lattice.t[at];
    }
}

}  // namespace hso::detail

#include "lattice_path.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "chain_sweep.hpp"

namespace hso::detail {

namespace {

constexpr double kUnreachable = std::numeric_limits<double>::infinity();

/// Row l: the costs of the edges (k, l) for k < reach[l], the points from which the spacing lets an edge come.
struct Costs {
    std::vector<double> cost;
    std::vector<std::size_t> reach;
};

Costs edge_costs(const Problem& problem, const Lattice& lattice) {
    const std::size_t points = lattice.size();
    const auto& t = lattice.t;
    Costs costs{std::vector<double>(points * points), std::vector<std::size_t>(points)};
    std::size_t reach = 0;
    for (std::size_t l = 0; l < points; ++l) {
        while (reach <= l && t[reach] - t[l] >= problem.spacing - lattice.coarseness[reach] - lattice.coarseness[l]) ++reach;
        costs.reach[l] = reach;
        double* row = &costs.cost[l * points];
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

}  // namespace

Lattice::Lattice(const Problem& problem, std::size_t points)
    : t(points), coarseness(points), steepness(points), weight(2 * points - 1), twice_sinh(points) {
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

void shortest_path(const Problem& problem, const Lattice& lattice, std::span<double> t) {
    const std::size_t points = lattice.size(), last = problem.intervals;
    const Costs costs = edge_costs(problem, lattice);
    std::vector<double> value(problem.nodes() * points);  // row i: the cheapest way to be at each point with node i
    const auto row = [&](std::size_t i) { return &value[i * points]; };
    const auto cost = [&](std::size_t l) { return &costs.cost[l * points]; };
    const auto outside = [&](std::size_t k, const std::pair<double, double>& range) {
        const double slack = 2.0 * lattice.coarseness[k];
        return lattice.t[k] > range.second + slack || lattice.t[k] < range.first - slack;
    };
    for (std::size_t k = 0; k < points; ++k) row(0)[k] = outside(k, problem.t_max) ? kUnreachable : 0.0;
    std::vector<double> least(last);
    for (std::size_t l = 0; l < points; ++l) {
        least_sums({cost(l), std::min(costs.reach[l], l)}, value.data(), points, least);
        for (std::size_t i = 0; i < last; ++i)
            row(i + 1)[l] = costs.reach[l] > l ? std::min(least[i], row(i)[l] + cost(l)[l]) : least[i];
    }
    std::size_t at = points - 1;
    for (std::size_t l = points; l-- > 0;)
        if (!outside(l, problem.t_min) && row(last)[l] < row(last)[at]) at = l;
    t[last] = lattice.t[at];
    for (std::size_t i = last; i-- > 0;) {
        at = least_sum_at({cost(at), costs.reach[at]}, row(i));
        t[i] = lattice.t[at];
    }
}

}  // namespace hso::detail

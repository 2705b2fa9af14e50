#include "cell_tables.hpp"

#include <algorithm>
#include <cmath>

#include "noise_curve.hpp"
#include "noise_table.hpp"
#include "weight_range.hpp"

namespace hso::detail {

namespace {

constexpr std::size_t kCellWork = 100, kPieceWork = 10;  ///< nanoseconds or so for a cell, and for a table's piece in it

/// Of the cubic that weights are made of; 0 where they have closed forms.
std::size_t interpolated_pieces(const Problem& problem) {
    if (!problem.proxy.is_power()) return problem.proxy.log_value()->y().size();
    const auto& log_sigma = problem.noise.table().log_sigma;
    return log_sigma ? log_sigma->y().size() : 0;
}

}  // namespace

void CellTable::resize(std::size_t cells) {
    for (auto* column : {&edge_t, &far_edge_t, &t, &t_slope, &t_error, &weight, &curvature}) column->resize(cells);
}

void CellTable::fill(const Problem& problem, double first, double step, std::size_t at, std::size_t count,
                     Checkpoint& checkpoint) {
    const NoiseSchedule& noise = problem.noise;
    const auto [least, most] = noise.lambda_range();
    TimeEdge edge = time_edge(noise, first - 0.5 * step);
    for (std::size_t j = 0; j < count; ++j) {
        const double centre = first + step * static_cast<double>(j), inside = std::clamp(centre, least, most);
        const TimeEdge next = time_edge(noise, centre + 0.5 * step);
        checkpoint.pass(kCellWork + kPieceWork * (edge.piece - next.piece));
        const auto [steep, flat] = dt_dlambda_range(noise, edge, next);
        edge_t[at + j] = edge.t;
        far_edge_t[at + j] = next.t;
        t_slope[at + j] = 0.5 * (steep + flat);
        t[at + j] = noise.t(inside) + t_slope[at + j] * (centre - inside);
        t_error[at + j] = 0.5 * (flat - steep) * (inside == centre ? 0.5 * step : step);
        const auto at_centre = problem.proxy.weight(noise, centre);
        weight[at + j] = at_centre.g;
        curvature[at + j] = at_centre.d1;
        edge = next;
    }
}

void MidpointTable::resize(std::size_t midpoints) {
    for (auto* column : {&g, &g1, &even, &odd, &g1_radius, &second_radius}) column->resize(midpoints);
}

void MidpointTable::fill(const Problem& problem, double first, double step, std::size_t at, std::size_t count,
                         Checkpoint& checkpoint) {
    const std::size_t work = kCellWork + kPieceWork * (interpolated_pieces(problem) / count);
    const auto radius = [](const Range& range, double value) { return std::max(range.high - value, value - range.low); };
    weight_ranges(problem.noise, problem.proxy, first, 0.5 * step, count,
                  [&](std::size_t j, const ErrorProxy::Weight& weight, const WeightRange& range) {
                      checkpoint.pass(work);
                      g[at + j] = weight.g;
                      g1[at + j] = weight.d1;
                      even[at + j] = 0.5 * (weight.d2 + weight.g);
                      odd[at + j] = 0.5 * (weight.d2 - weight.g);
                      g1_radius[at + j] = radius(range.d1, weight.d1);
                      second_radius[at + j] = 0.5 * (radius(range.d2, weight.d2) + radius(range.g, weight.g));
                  });
}

void DistanceTable::resize(std::size_t distances) {
    for (auto* column : {&sinh, &cosh, &sinh_radius, &cosh_radius}) column->resize(distances);
}

void DistanceTable::fill(double first, double step, std::size_t at, std::size_t count) {
    // From far to near: both functions change most towards the far end of their interval, and sinh nowhere more than at a
    // distance of the same size. The neighbours' difference is that change.
    double e = std::exp(0.5 * (first + step));
    double sinh_beyond = 0.5 * (e - 1.0 / e), cosh_beyond = 0.5 * (e + 1.0 / e);
    for (std::size_t j = 0; j < count; ++j) {
        e = std::exp(0.5 * (first - step * static_cast<double>(j)));
        sinh[at + j] = 0.5 * (e - 1.0 / e);
        cosh[at + j] = 0.5 * (e + 1.0 / e);
        sinh_radius[at + j] = sinh_beyond - sinh[at + j];
        cosh_radius[at + j] = cosh_beyond - cosh[at + j];
        sinh_beyond = sinh[at + j];
        cosh_beyond = cosh[at + j];
    }
}

}  // namespace hso::detail

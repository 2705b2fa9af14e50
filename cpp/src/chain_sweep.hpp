#pragma once

#include <cstddef>
#include <span>

namespace hso::detail {

// The two steps of which a shortest path with a given number of edges is made, for all numbers of edges at a time.
// Points are settled one after the other, each from those settled before it, whichever end that begins at. A table
// holds what the rest of the path costs: row n, `stride` entries after row n - 1, for n edges. `cost` are the edges
// between a point and consecutive settled ones, and `value` points to the first of these in the table's row 0.

/// least[n] = min over k of cost[k] + value[n * stride + k], for n < least.size(); +infinity without edges, and where
/// all sums are that or NaN. Every row is read once, and `cost` once for a few rows.
void least_sums(std::span<const double> cost, const double* value, std::size_t stride, std::span<double> least);

/// The lowest k at which cost[k] + value[k] is least: the step that least_sums() found in that row; 0 if it found none.
std::size_t least_sum_at(std::span<const double> cost, const double* value);

}  // namespace hso::detail

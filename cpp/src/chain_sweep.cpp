#include "chain_sweep.hpp"

#include <algorithm>
#include <limits>

#include "vector_clones.hpp"
#include "vector_math.hpp"

namespace hso::detail {

namespace {

constexpr std::size_t kLanes = 8;  ///< independent partial minima, for SIMD without relaxed floating point
constexpr std::size_t kRows = 4;   ///< of the table at a time: the costs are loaded once for all, and no minimum waits
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// `rows` entries of least_sums().
template <std::size_t rows>
HSO_VECTOR_INLINE void least_of_rows(const double* __restrict cost, const double* __restrict value, std::size_t stride,
                                     std::size_t n, double* __restrict out) {
    double least[rows][kLanes];
    for (auto& lanes : least)
        for (double& lane : lanes) lane = kInfinity;
    std::size_t k = 0;
    for (; k + kLanes <= n; k += kLanes)
        for (std::size_t row = 0; row < rows; ++row)
// unrolled before it is vectorized, some row counts stay scalar
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 1
#endif
            for (std::size_t j = 0; j < kLanes; ++j) {
                const double sum = cost[k + j] + value[row * stride + k + j];
                least[row][j] = sum < least[row][j] ? sum : least[row][j];
            }
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t rest = k; rest < n; ++rest) {
            const double sum = cost[rest] + value[row * stride + rest];
            least[row][0] = sum < least[row][0] ? sum : least[row][0];
        }
        out[row] = *std::min_element(least[row], least[row] + kLanes);
    }
}

HSO_VECTOR_CLONES void least_of_all(const double* __restrict cost, const double* __restrict value, std::size_t stride,
                                    std::size_t n, double* __restrict out, std::size_t rows) {
    std::size_t row = 0;
    for (; row + kRows <= rows; row += kRows) least_of_rows<kRows>(cost, value + row * stride, stride, n, out + row);
    const double* const rest = value + row * stride;
    switch (rows - row) {
        case 3: return least_of_rows<3>(cost, rest, stride, n, out + row);
        case 2: return least_of_rows<2>(cost, rest, stride, n, out + row);
        case 1: return least_of_rows<1>(cost, rest, stride, n, out + row);
        default: return;
    }
}

}  // namespace

void least_sums(std::span<const double> cost, const double* value, std::size_t stride, std::span<double> least) {
    least_of_all(cost.data(), value, stride, cost.size(), least.data(), least.size());
}

std::size_t least_sum_at(std::span<const double> cost, const double* value) {
    double least = kInfinity;
    std::size_t best = 0;
    for (std::size_t k = 0; k < cost.size(); ++k)
        if (cost[k] + value[k] < least) {
            least = cost[k] + value[k];
            best = k;
        }
    return best;
}

}  // namespace hso::detail

#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "checkpoint.hpp"

namespace hso::detail {

double dot(std::span<const double> a, std::span<const double> b);

/// Row i of a row-major matrix with `size` columns.
inline std::span<const double> row(const std::vector<double>& matrix, std::size_t i, std::size_t size) {
    return std::span(matrix).subspan(i * size, size);
}

/// Solves A X = B in place of B for the symmetric positive definite A (n x n) and B (n x columns), by Cholesky's method; A
/// is overwritten.
void solve_positive(std::vector<double>& a, std::size_t n, std::vector<double>& b, std::size_t columns, Checkpoint& checkpoint);

}  // namespace hso::detail

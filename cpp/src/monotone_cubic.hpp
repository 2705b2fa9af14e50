#pragma once

#include <span>
#include <vector>

#include "checkpoint.hpp"
#include "range.hpp"

namespace hso::detail {

/// Piecewise cubic through (x_i, y_i) that is monotone wherever the data are (Fritsch and Carlson 1980, with the
/// three-point end slopes and weighted harmonic means of Fritsch and Butland 1984), continued linearly beyond its ends.
/// Continuously differentiable; the second derivative jumps at the nodes.
class MonotoneCubic {
  public:
    /// `x` strictly increasing, the same size n >= 2 as `y`; both finite (checked by the callers, which name them).
    MonotoneCubic(std::span<const double> x, std::span<const double> y, Checkpoint& checkpoint);

    struct Point {
        double value, d1, d2;
    };
    Point operator()(double x) const;

    /// Bounds of the first and second derivative over [low, high].
    struct Slopes {
        Range d1, d2;
    };
    Slopes range(double low, double high) const;

    std::span<const double> x() const { return x_; }
    std::span<const double> y() const { return y_; }

  private:
    /// The cubic on piece i: y_i + s (slope_i + s (c2 + s c3)), s = x - x_i.
    struct Piece {
        double c2, c3;
    };
    Piece piece(std::size_t i) const;

    std::vector<double> x_, y_, slope_;
};

}  // namespace hso::detail

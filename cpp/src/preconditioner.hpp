#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace hso::detail {

/// A change of variables x = x0 + L^{-T} z with L L^T close to a tridiagonal Hessian H, in which H becomes the identity.
/// SLSQP starts from an identity Hessian: in z its first step is a Newton step, and it converges in a few steps
/// instead of a few times the dimension. Pivots of an indefinite H are lifted, so L always exists.
class Preconditioner {
  public:
    /// `diagonal` of n, `off_diagonal` of n-1 entries.
    void factor(std::span<const double> diagonal, std::span<const double> off_diagonal);
    /// z -> L^{-T} z, in place.
    void to_step(std::span<double> z) const;
    /// g -> L^{-1} g, in place: a gradient, or the row of a linear constraint, in the variables z.
    void to_gradient(std::span<double> g) const;

  private:
    std::vector<double> diagonal_, below_;
};

}  // namespace hso::detail

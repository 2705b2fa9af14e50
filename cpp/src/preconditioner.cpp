#include "preconditioner.hpp"

#include <algorithm>
#include <cmath>

namespace hso::detail {

void Preconditioner::factor(std::span<const double> diagonal, std::span<const double> off_diagonal) {
    constexpr double relative_floor = 1e-2;  // of the largest diagonal entry, for pivots that are not clearly positive
    const std::size_t n = diagonal.size();
    diagonal_.resize(n);
    below_.resize(n);
    double scale = 0.0;
    for (double d : diagonal) scale = std::max(scale, std::abs(d));
    if (!(scale > 0.0) || !std::isfinite(scale)) {  // flat or unusable: no change of variables
        std::fill(diagonal_.begin(), diagonal_.end(), 1.0);
        std::fill(below_.begin(), below_.end(), 0.0);
        return;
    }
    double below = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
        diagonal_[i] = std::sqrt(std::max(diagonal[i] - below * below, relative_floor * scale));
        below = i + 1 < n ? off_diagonal[i] / diagonal_[i] : 0.0;
        below_[i] = below;
    }
}

void Preconditioner::to_step(std::span<double> z) const {
    double above = 0.0;
    for (std::size_t i = z.size(); i-- > 0;) {
        z[i] = (z[i] - below_[i] * above) / diagonal_[i];
        above = z[i];
    }
}

void Preconditioner::to_gradient(std::span<double> g) const {
    double carried = 0.0;
    for (std::size_t i = 0; i < g.size(); ++i) {
        g[i] = (g[i] - carried) / diagonal_[i];
        carried = below_[i] * g[i];
    }
}

}  // namespace hso::detail

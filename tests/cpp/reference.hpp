#pragma once

/// The paper's formulas as they are printed, in long double: what the library's rearranged ones are compared with.

#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include <hso/noise_schedule.hpp>

namespace hso::test {

using Real = long double;
using RealFunction = std::function<Real(Real)>;

inline Real reference_alpha(Family family, Real lambda) {
    switch (family) {
        case Family::vp: return 1.0L / std::sqrt(1.0L + std::exp(-2.0L * lambda));
        case Family::flow: return 1.0L / (1.0L + std::exp(-lambda));
        default: return 1.0L;
    }
}

inline Real reference_sigma(Family family, Real lambda) {
    switch (family) {
        case Family::vp: return 1.0L / std::sqrt(1.0L + std::exp(2.0L * lambda));
        case Family::flow: return 1.0L / (1.0L + std::exp(lambda));
        default: return std::exp(-lambda);
    }
}

/// eps~ = sigma^p / alpha.
inline RealFunction reference_proxy(Family family, double p) {
    return [=](Real lambda) {
        return std::pow(reference_sigma(family, lambda), static_cast<Real>(p)) / reference_alpha(family, lambda);
    };
}

/// Eq. 8. e^b - e^a is written e^a (e^{b-a} - 1), so that it keeps its digits as b -> a.
inline Real reference_mep(std::span<const Real> lambdas, const RealFunction& proxy) {
    Real sum = 0.0L;
    for (std::size_t i = 0; i + 1 < lambdas.size(); ++i) {
        const Real a = lambdas[i], b = lambdas[i + 1];
        sum += proxy(0.5L * (a + b)) * std::exp(a) * std::expm1(b - a);
    }
    return sum;
}

inline std::vector<Real> to_real(std::span<const double> values) { return {values.begin(), values.end()}; }

/// f'(x) and f''(x) by five-point differences.
inline std::array<Real, 2> differences(const RealFunction& f, Real x, Real step) {
    const Real f2 = f(x + 2 * step), f1 = f(x + step), f0 = f(x), b1 = f(x - step), b2 = f(x - 2 * step);
    return {(8 * (f1 - b1) - (f2 - b2)) / (12 * step), (16 * (f1 + b1) - (f2 + b2) - 30 * f0) / (12 * step * step)};
}

/// The monotone cubic of Fritsch and Butland (SciPy's PchipInterpolator), continued linearly, in the Hermite basis.
class ReferenceCubic {
  public:
    ReferenceCubic(std::vector<Real> x, std::vector<Real> y) : x_(std::move(x)), y_(std::move(y)), slope_(x_.size()) {
        const std::size_t n = x_.size();
        const auto h = [&](std::size_t i) { return x_[i + 1] - x_[i]; };
        const auto secant = [&](std::size_t i) { return (y_[i + 1] - y_[i]) / h(i); };
        for (std::size_t i = 1; i + 1 < n; ++i) {
            const Real left = secant(i - 1), right = secant(i);
            if (left * right > 0.0L)
                slope_[i] = 3 * (h(i - 1) + h(i)) / ((2 * h(i) + h(i - 1)) / left + (h(i) + 2 * h(i - 1)) / right);
        }
        const auto end = [](Real h0, Real h1, Real d0, Real d1) {
            const Real d = d0 + h0 * (d0 - d1) / (h0 + h1);
            if (d * d0 <= 0) return 0.0L;
            return d0 * d1 <= 0 && std::abs(d) > 3 * std::abs(d0) ? 3 * d0 : d;
        };
        slope_.front() = n == 2 ? secant(0) : end(h(0), h(1), secant(0), secant(1));
        slope_.back() = n == 2 ? secant(0) : end(h(n - 2), h(n - 3), secant(n - 2), secant(n - 3));
    }

    Real operator()(Real x) const {
        if (x <= x_.front()) return y_.front() + slope_.front() * (x - x_.front());
        if (x >= x_.back()) return y_.back() + slope_.back() * (x - x_.back());
        std::size_t i = 0;
        while (x >= x_[i + 1]) ++i;
        const Real h = x_[i + 1] - x_[i], u = (x - x_[i]) / h, v = 1 - u;
        return y_[i] * v * v * (1 + 2 * u) + y_[i + 1] * u * u * (1 + 2 * v) + h * u * v * (slope_[i] * v - slope_[i + 1] * u);
    }

    /// Whether a node lies within `distance` of x.
    bool near_node(double x, double distance) const {
        for (Real node : x_)
            if (std::abs(node - static_cast<Real>(x)) < static_cast<Real>(distance)) return true;
        return false;
    }

  private:
    std::vector<Real> x_, y_, slope_;
};

}  // namespace hso::test

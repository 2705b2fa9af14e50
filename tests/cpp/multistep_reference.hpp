#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <hso/error_model.hpp>
#include <vector>

namespace hso::test {

using Vector = std::vector<long double>;
using LongPredict = std::function<Vector(long double, const Vector&)>;

/// The integral over u in [0, 1] of e^(-(1 - u) h) u^k.
inline long double moment(int k, long double h) {
    long double term = 1.0L / static_cast<long double>(k + 1), sum = 0.0L;
    for (int n = 0; n < 80; ++n) {
        sum += term;
        term *= -h / static_cast<long double>(n + k + 2);
    }
    return sum;
}

/// h times the integral over u in [0, 1] of e^(-(1 - u) h) P(u), P the polynomial that takes `values` at
/// `places` (in steps).
inline Vector integral(const Vector& places, const std::vector<Vector>& values, long double h) {
    Vector sum(values[0].size());
    for (std::size_t j = 0; j < places.size(); ++j) {
        Vector basis{1.0L};  // coefficients of Lagrange's polynomial
        for (std::size_t m = 0; m < places.size(); ++m) {
            if (m == j) continue;
            Vector next(basis.size() + 1);
            for (std::size_t k = 0; k < basis.size(); ++k) {
                next[k + 1] += basis[k] / (places[j] - places[m]);
                next[k] -= basis[k] * places[m] / (places[j] - places[m]);
            }
            basis = next;
        }
        long double weight = 0.0L;
        for (std::size_t k = 0; k < basis.size(); ++k) weight += basis[k] * moment(static_cast<int>(k), h);
        for (std::size_t r = 0; r < sum.size(); ++r) sum[r] += h * weight * values[j][r];
    }
    return sum;
}

/// The solvers from what they are: exponential integrators of a polynomial through predictions (UniPC, Zhao
/// et al. 2023, of order 1 with its corrector or 2 without: the slope at half weight), or of the newest
/// prediction and half a slope (2M, Lu et al. 2022).
inline Vector reference_solver(const std::vector<double>& lambdas, bool to_zero, Solver solver, const LongPredict& predict,
                               Vector y) {
    const std::size_t steps = lambdas.size() - (to_zero ? 0 : 1);
    std::vector<Vector> outputs;
    const auto step = [&](const Vector& from, std::size_t i, std::size_t order, bool corrected, bool unipc) {
        const long double h = static_cast<long double>(lambdas[i + 1]) - lambdas[i];
        Vector places{0.0L};
        std::vector<Vector> values{outputs[i]};
        for (std::size_t back = 1; back < order; ++back) {
            places.push_back((static_cast<long double>(lambdas[i - back]) - lambdas[i]) / h);
            values.push_back(outputs[i - back]);
        }
        if (corrected) {
            places.push_back(1.0L);
            values.push_back(outputs[i + 1]);
        }
        Vector added;
        if (places.size() == 2 || !unipc) {
            Vector direction = outputs[i];
            if (places.size() == 2)
                for (std::size_t r = 0; r < direction.size(); ++r)
                    direction[r] += 0.5L * (values[1][r] - values[0][r]) / places[1];
            added = integral({0.0L}, {direction}, h);
        } else {
            added = integral(places, values, h);
        }
        Vector to(from.size());
        for (std::size_t r = 0; r < to.size(); ++r) to[r] = std::exp(-h) * from[r] + added[r];
        return to;
    };
    Vector before = y;
    std::size_t order_before = 0;
    const std::size_t order = static_cast<std::size_t>(solver.order);
    for (std::size_t i = 0; i < steps; ++i) {
        outputs.push_back(predict(lambdas[i], y));
        const bool last = i + 1 == steps;
        if (last && to_zero) return outputs[i];
        if (solver.kind == Solver::Kind::unipc) {
            if (i > 0) y = step(before, i - 1, order_before, true, true);
            before = y;
            order_before = std::min({order, i + 1, steps - i});
            y = step(y, i, order_before, false, true);
        } else {
            const bool lowered = last && steps < 15;
            y = step(y, i, i > 0 && !lowered ? order : 1, false, false);
        }
    }
    return y;
}

}  // namespace hso::test

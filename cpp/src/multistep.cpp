#include "multistep.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace hso::detail {

namespace {

constexpr std::size_t kStepsWithLowerEnd = 15;
constexpr int kMostOrder = 3;

/// phi_k(z) of exponential integrators, k = 1..4: phi_k(z) = sum over n of z^n / (n + k)!.
double phi(int k, double z) {
    if (std::abs(z) < 1.0) {
        double factorial = 1.0;
        for (int i = 2; i <= k; ++i) factorial *= i;
        double term = 1.0 / factorial, sum = 0.0;
        for (int n = 1; n < 24; ++n) {
            sum += term;
            term *= z / (n + k);
        }
        return sum;
    }
    double value = std::expm1(z) / z, inverse_factorial = 1.0;
    for (int i = 1; i < k; ++i) {
        inverse_factorial /= i;
        value = (value - inverse_factorial) / z;
    }
    return value;
}

using Weights = std::array<double, kMostOrder>;

/// UniPC's weights of the slopes at `places` (in steps, from the step's start): sum_m rho_m places_m^k = moment k (eq. 5 and 8); a
/// single weight is 1/2, as in its authors' code.
Weights unipc_weights(const Weights& places, std::size_t count, double h) {
    if (count == 1) return {0.5};
    const double z = -h, norm = std::expm1(z);
    std::array<Weights, kMostOrder> a{};
    Weights rho{};
    double factorial = 1.0;
    for (std::size_t k = 0; k < count; ++k) {
        factorial *= static_cast<double>(k + 1);
        rho[k] = z * factorial * phi(static_cast<int>(k) + 2, z) / norm;
        for (std::size_t m = 0; m < count; ++m) a[k][m] = k == 0 ? 1.0 : a[k - 1][m] * places[m];
    }
    for (std::size_t p = 0; p < count; ++p) {  // Gauss with pivots
        std::size_t top = p;
        for (std::size_t k = p + 1; k < count; ++k)
            if (std::abs(a[k][p]) > std::abs(a[top][p])) top = k;
        std::swap(a[p], a[top]);
        std::swap(rho[p], rho[top]);
        for (std::size_t k = p + 1; k < count; ++k) {
            const double factor = a[k][p] / a[p][p];
            for (std::size_t m = p; m < count; ++m) a[k][m] -= factor * a[p][m];
            rho[k] -= factor * rho[p];
        }
    }
    for (std::size_t p = count; p-- > 0;) {
        for (std::size_t m = p + 1; m < count; ++m) rho[p] -= a[p][m] * rho[m];
        rho[p] /= a[p][p];
    }
    return rho;
}

}  // namespace

Multistep::Multistep(Solver solver, std::size_t size) : solver_(solver), size_(size) {}

void Multistep::run(std::span<const double> lambdas, bool to_zero, Predict predict, std::span<double> y, std::size_t from) {
    const std::size_t steps = lambdas.size() - (to_zero ? 0 : 1);
    predictions_.resize(steps * size_);
    bases_.resize(steps * size_);
    const auto copy = [](std::span<const double> source, std::span<double> target) {
        std::copy(source.begin(), source.end(), target.begin());
    };
    if (from > 0) {
        copy(base(from - 1), y);
        step(lambdas, from - 1, steps, y);
    }
    for (std::size_t i = from; i < steps; ++i) {
        predict(lambdas[i], y, prediction(i));
        if (i + 1 == steps && to_zero) {
            copy(prediction(i), y);
            return;
        }
        if (solver_.kind == Solver::Kind::unipc && i > 0) {
            copy(base(i - 1), y);
            unipc_step(lambdas, i - 1, order(i - 1, steps), true, y);
        }
        copy(y, base(i));
        step(lambdas, i, steps, y);
    }
}

int Multistep::order(std::size_t i, std::size_t steps) const {
    return static_cast<int>(std::min({static_cast<std::size_t>(solver_.order), i + 1, steps - i}));
}

void Multistep::step(std::span<const double> lambdas, std::size_t i, std::size_t steps, std::span<double> y) const {
    if (solver_.kind == Solver::Kind::unipc) return unipc_step(lambdas, i, order(i, steps), false, y);
    const double h = lambdas[i + 1] - lambdas[i], kept = std::exp(-h), added = -std::expm1(-h);
    const bool second = solver_.order == 2 && i > 0 && !(i + 1 == steps && steps < kStepsWithLowerEnd);
    const double back = second ? 0.5 * h / (lambdas[i] - lambdas[i - 1]) : 0.0;
    const auto now = prediction(i), then = prediction(i > 0 ? i - 1 : 0);
    for (std::size_t r = 0; r < size_; ++r) y[r] = kept * y[r] + added * (now[r] + back * (now[r] - then[r]));
}

void Multistep::unipc_step(std::span<const double> lambdas, std::size_t i, int order, bool corrected, std::span<double> y) const {
    const double h = lambdas[i + 1] - lambdas[i], kept = std::exp(-h), added = -std::expm1(-h);
    Weights places{}, slopes{};
    std::array<std::span<const double>, kMostOrder> others;
    std::size_t count = 0;
    for (std::size_t back = 1; back < static_cast<std::size_t>(order); ++back, ++count) {
        places[count] = (lambdas[i - back] - lambdas[i]) / h;
        others[count] = prediction(i - back);
    }
    if (corrected) {
        places[count] = 1.0;
        others[count++] = prediction(i + 1);
    }
    const Weights rho = count > 0 ? unipc_weights(places, count, h) : Weights{};
    double own = 1.0;
    for (std::size_t m = 0; m < count; ++m) {
        slopes[m] = added * rho[m] / places[m];
        own -= rho[m] / places[m];
    }
    const auto now = prediction(i);
    for (std::size_t r = 0; r < size_; ++r) y[r] = kept * y[r] + added * own * now[r];
    for (std::size_t m = 0; m < count; ++m)
        for (std::size_t r = 0; r < size_; ++r) y[r] += slopes[m] * others[m][r];
}

}  // namespace hso::detail

#include "preconditioner.hpp"

#include <doctest/doctest.h>

#include "support.hpp"

using hso::detail::Preconditioner;
using namespace hso::test;

namespace {

struct Tridiagonal {
    std::vector<double> diagonal, off_diagonal;

    std::vector<double> operator*(std::span<const double> x) const {
        std::vector<double> y(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) {
            y[i] = diagonal[i] * x[i];
            if (i > 0) y[i] += off_diagonal[i - 1] * x[i - 1];
            if (i + 1 < x.size()) y[i] += off_diagonal[i] * x[i + 1];
        }
        return y;
    }
};

std::vector<double> random_vector(Random& random, std::size_t n) {
    std::vector<double> x(n);
    for (double& value : x) value = random.uniform(-1.0, 1.0);
    return x;
}

double dot(std::span<const double> a, std::span<const double> b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

}  // namespace

TEST_CASE("in the new variables a positive definite Hessian is the identity") {
    Random random(3);
    for (std::size_t n : {1, 2, 3, 10, 100}) {
        CAPTURE(n);
        Tridiagonal h{std::vector<double>(n), std::vector<double>(n - 1)};
        for (double& d : h.diagonal) d = random.uniform(2.1, 4.0);
        for (double& d : h.off_diagonal) d = random.uniform(-1.0, 1.0);
        Preconditioner preconditioner;
        preconditioner.factor(h.diagonal, h.off_diagonal);
        const auto z = random_vector(random, n);
        auto x = z;
        preconditioner.to_step(x);  // x = L^{-T} z
        auto back = h * x;
        preconditioner.to_gradient(back);  // L^{-1} H L^{-T} z
        CHECK(relative_error(back, z) < 1e-13);
        // x^T H x = |z|^2
        CHECK(relative_error(dot(x, h * x), static_cast<long double>(dot(z, z))) < 1e-13);
    }
}

TEST_CASE("L^{-1} and L^{-T} belong together, whatever the Hessian") {
    Random random(4);
    for (int repeat = 0; repeat < 200; ++repeat) {
        const std::size_t n = 1 + random.below(20);
        Tridiagonal h{std::vector<double>(n), std::vector<double>(n - 1)};
        for (double& d : h.diagonal) d = random.uniform(-2.0, 2.0);
        for (double& d : h.off_diagonal) d = random.uniform(-2.0, 2.0);
        Preconditioner preconditioner;
        preconditioner.factor(h.diagonal, h.off_diagonal);
        const auto g = random_vector(random, n), z = random_vector(random, n);
        auto gradient = g, step = z;
        preconditioner.to_gradient(gradient);
        preconditioner.to_step(step);
        for (double value : step) REQUIRE(std::isfinite(value));
        // the chain rule: g . (L^{-T} z) = (L^{-1} g) . z
        REQUIRE(dot(g, step) == doctest::Approx(dot(gradient, z)).epsilon(1e-10));
    }
}

TEST_CASE("a Hessian without a scale leaves the variables alone") {
    for (double d : {0.0, std::nan(""), HUGE_VAL}) {
        Preconditioner preconditioner;
        preconditioner.factor(std::vector(3, d), std::vector(2, d));
        std::vector z = {1.0, -2.0, 3.0};
        preconditioner.to_step(z);
        preconditioner.to_gradient(z);
        CHECK(z == std::vector{1.0, -2.0, 3.0});
    }
}

#include "dm_nonuni.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <hso/objective.hpp>

#include "invalid.hpp"

namespace hso {

namespace {

/// A number with its derivatives with respect to the (at most four) nodes of one multistep step:
/// lambda_{s-2}, lambda_{s-1}, lambda_s and lambda_{s+1}, in this order.
struct Dual {
    double v = 0.0;
    std::array<double, 4> d = {};
};

Dual operator+(const Dual& a, const Dual& b) {
    Dual r{a.v + b.v, {}};
    for (std::size_t k = 0; k < 4; ++k) r.d[k] = a.d[k] + b.d[k];
    return r;
}
Dual operator-(const Dual& a, const Dual& b) {
    Dual r{a.v - b.v, {}};
    for (std::size_t k = 0; k < 4; ++k) r.d[k] = a.d[k] - b.d[k];
    return r;
}
Dual operator*(const Dual& a, const Dual& b) {
    Dual r{a.v * b.v, {}};
    for (std::size_t k = 0; k < 4; ++k) r.d[k] = a.d[k] * b.v + a.v * b.d[k];
    return r;
}
Dual operator/(const Dual& a, const Dual& b) {
    Dual r{a.v / b.v, {}};
    for (std::size_t k = 0; k < 4; ++k) r.d[k] = (a.d[k] - r.v * b.d[k]) / b.v;
    return r;
}
Dual chain(const Dual& a, double value, double derivative) {
    Dual r{value, {}};
    for (std::size_t k = 0; k < 4; ++k) r.d[k] = derivative * a.d[k];
    return r;
}

/// M_k(h) = integral of u^k e^u over [0, h]; the series avoids the cancellation of the closed forms for small h.
Dual moment(int k, const Dual& h) {
    const double x = h.v, e = std::exp(x), power = std::pow(x, k);
    double value;
    if (std::abs(x) < 1.0) {
        double term = power * x, sum = 0.0;
        for (int j = 0; j < 20; ++j) {
            sum += term / (k + 1 + j);
            term *= x / (j + 1);
        }
        value = sum;
    } else if (k == 0) {
        value = e - 1.0;
    } else if (k == 1) {
        value = e * x - (e - 1.0);
    } else {
        value = e * x * x - 2.0 * (e * x - (e - 1.0));
    }
    return chain(h, value, power * e);
}

/// The weights of one step of order `size`: of node s, s-1, s-2.
struct StepWeights {
    std::size_t size;
    std::array<Dual, 3> weight;
};

std::size_t order_of(std::size_t s, std::size_t intervals) {
    if (s == 0 || s == intervals - 1) return 1;
    return s == 1 || s == intervals - 2 ? 2 : 3;
}

/// w_j = e^{lambda_s} integral over [0, h] of e^u l_j(u) du, l_j the Lagrange basis on u = 0, -a, -(a+b).
StepWeights weights(std::span<const double> lambdas, std::size_t s) {
    const std::size_t order = order_of(s, lambdas.size() - 1);
    const auto node = [&](std::size_t back) {
        Dual x{lambdas[s - back], {}};
        x.d[2 - back] = 1.0;
        return x;
    };
    Dual next{lambdas[s + 1], {}};
    next.d[3] = 1.0;
    const Dual here = node(0), h = next - here, scale = chain(here, std::exp(here.v), std::exp(here.v));
    const Dual m0 = moment(0, h);
    if (order == 1) return {1, {scale * m0, {}, {}}};
    const Dual m1 = moment(1, h), a = here - node(1);
    if (order == 2) return {2, {scale * (m1 + a * m0) / a, Dual{} - scale * m1 / a, {}}};
    const Dual m2 = moment(2, h), b = node(1) - node(2), ab = a + b;
    return {3,
            {scale * (m2 + (a + ab) * m1 + a * ab * m0) / (a * ab), Dual{} - scale * (m2 + ab * m1) / (a * b),
             scale * (m2 + a * m1) / (b * ab)}};
}

constexpr std::size_t kFewIntervals = 7;    ///< up to here the published code ...
constexpr std::size_t kTruncatedSteps = 3;  ///< ... adds the root of squares in this many first steps

}  // namespace

namespace detail {

double evaluate_dm_nonuni(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy,
                          std::span<double> gradient) {
    const std::size_t n = lambdas.size() - 1;
    std::fill(gradient.begin(), gradient.end(), 0.0);
    if (n == 0) return 0.0;
    const std::size_t truncated = n <= kFewIntervals ? kTruncatedSteps : 0;

    std::array<double, 64> few;
    std::vector<double> many(n > few.size() ? n : 0);
    const std::span<double> accumulated = many.empty() ? std::span(few).first(n) : std::span(many);
    std::fill(accumulated.begin(), accumulated.end(), 0.0);

    // eps~ w of one step's node, with derivatives
    const auto error_of = [&](const StepWeights& step, std::size_t s, std::size_t back) {
        const double lambda = lambdas[s - back], inverse = std::exp(-lambda);
        const auto w = proxy.weight(noise, lambda);
        Dual eps{w.g * inverse, {}};
        eps.d[2 - back] = (w.d1 - w.g) * inverse;
        return eps * step.weight[back];
    };
    const auto add_gradient = [&](const Dual& term, double factor, std::size_t s) {
        for (std::size_t k = 0; k < 4; ++k)
            if (term.d[k] != 0.0) gradient[s + k - 2] += factor * term.d[k];
    };

    double value = 0.0;
    for (std::size_t s = 0; s < n; ++s) {
        const StepWeights step = weights(lambdas, s);
        if (step.size == 1) {
            const Dual term = error_of(step, s, 0);
            value += std::abs(term.v);
            if (!gradient.empty()) add_gradient(term, term.v < 0.0 ? -1.0 : 1.0, s);
        } else if (s < truncated) {
            std::array<Dual, 3> terms;
            double squares = 0.0;
            for (std::size_t back = 0; back < step.size; ++back) {
                terms[back] = error_of(step, s, back);
                squares += terms[back].v * terms[back].v;
            }
            const double root = std::sqrt(squares);
            value += root;
            if (!gradient.empty() && root > 0.0)
                for (std::size_t back = 0; back < step.size; ++back) add_gradient(terms[back], terms[back].v / root, s);
        } else {
            for (std::size_t back = 0; back < step.size; ++back) accumulated[s - back] += error_of(step, s, back).v;
        }
    }
    for (double sum : accumulated) value += std::abs(sum);
    if (gradient.empty()) return value;
    for (std::size_t s = truncated; s < n; ++s) {
        if (order_of(s, n) == 1) continue;
        const StepWeights step = weights(lambdas, s);
        for (std::size_t back = 0; back < step.size; ++back)
            add_gradient(error_of(step, s, back), accumulated[s - back] < 0.0 ? -1.0 : 1.0, s);
    }
    return value;
}

}  // namespace detail

namespace {

void check_increasing(std::span<const double> lambdas) {
    if (lambdas.empty()) detail::throw_invalid("lambdas", "0 entries", "at least 1 long");
    for (std::size_t i = 0; i < lambdas.size(); ++i) {
        const std::string name = "lambdas[" + std::to_string(i) + "]";
        if (!(std::abs(lambdas[i]) <= 170.0)) detail::throw_invalid(name, lambdas[i], "within [-170, 170]");
        if (i > 0 && !(lambdas[i] > lambdas[i - 1]))
            detail::throw_invalid(name, lambdas[i], "above the node before it: lambda must increase strictly");
    }
}

}  // namespace

double dm_nonuni(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy) {
    check_increasing(lambdas);
    return detail::evaluate_dm_nonuni(noise, lambdas, proxy);
}

double dm_nonuni(const NoiseSchedule& noise, std::span<const double> lambdas) {
    return dm_nonuni(noise, lambdas, ErrorProxy::standard(noise));
}

double dm_nonuni_gradient(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy,
                          std::span<double> gradient) {
    check_increasing(lambdas);
    if (gradient.size() != lambdas.size())
        detail::throw_invalid("gradient", std::to_string(gradient.size()) + " entries", std::to_string(lambdas.size()) + " long");
    return detail::evaluate_dm_nonuni(noise, lambdas, proxy, gradient);
}

}  // namespace hso

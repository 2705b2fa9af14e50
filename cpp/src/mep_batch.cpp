#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

#include <hso/objective.hpp>

#include "invalid.hpp"
#include "mep.hpp"
#include "vector_clones.hpp"
#include "vector_math.hpp"

namespace hso {

namespace {

/// How many intervals are computed at a time, whatever rows they belong to. The interval from a row's last node to the
/// next row's first is computed like the others and then struck out.
constexpr std::size_t kTile = 64;

struct Terms {
    alignas(64) double value[kTile];      // an interval's term of MEP
    alignas(64) double left[kTile];       // the term's derivative by the node where the interval begins
    alignas(64) double right[kTile + 1];  // and by the node where it ends, at that node's index
};

/// What the kernels may use of an interval, and what they say of G at its midpoint m: G e^{-m} and G'/G (see mep.cpp).
struct Midpoint {
    double m, exp_m, exp_2m;
};
struct Term {
    double scale, d1;
};

struct VpSquare {
    HSO_VECTOR_INLINE Term operator()(const Midpoint& at) const {
        const double inverse = 1.0 / (at.exp_2m * (1.0 + at.exp_2m));
        return {std::sqrt(inverse), -at.exp_2m * (at.exp_2m * inverse)};
    }
};

struct VpPower {
    double q;
    detail::VectorPower power = detail::VectorPower::of(-0.5 * q);
    HSO_VECTOR_INLINE Term operator()(const Midpoint& at) const {
        const double inverse_sigma2 = 1.0 + at.exp_2m, inverse = 1.0 / (at.exp_m * inverse_sigma2);
        return {power(inverse_sigma2) * (inverse_sigma2 * inverse), -q * (at.exp_2m * (at.exp_m * inverse))};
    }
};

struct FlowSquare {
    HSO_VECTOR_INLINE Term operator()(const Midpoint& at) const {
        const double inverse = 1.0 / (at.exp_m * (1.0 + at.exp_m));
        return {inverse, -at.exp_2m * inverse};
    }
};

struct FlowPower {
    double q;
    detail::VectorPower power = detail::VectorPower::of(-q);
    HSO_VECTOR_INLINE Term operator()(const Midpoint& at) const {
        const double inverse_sigma = 1.0 + at.exp_m, inverse = 1.0 / (at.exp_m * inverse_sigma);
        return {power(inverse_sigma) * (inverse_sigma * inverse), -q * (at.exp_2m * inverse)};
    }
};

struct VePower {
    double q;
    HSO_VECTOR_INLINE Term operator()(const Midpoint& at) const { return {detail::vector_exp(-(q + 1.0) * at.m), -q}; }
};

/// 2 sinh(h/2) to 1e-17 relative for |h| <= 1/2.
HSO_VECTOR_INLINE double twice_sinh_half(double h) {
    const double x2 = 0.25 * h * h;
    const double high_terms = 1.0 / 5040.0 + x2 * (1.0 / 362880.0 + x2 * (1.0 / 39916800.0));
    return h * (1.0 + x2 * (1.0 / 6.0 + x2 * (1.0 / 120.0 + x2 * high_terms)));
}

/// The terms of the intervals between kTile + 1 nodes.
template <class Kernel>
HSO_VECTOR_INLINE void evaluate(const double* __restrict lambda, Terms* __restrict terms, const Kernel& kernel) {
    // e^{lambda/2}, of which e^m and e^{2m} are products
    alignas(64) double root[kTile + 1];
    for (std::size_t i = 0; i < kTile; ++i) root[i] = detail::vector_exp(0.5 * lambda[i]);
    root[kTile] = detail::vector_exp(0.5 * lambda[kTile]);
    for (std::size_t i = 0; i < kTile; ++i) {
        const double h = lambda[i + 1] - lambda[i];
        const double exp_low = root[i] * root[i], exp_high = root[i + 1] * root[i + 1], exp_m = root[i] * root[i + 1];
        const Term term = kernel({0.5 * (lambda[i] + lambda[i + 1]), exp_m, exp_m * exp_m});
        // the difference of exponentials cancels in a small interval
        const double small = exp_m * twice_sinh_half(h), large = exp_high - exp_low;
        const double s = term.scale * (std::abs(h) < 0.5 ? small : large);
        const double slope = 0.5 * term.d1 * s, half_c = 0.5 * (term.scale * (exp_high + exp_low));
        terms->value[i] = s;
        terms->left[i] = slope - half_c;
        terms->right[i + 1] = slope + half_c;
    }
}

using Evaluate = void (*)(const double* __restrict lambda, Terms* __restrict terms, double q);
HSO_VECTOR_CLONES void vp_square(const double* __restrict lambda, Terms* __restrict terms, double) {
    evaluate(lambda, terms, VpSquare{});
}
HSO_VECTOR_CLONES void vp_power(const double* __restrict lambda, Terms* __restrict terms, double q) {
    evaluate(lambda, terms, VpPower{q});
}
HSO_VECTOR_CLONES void flow_square(const double* __restrict lambda, Terms* __restrict terms, double) {
    evaluate(lambda, terms, FlowSquare{});
}
HSO_VECTOR_CLONES void flow_power(const double* __restrict lambda, Terms* __restrict terms, double q) {
    evaluate(lambda, terms, FlowPower{q});
}
HSO_VECTOR_CLONES void ve_power(const double* __restrict lambda, Terms* __restrict terms, double q) {
    evaluate(lambda, terms, VePower{q});
}

/// Null where only evaluate_mep() can do it.
Evaluate tile_function(const NoiseSchedule& noise, const ErrorProxy& proxy) {
    constexpr bool rounds_to_double = FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 1;  // the x87 does not
    if (!rounds_to_double || !proxy.is_power()) return nullptr;
    const bool square = proxy.p() == 2.0;
    switch (noise.family()) {
        case Family::vp: return square ? vp_square : vp_power;
        case Family::flow: return square ? flow_square : flow_power;
        case Family::ve: return ve_power;
        case Family::general: return nullptr;
    }
    return nullptr;
}

/// All rows, tile by tile. `gradients` may be empty.
void evaluate_tiles(Evaluate function, double q, std::span<const double> lambdas, std::size_t nodes, std::span<double> values,
                    std::span<double> gradients) {
    Terms terms;
    terms.right[kTile] = 0.0;
    std::size_t row = 0, row_end = nodes;
    double value = 0.0;
    for (std::size_t first = 0; first < lambdas.size(); first += kTile) {
        const auto ahead = lambdas.subspan(first);
        const std::size_t count = std::min(ahead.size(), kTile);
        const double carried = terms.right[kTile];
        if (ahead.size() > kTile) {
            function(ahead.data(), &terms, q);
        } else {
            double padded[kTile + 1];
            std::fill(std::copy(ahead.begin(), ahead.end(), padded), std::end(padded), ahead.back());
            function(padded, &terms, q);
        }
        terms.right[0] = carried;

        std::size_t i = 0;
        for (; row_end <= first + count; row_end += nodes) {
            const std::size_t end = row_end - 1 - first;
            for (; i < end; ++i) value += terms.value[i];
            values[row++] = value;
            value = 0.0;
            terms.left[end] = terms.right[end + 1] = 0.0;
            i = end + 1;
        }
        for (; i < count; ++i) value += terms.value[i];
        if (!gradients.empty())
            for (i = 0; i < count; ++i) gradients[first + i] = terms.left[i] + terms.right[i];
    }
}

/// The fast range: |lambda| up to this keeps every power in the range of normal numbers.
double fast_limit(double q) { return std::min(detail::kMostLambda, 680.0 / (std::abs(q) + 1.0)); }

bool within(std::span<const double> lambdas, double limit) {
    bool good = true;
    for (double lambda : lambdas) good &= std::abs(lambda) <= limit;
    return good;
}

void check(std::span<const double> lambdas, std::size_t nodes, std::span<const double> values) {
    if (nodes == 0) detail::throw_invalid("nodes", "0", "at least 1");
    if (lambdas.size() % nodes != 0)
        detail::throw_invalid("lambdas", std::to_string(lambdas.size()) + " entries",
                              "a multiple of nodes = " + std::to_string(nodes) + " long");
    detail::check_size("values", values.size(), lambdas.size() / nodes);
    if (within(lambdas, detail::kMostLambda)) return;
    for (std::size_t i = 0; i < lambdas.size(); ++i)
        if (!(std::abs(lambdas[i]) <= detail::kMostLambda))
            detail::throw_invalid("lambdas[" + std::to_string(i / nodes) + "][" + std::to_string(i % nodes) + "]", lambdas[i],
                                  "within [-170, 170]");
}

void evaluate_batch(const NoiseSchedule& noise, std::span<const double> lambdas, std::size_t nodes, const ErrorProxy& proxy,
                    std::span<double> values, std::span<double> gradients) {
    const Evaluate function = tile_function(noise, proxy);
    const double q = proxy.p() - 1.0, limit = function ? fast_limit(q) : 0.0;
    if (function) evaluate_tiles(function, q, lambdas, nodes, values, gradients);
    if (limit >= detail::kMostLambda) return;
    for (std::size_t row = 0; row < values.size(); ++row) {
        const auto row_lambdas = lambdas.subspan(row * nodes, nodes);
        if (function && within(row_lambdas, limit)) continue;
        values[row] = detail::evaluate_mep(noise, row_lambdas, proxy,
                                           gradients.empty() ? gradients : gradients.subspan(row * nodes, nodes));
    }
}

}  // namespace

void mep_batch(const NoiseSchedule& noise, std::span<const double> lambdas, std::size_t nodes, const ErrorProxy& proxy,
               std::span<double> values) {
    check(lambdas, nodes, values);
    evaluate_batch(noise, lambdas, nodes, proxy, values, {});
}

void mep_gradient_batch(const NoiseSchedule& noise, std::span<const double> lambdas, std::size_t nodes, const ErrorProxy& proxy,
                        std::span<double> values, std::span<double> gradients) {
    check(lambdas, nodes, values);
    detail::check_size("gradients", gradients.size(), lambdas.size());
    evaluate_batch(noise, lambdas, nodes, proxy, values, gradients);
}

}  // namespace hso

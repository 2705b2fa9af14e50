#include "mep.hpp"

#include <cmath>
#include <cstddef>
#include <string>

#include <hso/objective.hpp>
#include <hso/spacing.hpp>

#include "invalid.hpp"

namespace hso {

namespace {

/// What the kernels may use of an interval: its midpoint m, e^{2m} and e^m = sqrt(e^{2m}).
struct Midpoint {
    double m, exp_2m;
    double exp_m() const { return std::sqrt(exp_2m); }
};

/// What a kernel says of G at the midpoint: G e^{-m}, which times e^b - e^a is the interval's term, and G'/G, G''/G.
struct Term {
    double scale, d1, d2;
};

// With G = sigma^q. VP has sigma^2 = 1/(1 + e^{2m}), alpha^2 = e^{2m} sigma^2:
//   G'/G = -q alpha^2,  G''/G = q^2 alpha^4 - 2 q alpha^2 sigma^2.
// Flow has sigma = 1/(1 + e^m), alpha = e^m sigma: G'/G = -q alpha, G''/G = q^2 alpha^2 - q alpha sigma.

/// VP with p = 2 (q = 1), the published setting: one division and one square root.
struct VpSquare {
    Term operator()(const Midpoint& at) const {
        const double inverse = 1.0 / (at.exp_2m * (1.0 + at.exp_2m));
        const double sigma2 = at.exp_2m * inverse, alpha2 = at.exp_2m * sigma2;
        return {std::sqrt(inverse), -alpha2, (alpha2 - 2.0 * sigma2) * alpha2};
    }
};

struct VpPower {
    double q;
    Term operator()(const Midpoint& at) const {
        const double sigma2 = 1.0 / (1.0 + at.exp_2m), alpha2 = at.exp_2m * sigma2;
        return {std::pow(sigma2, 0.5 * q) / at.exp_m(), -q * alpha2, (q * alpha2 - 2.0 * sigma2) * q * alpha2};
    }
};

struct FlowSquare {
    Term operator()(const Midpoint& at) const {
        const double exp_m = at.exp_m(), scale = 1.0 / (exp_m * (1.0 + exp_m));
        const double sigma = exp_m * scale, alpha = at.exp_2m * scale;
        return {scale, -alpha, (alpha - sigma) * alpha};
    }
};

struct FlowPower {
    double q;
    Term operator()(const Midpoint& at) const {
        const double exp_m = at.exp_m(), sigma = 1.0 / (1.0 + exp_m), alpha = exp_m * sigma;
        return {std::pow(sigma, q) / exp_m, -q * alpha, (q * alpha - sigma) * q * alpha};
    }
};

struct VePower {
    double q;
    Term operator()(const Midpoint& at) const { return {std::exp(-(q + 1.0) * at.m), -q, q * q}; }
};

struct AnyProxy {
    const NoiseSchedule& noise;
    const ErrorProxy& proxy;
    Term operator()(const Midpoint& at) const {
        const auto log = proxy.log_weight(noise, at.m);
        return {std::exp(log.value - at.m), log.d1, log.d2 + log.d1 * log.d1};
    }
};

/// Below this the difference of exponentials cancels: there it would cost the 53 bits more than 5.
constexpr double kSmallInterval = 0x1p-4;

/// 2 sinh(h/2) to 1e-17 relative for |h| < kSmallInterval.
double twice_sinh_half(double h) {
    const double x2 = 0.25 * h * h;
    return h * (1.0 + x2 / 6.0 * (1.0 + x2 / 20.0 * (1.0 + x2 / 42.0)));
}

template <int derivatives, class Kernel>
double sum(std::span<const double> lambdas, const Kernel& kernel, double* gradient, double* diagonal, double* off_diagonal) {
    double value = 0.0, exp_low = std::exp(lambdas[0]);
    if constexpr (derivatives > 0) gradient[0] = 0.0;
    if constexpr (derivatives > 1) diagonal[0] = 0.0;
    for (std::size_t i = 0; i + 1 < lambdas.size(); ++i) {
        const double low = lambdas[i], high = lambdas[i + 1], h = high - low;
        const double exp_high = std::exp(high);
        const Midpoint middle{0.5 * (low + high), exp_low * exp_high};
        const Term term = kernel(middle);
        const double difference = std::abs(h) < kSmallInterval ? middle.exp_m() * twice_sinh_half(h) : exp_high - exp_low;
        const double s = term.scale * difference;  // G 2 sinh(h/2)
        value += s;
        if constexpr (derivatives > 0) {
            const double c = term.scale * (exp_high + exp_low);  // G 2 cosh(h/2)
            const double slope = 0.5 * term.d1 * s;
            gradient[i] += slope - 0.5 * c;
            gradient[i + 1] = slope + 0.5 * c;
            if constexpr (derivatives > 1) {
                const double even = 0.25 * (term.d2 + 1.0) * s, odd = 0.5 * term.d1 * c;
                diagonal[i] += even - odd;
                diagonal[i + 1] = even + odd;
                off_diagonal[i] = 0.25 * (term.d2 - 1.0) * s;
            }
        }
        exp_low = exp_high;
    }
    return value;
}

template <class Kernel>
double dispatch(std::span<const double> lambdas, const Kernel& kernel, std::span<double> gradient, std::span<double> diagonal,
                std::span<double> off_diagonal) {
    if (!diagonal.empty()) return sum<2>(lambdas, kernel, gradient.data(), diagonal.data(), off_diagonal.data());
    if (!gradient.empty()) return sum<1>(lambdas, kernel, gradient.data(), nullptr, nullptr);
    return sum<0>(lambdas, kernel, nullptr, nullptr, nullptr);
}

void check_nodes(std::span<const double> lambdas) {
    if (lambdas.empty()) detail::throw_invalid("lambdas", "0 entries", "at least 1 long");
    for (std::size_t i = 0; i < lambdas.size(); ++i)
        if (!(std::abs(lambdas[i]) <= detail::kMostLambda))
            detail::throw_invalid("lambdas[" + std::to_string(i) + "]", lambdas[i], "within [-170, 170]");
}

}  // namespace

namespace detail {

void check_size(std::string_view name, std::size_t size, std::size_t expected) {
    if (size != expected) throw_invalid(name, std::to_string(size) + " entries", std::to_string(expected) + " long");
}

double evaluate_mep(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy,
                    std::span<double> gradient, std::span<double> diagonal, std::span<double> off_diagonal) {
    const auto run = [&](const auto& kernel) { return dispatch(lambdas, kernel, gradient, diagonal, off_diagonal); };
    if (!proxy.is_power()) return run(AnyProxy{noise, proxy});
    const double q = proxy.p() - 1.0;
    switch (noise.family()) {
        case Family::vp: return q == 1.0 ? run(VpSquare{}) : run(VpPower{q});
        case Family::flow: return q == 1.0 ? run(FlowSquare{}) : run(FlowPower{q});
        case Family::ve: return run(VePower{q});
        case Family::general: return run(AnyProxy{noise, proxy});
    }
    return 0.0;
}

}  // namespace detail

double mep(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy) {
    check_nodes(lambdas);
    return detail::evaluate_mep(noise, lambdas, proxy);
}

double mep(const NoiseSchedule& noise, std::span<const double> lambdas) {
    return mep(noise, lambdas, ErrorProxy::standard(noise));
}

double mep_gradient(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy,
                    std::span<double> gradient) {
    check_nodes(lambdas);
    detail::check_size("gradient", gradient.size(), lambdas.size());
    return detail::evaluate_mep(noise, lambdas, proxy, gradient);
}

double mep_hessian(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy,
                   std::span<double> gradient, std::span<double> diagonal, std::span<double> off_diagonal) {
    check_nodes(lambdas);
    detail::check_size("gradient", gradient.size(), lambdas.size());
    detail::check_size("diagonal", diagonal.size(), lambdas.size());
    detail::check_size("off_diagonal", off_diagonal.size(), lambdas.size() - 1);
    return detail::evaluate_mep(noise, lambdas, proxy, gradient, diagonal, off_diagonal);
}

double spf(const NoiseSchedule& noise, std::span<const double> lambdas, double d_min, double gamma) {
    return spf(noise, lambdas, d_min, gamma, ErrorProxy::standard(noise));
}

double spf(const NoiseSchedule& noise, std::span<const double> lambdas, double d_min, double gamma, const ErrorProxy& proxy) {
    if (!(d_min >= 0.0) || !std::isfinite(d_min)) detail::throw_invalid("d_min", d_min, "a finite number >= 0");
    if (!(gamma >= 0.0) || !std::isfinite(gamma)) detail::throw_invalid("gamma", gamma, "a finite number >= 0");
    double penalty = 0.0;
    for (std::size_t i = 0; i + 1 < lambdas.size(); ++i) {
        const double pair[2] = {noise.t(lambdas[i]), noise.t(lambdas[i + 1])};
        penalty += spacing_penalty(pair, d_min, gamma);
    }
    return mep(noise, lambdas, proxy) + penalty;
}

}  // namespace hso

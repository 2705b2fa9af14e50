#include <hso/start.hpp>

#include <cmath>

#include "invalid.hpp"

namespace hso {

void karras_start(const NoiseSchedule& noise, const Psi& psi, std::span<double> lambdas) {
    const std::size_t n = lambdas.size();
    if (n < 2) detail::throw_invalid("lambdas", std::to_string(n) + " entries", "at least 2 long");
    if (!(psi.rho > 0.0) || !std::isfinite(psi.rho)) detail::throw_invalid("rho", psi.rho, "a positive finite number");
    if (!(psi.t_min < psi.t_max)) detail::throw_invalid("t_min", psi.t_min, "below t_max = " + detail::number(psi.t_max));
    const double first = noise.lambda(psi.t_max), last = noise.lambda(psi.t_min);
    // sigma^(1/rho) = exp(-lambda/rho)
    const double high = std::exp(-first / psi.rho), low = std::exp(-last / psi.rho);
    for (std::size_t i = 1; i + 1 < n; ++i) {
        const double share = static_cast<double>(i) / static_cast<double>(n - 1);
        lambdas[i] = -psi.rho * std::log(high + share * (low - high));
    }
    lambdas.front() = first;
    lambdas.back() = last;
}

}  // namespace hso

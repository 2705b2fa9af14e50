#pragma once

#include <cmath>
#include <span>
#include <stdexcept>
#include <vector>

#include <hso/noise_schedule.hpp>

namespace bench {

/// Stable Diffusion's table: betas linear in sqrt(beta) from 0.00085 to 0.012, 1000 entries.
inline std::vector<double> stable_diffusion_betas(int entries = 1000) {
    const double low = std::sqrt(0.00085), high = std::sqrt(0.012);
    std::vector<double> betas(static_cast<std::size_t>(entries));
    for (int i = 0; i < entries; ++i) {
        const double root = low + (high - low) * i / (entries - 1);
        betas[static_cast<std::size_t>(i)] = root * root;
    }
    return betas;
}

inline hso::NoiseSchedule stable_diffusion() { return hso::NoiseSchedule::from_betas(stable_diffusion_betas()); }

/// MEP as the paper writes it (eq. 8), VP and p = 2, in long double: what the timed kernels have to agree with first.
inline long double reference_mep(std::span<const double> lambdas) {
    long double sum = 0.0L;
    for (std::size_t i = 0; i + 1 < lambdas.size(); ++i) {
        const long double a = lambdas[i], b = lambdas[i + 1], m = (a + b) / 2.0L, sigma2 = 1.0L / (1.0L + std::exp(2.0L * m));
        sum += sigma2 / std::sqrt(1.0L - sigma2) * (std::exp(b) - std::exp(a));
    }
    return sum;
}

/// Fitness that an independent SciPy implementation reaches on this table (terminal t_min, published limits), by nfe.
inline double published_optimum(int nfe) {
    switch (nfe) {
        case 4: return 3.0960240010;
        case 5: return 3.0513196;
        case 6: return 3.0283941227;
        case 8: return 3.0070053553;
        case 10: return 3.2193385196;
        case 20: return 2.9792290771;
        default: throw std::invalid_argument("no optimum is known for this nfe");
    }
}

}  // namespace bench

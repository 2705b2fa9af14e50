#pragma once

#include <cmath>
#include <vector>

#include <hso/noise_schedule.hpp>

namespace bench {

/// Stable Diffusion's table: betas linear in sqrt(beta) from 0.00085 to 0.012, 1000 entries.
inline hso::NoiseSchedule stable_diffusion() {
    constexpr int n = 1000;
    const double low = std::sqrt(0.00085), high = std::sqrt(0.012);
    std::vector<double> betas(n);
    for (int i = 0; i < n; ++i) {
        const double root = low + (high - low) * i / (n - 1);
        betas[static_cast<std::size_t>(i)] = root * root;
    }
    return hso::NoiseSchedule::from_betas(betas);
}

}  // namespace bench

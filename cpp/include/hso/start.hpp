#pragma once

#include <span>

#include <hso/noise_schedule.hpp>

namespace hso {

/// The search's three parameters psi (paper eq. 2): the curvature of the Karras start and the two ends in t.
struct Psi {
    double rho = 7.0;
    double t_min = 0.0;
    double t_max = 1.0;
};

/// The Karras-type start (paper eq. 2): VE sigmas from sigma(t_max) to sigma(t_min), both included, linear in
/// sigma^(1/rho). Fills `lambdas` (n >= 2), strictly increasing. rho > 0 and t_min < t_max within the noise schedule.
void karras_start(const NoiseSchedule& noise, const Psi& psi, std::span<double> lambdas);

}  // namespace hso

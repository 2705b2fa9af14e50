#pragma once

#include <span>

#include <hso/export.h>
#include <hso/noise_schedule.hpp>

namespace hso {

/// The search's three parameters psi (paper eq. 2): the curvature of the Karras start and the two ends in t.
struct Psi {
    double rho = 7.0;    ///< curvature of the start: sigmas are linear in sigma^(1/rho)
    double t_min = 0.0;  ///< t of the last node
    double t_max = 1.0;  ///< t of the first
};

/// The Karras-type start (paper eq. 2): VE sigmas from sigma(t_max) to sigma(t_min), both included, linear in
/// sigma^(1/rho). Fills `lambdas` (n >= 2), strictly increasing. rho > 0 and t_min < t_max within the noise schedule.
HSO_EXPORT void karras_start(const NoiseSchedule& noise, const Psi& psi, std::span<double> lambdas);

}  // namespace hso

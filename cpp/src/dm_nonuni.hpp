#pragma once

#include <span>

#include <hso/error_proxy.hpp>
#include <hso/noise_schedule.hpp>

namespace hso::detail {

/// DM-NonUni's bound without argument checks, nodes strictly increasing; an empty `gradient` leaves it out.
double evaluate_dm_nonuni(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy,
                          std::span<double> gradient = {});

}  // namespace hso::detail

#pragma once

#include <span>

#include <hso/error_proxy.hpp>
#include <hso/noise_schedule.hpp>

namespace hso::detail {

/// MEP without argument checks; empty spans for `gradient`, or `diagonal` and `off_diagonal`, leave those out.
double evaluate_mep(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy,
                    std::span<double> gradient = {}, std::span<double> diagonal = {},
                    std::span<double> off_diagonal = {});

}  // namespace hso::detail

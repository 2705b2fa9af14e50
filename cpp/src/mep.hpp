#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <hso/error_proxy.hpp>
#include <hso/noise_schedule.hpp>

namespace hso::detail {

/// Nodes within +-this are accepted: e^{4 lambda} stays finite.
constexpr double kMostLambda = 170.0;

/// Throws std::invalid_argument unless the sizes agree.
void check_size(std::string_view name, std::size_t size, std::size_t expected);

/// MEP without argument checks; empty spans for `gradient`, or `diagonal` and `off_diagonal`, leave those out.
double evaluate_mep(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy,
                    std::span<double> gradient = {}, std::span<double> diagonal = {}, std::span<double> off_diagonal = {});

}  // namespace hso::detail

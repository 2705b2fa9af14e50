#pragma once

#include <cstddef>
#include <functional>

#include <hso/error_proxy.hpp>
#include <hso/noise_schedule.hpp>

#include "function_ref.hpp"
#include "range.hpp"

namespace hso::detail {

/// Bounds of the weight G(lambda) = eps~(lambda) e^lambda and of its first two derivatives over an interval of lambda, up to
/// rounding. The second derivative of a tabulated proxy jumps at its nodes: the bounds hold on both sides.
struct WeightRange {
    Range g, d1, d2;
};

/// For each of `count` points first + j step: hands out j, the weight there, and its range over the point's neighbourhood,
/// from the point before to the point after.
void weight_ranges(const NoiseSchedule& noise, const ErrorProxy& proxy, double first, double step, std::size_t count,
                   FunctionRef<void(std::size_t, const ErrorProxy::Weight&, const WeightRange&)> hand_out);

}  // namespace hso::detail

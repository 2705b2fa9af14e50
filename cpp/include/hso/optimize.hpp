#pragma once

#include <span>
#include <vector>

#include <hso/noise_schedule.hpp>
#include <hso/options.hpp>
#include <hso/schedule.hpp>

namespace hso {

/// Finds the schedule of `nfe` network calls (1..10000) that minimizes the fitness for this noise schedule.
///
/// The result is a function of (noise, nfe, options) alone, bitwise the same for any number of threads.
/// Throws std::invalid_argument for options that make no sense (naming argument, value and limit), among them a
/// spacing that does not fit between the ends. A spent budget is a Status, not an exception.
Schedule optimize(const NoiseSchedule& noise, int nfe, const Options& options = {});

/// The same for several nfe, in their order; Search::exact shares what does not depend on nfe.
std::vector<Schedule> optimize(const NoiseSchedule& noise, std::span<const int> nfe, const Options& options = {});

}  // namespace hso

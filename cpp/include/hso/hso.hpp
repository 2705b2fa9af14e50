#pragma once

/// @file
/// Everything that the library offers.
#include <hso/chain.hpp>
#include <hso/error_model.hpp>
#include <hso/error_proxy.hpp>
#include <hso/noise_schedule.hpp>
#include <hso/objective.hpp>
#include <hso/optimize.hpp>
#include <hso/options.hpp>
#include <hso/schedule.hpp>
#include <hso/spacing.hpp>
#include <hso/start.hpp>
#include <hso/stop.hpp>
#include <hso/try.hpp>
#include <hso/version.hpp>
#include <hso/workspace.hpp>

/// Optimal few-step schedules for diffusion samplers.
namespace hso {}

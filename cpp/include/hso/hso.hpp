#pragma once

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
#include <hso/version.hpp>

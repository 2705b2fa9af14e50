#pragma once

/// @file
/// The library for callers that want no exceptions: every function here is noexcept, and says in an Error what the
/// function of the same name without `try_` would have thrown. These headers compile with -fno-exceptions and -fno-rtti
/// (the library itself is built with both on).

#include <optional>
#include <span>

#include <hso/export.h>
#include <hso/error_proxy.hpp>
#include <hso/noise_schedule.hpp>
#include <hso/options.hpp>
#include <hso/schedule.hpp>
#include <hso/workspace.hpp>

namespace hso {

/// Why a call failed.
enum class ErrorCode : int {
    none = 0,              ///< it did not
    invalid_argument = 1,  ///< the message names the argument, its value and the limit; or the workspace is in use
    out_of_memory = 2,     ///< what was asked for needs more memory than there is
    system = 3,            ///< the operating system refused a thread
    other = 4,             ///< an exception of another kind, as Options::should_stop may throw
    stopped = 5,           ///< Options::should_stop said so
};

/// What went wrong, in the caller's memory: reporting takes none from the heap.
struct Error {
    ErrorCode code = ErrorCode::none;  ///< what kind
    char message[508] = "";            ///< what exactly: ends with a zero, cut where it is too long, empty on success
};

// All of these set `error` on success, too (to ErrorCode::none). They may be called from any number of threads at once,
// each with its own `error`, workspace and result.

/// NoiseSchedule::from_alphas_cumprod; nothing on failure, as of the next ones.
HSO_EXPORT std::optional<NoiseSchedule> try_from_alphas_cumprod(std::span<const double> alphas_cumprod, Error& error) noexcept;
/// NoiseSchedule::from_betas.
HSO_EXPORT std::optional<NoiseSchedule> try_from_betas(std::span<const double> betas, Error& error) noexcept;
/// NoiseSchedule::vp_linear.
HSO_EXPORT std::optional<NoiseSchedule> try_vp_linear(double beta_min, double beta_max, Error& error) noexcept;
/// NoiseSchedule::vp_cosine.
HSO_EXPORT std::optional<NoiseSchedule> try_vp_cosine(double s, Error& error) noexcept;
/// NoiseSchedule::flow.
HSO_EXPORT std::optional<NoiseSchedule> try_flow(double shift, Error& error) noexcept;
/// NoiseSchedule::edm.
HSO_EXPORT std::optional<NoiseSchedule> try_edm(double sigma_min, double sigma_max, Error& error) noexcept;
/// NoiseSchedule::from_table.
HSO_EXPORT std::optional<NoiseSchedule> try_from_table(std::span<const double> t, std::span<const double> alpha,
                                                       std::span<const double> sigma, double num_train_timesteps,
                                                       Error& error) noexcept;

/// NoiseSchedule::lambda of many t; false on failure, with `out` written in part, as of the next ones.
HSO_EXPORT bool try_lambda(const NoiseSchedule& noise, std::span<const double> t, std::span<double> out, Error& error) noexcept;
/// NoiseSchedule::t of many lambda.
HSO_EXPORT bool try_t(const NoiseSchedule& noise, std::span<const double> lambda, std::span<double> out, Error& error) noexcept;
/// NoiseSchedule::alpha of many lambda.
HSO_EXPORT bool try_alpha(const NoiseSchedule& noise, std::span<const double> lambda, std::span<double> out,
                          Error& error) noexcept;
/// NoiseSchedule::sigma of many lambda.
HSO_EXPORT bool try_sigma(const NoiseSchedule& noise, std::span<const double> lambda, std::span<double> out,
                          Error& error) noexcept;
/// NoiseSchedule::timestep of many lambda.
HSO_EXPORT bool try_timestep(const NoiseSchedule& noise, std::span<const double> lambda, std::span<double> out,
                             Error& error) noexcept;

/// ErrorProxy::power.
HSO_EXPORT std::optional<ErrorProxy> try_power_proxy(double p, Error& error) noexcept;
/// ErrorProxy::table.
HSO_EXPORT std::optional<ErrorProxy> try_table_proxy(std::span<const double> lambda, std::span<const double> value,
                                                     Error& error) noexcept;

/// optimize() with a workspace: on success the same schedule, bitwise, and true. On failure false, and `out` as it was,
/// unless memory ran out: then it holds some schedule, or a part of one. The workspace stays usable.
HSO_EXPORT bool try_optimize(const NoiseSchedule& noise, int nfe, const Options& options, Workspace& workspace, Schedule& out,
                             Error& error) noexcept;

/// schedule_from_nodes(); false on failure, and `out` as it was.
HSO_EXPORT bool try_schedule_from_nodes(const NoiseSchedule& noise, std::span<const double> t, const Options& options,
                                        Schedule& out, Error& error) noexcept;

}  // namespace hso

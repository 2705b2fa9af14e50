#include <hso/try.hpp>

#include <algorithm>
#include <cstring>
#include <exception>
#include <iterator>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <hso/optimize.hpp>
#include <hso/stop.hpp>

#include "guarded.hpp"

namespace hso {

namespace {

bool failed(Error& error, ErrorCode code, const char* message) noexcept {
    error.code = code;
    const std::size_t length = std::min(std::strlen(message), std::size(error.message) - 1);
    std::copy_n(message, length, error.message);
    error.message[length] = '\0';
    return false;
}

template <class Make>
auto made(Error& error, Make make) noexcept {
    std::optional<decltype(make())> result;
    detail::guarded(error, [&] { result.emplace(make()); });
    return result;
}

}  // namespace

bool detail::guarded(Error& error, FunctionRef<void()> work) noexcept {
    try {
        work();
    } catch (const std::bad_alloc&) {
        return failed(error, ErrorCode::out_of_memory, "out of memory");
    } catch (const std::length_error&) {  // a vector longer than the address space
        return failed(error, ErrorCode::out_of_memory, "out of memory");
    } catch (const std::logic_error& exception) {  // std::invalid_argument, or a workspace that is in use
        return failed(error, ErrorCode::invalid_argument, exception.what());
    } catch (const Stopped& exception) {
        return failed(error, ErrorCode::stopped, exception.what());
    } catch (const std::system_error& exception) {
        return failed(error, ErrorCode::system, exception.what());
    } catch (const std::exception& exception) {
        return failed(error, ErrorCode::other, exception.what());
    } catch (...) {
        return failed(error, ErrorCode::other, "an exception that is no std::exception");
    }
    error.code = ErrorCode::none;
    error.message[0] = '\0';
    return true;
}

std::optional<NoiseSchedule> try_from_alphas_cumprod(std::span<const double> alphas_cumprod, Error& error) noexcept {
    return made(error, [&] { return NoiseSchedule::from_alphas_cumprod(alphas_cumprod); });
}

std::optional<NoiseSchedule> try_from_betas(std::span<const double> betas, Error& error) noexcept {
    return made(error, [&] { return NoiseSchedule::from_betas(betas); });
}

std::optional<NoiseSchedule> try_vp_linear(double beta_min, double beta_max, Error& error) noexcept {
    return made(error, [&] { return NoiseSchedule::vp_linear(beta_min, beta_max); });
}

std::optional<NoiseSchedule> try_vp_cosine(double s, Error& error) noexcept {
    return made(error, [&] { return NoiseSchedule::vp_cosine(s); });
}

std::optional<NoiseSchedule> try_flow(double shift, Error& error) noexcept {
    return made(error, [&] { return NoiseSchedule::flow(shift); });
}

std::optional<NoiseSchedule> try_edm(double sigma_min, double sigma_max, Error& error) noexcept {
    return made(error, [&] { return NoiseSchedule::edm(sigma_min, sigma_max); });
}

std::optional<NoiseSchedule> try_from_table(std::span<const double> t, std::span<const double> alpha,
                                            std::span<const double> sigma, double num_train_timesteps, Error& error) noexcept {
    return made(error, [&] { return NoiseSchedule::from_table(t, alpha, sigma, num_train_timesteps); });
}

bool try_lambda(const NoiseSchedule& noise, std::span<const double> t, std::span<double> out, Error& error) noexcept {
    return detail::guarded(error, [&] { noise.lambda(t, out); });
}

bool try_t(const NoiseSchedule& noise, std::span<const double> lambda, std::span<double> out, Error& error) noexcept {
    return detail::guarded(error, [&] { noise.t(lambda, out); });
}

bool try_alpha(const NoiseSchedule& noise, std::span<const double> lambda, std::span<double> out, Error& error) noexcept {
    return detail::guarded(error, [&] { noise.alpha(lambda, out); });
}

bool try_sigma(const NoiseSchedule& noise, std::span<const double> lambda, std::span<double> out, Error& error) noexcept {
    return detail::guarded(error, [&] { noise.sigma(lambda, out); });
}

bool try_timestep(const NoiseSchedule& noise, std::span<const double> lambda, std::span<double> out, Error& error) noexcept {
    return detail::guarded(error, [&] { noise.timestep(lambda, out); });
}

std::optional<ErrorProxy> try_power_proxy(double p, Error& error) noexcept {
    return made(error, [&] { return ErrorProxy::power(p); });
}

std::optional<ErrorProxy> try_table_proxy(std::span<const double> lambda, std::span<const double> value, Error& error) noexcept {
    return made(error, [&] { return ErrorProxy::table(lambda, value); });
}

bool try_optimize(const NoiseSchedule& noise, int nfe, const Options& options, Workspace& workspace, Schedule& out,
                  Error& error) noexcept {
    return detail::guarded(error, [&] { optimize(noise, nfe, options, workspace, out); });
}

bool try_schedule_from_nodes(const NoiseSchedule& noise, std::span<const double> t, const Options& options, Schedule& out,
                             Error& error) noexcept {
    return detail::guarded(error, [&] { out = schedule_from_nodes(noise, t, options); });
}

}  // namespace hso

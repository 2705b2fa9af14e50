#include <hso/error_proxy.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "checkpoint.hpp"
#include "invalid.hpp"
#include "monotone_cubic.hpp"

namespace hso {

using detail::throw_invalid;

namespace {

constexpr std::size_t kEntryWork = 30;  ///< nanoseconds or so for an entry of a table

}  // namespace

ErrorProxy ErrorProxy::power(double p) {
    if (!(p >= 0.0) || !std::isfinite(p)) throw_invalid("p", p, "a finite number >= 0");
    ErrorProxy proxy;
    proxy.p_ = p;
    return proxy;
}

ErrorProxy ErrorProxy::standard(const NoiseSchedule& noise) { return power(noise.family() == Family::ve ? 1.0 : 2.0); }

ErrorProxy ErrorProxy::table(std::span<const double> lambda, std::span<const double> value, const ShouldStop& should_stop) {
    const std::size_t n = lambda.size();
    if (n < 2) throw_invalid("proxy lambda", std::to_string(n) + " entries", "a table of at least 2 entries");
    if (value.size() != n)
        throw_invalid("proxy value", std::to_string(value.size()) + " entries", "as long as lambda (" + std::to_string(n) + ")");
    detail::Checkpoint checkpoint(should_stop);
    std::vector<double> log_value(n);
    for (std::size_t i = 0; i < n; ++i) {
        checkpoint.pass(kEntryWork);
        if (!std::isfinite(lambda[i])) throw_invalid("proxy lambda[" + std::to_string(i) + "]", lambda[i], "finite");
        if (i > 0 && !(lambda[i] > lambda[i - 1]))
            throw_invalid("proxy lambda[" + std::to_string(i) + "]", lambda[i],
                          "above the entry before it: lambda must increase strictly");
        if (!(value[i] > 0.0) || !std::isfinite(value[i]))
            throw_invalid("proxy value[" + std::to_string(i) + "]", value[i], "positive and finite");
        log_value[i] = std::log(value[i]);
    }
    ErrorProxy proxy;
    proxy.p_ = std::numeric_limits<double>::quiet_NaN();
    proxy.log_value_ = std::make_shared<const detail::MonotoneCubic>(lambda, log_value, checkpoint);
    return proxy;
}

ErrorProxy::LogWeight ErrorProxy::log_weight(const NoiseSchedule& noise, double lambda) const {
    if (is_power()) {
        const double q = p_ - 1.0;
        const auto log_sigma = noise.log_sigma(lambda);
        return {q * log_sigma.value, q * log_sigma.d1, q * log_sigma.d2};
    }
    const auto point = (*log_value_)(lambda);
    return {point.value + lambda, point.d1 + 1.0, point.d2};
}

ErrorProxy::Weight ErrorProxy::weight(const NoiseSchedule& noise, double lambda) const {
    const auto log = log_weight(noise, lambda);
    const double g = std::exp(log.value);
    return {g, g * log.d1, g * (log.d2 + log.d1 * log.d1)};
}

double ErrorProxy::value(const NoiseSchedule& noise, double lambda) const {
    if (is_power()) return std::exp((p_ - 1.0) * noise.log_sigma(lambda).value - lambda);
    return std::exp((*log_value_)(lambda).value);
}

}  // namespace hso

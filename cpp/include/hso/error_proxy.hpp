#pragma once

#include <memory>
#include <span>

#include <hso/export.h>
#include <hso/noise_schedule.hpp>
#include <hso/stop.hpp>

namespace hso {

namespace detail {
class MonotoneCubic;
}

/// The error proxy eps~(lambda) of the paper's eq. 7: how large the network's error is taken to be at a noise level.
/// Everything below works with G(lambda) = eps~(lambda) e^lambda, in which each MEP term is 2 G(m) sinh(h/2).
class HSO_EXPORT ErrorProxy {
  public:
    /// eps~ = sigma^p / alpha, any real p >= 0 (finite). G = sigma^(p-1).
    static ErrorProxy power(double p);

    /// What stands where none is given: p = 2, the published one; for VE (EDM), where that makes MEP the same for every schedule, 1.
    static ErrorProxy standard(const NoiseSchedule& noise);

    /// eps~ given by values at nodes: `lambda` strictly increasing (n >= 2), `value` > 0. log(value) is interpolated by
    /// a monotone-preserving cubic, and continued beyond the ends with the end slopes.
    static ErrorProxy table(std::span<const double> lambda, std::span<const double> value, const ShouldStop& should_stop = {});

    /// log(G) and its first and second derivatives with respect to lambda.
    struct LogWeight {
        double value;  ///< log(G)
        double d1;     ///< its first derivative
        double d2;     ///< its second
    };
    /// log(G) and its derivatives at lambda.
    LogWeight log_weight(const NoiseSchedule& noise, double lambda) const;

    /// G and its first and second derivatives with respect to lambda.
    struct Weight {
        double g;   ///< G
        double d1;  ///< its first derivative
        double d2;  ///< its second
    };
    /// G and its derivatives at lambda.
    Weight weight(const NoiseSchedule& noise, double lambda) const;

    /// eps~ itself.
    double value(const NoiseSchedule& noise, double lambda) const;

    /// Whether it is power() and no table.
    bool is_power() const { return log_value_ == nullptr; }
    double p() const { return p_; }                                              ///< the exponent; NaN for a table
    const detail::MonotoneCubic* log_value() const { return log_value_.get(); }  ///< private: the table, or null

  private:
    ErrorProxy() = default;
    double p_ = 2.0;
    std::shared_ptr<const detail::MonotoneCubic> log_value_;
};

}  // namespace hso

#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>

#include <hso/export.h>
#include <hso/stop.hpp>

namespace hso {

/// How alpha and sigma follow from lambda = log(alpha/sigma), the half log-SNR.
enum class Family {
    vp,       ///< variance preserving: alpha^2 + sigma^2 = 1 (Stable Diffusion, PixArt)
    flow,     ///< rectified flow: alpha = 1 - s, sigma = s (SD3, Flux, Wan)
    ve,       ///< variance exploding: alpha = 1 (EDM)
    general,  ///< any other (alpha, sigma) table
};

/// A diffusion model's noise schedule: the maps between time t and half log-SNR lambda, and from lambda to
/// alpha, sigma and the timestep that the network is told.
///
/// Conventions: t in (0, 1], lambda decreases with t. A value type: copies share one immutable table, so an
/// object may be used from any number of threads.
///
/// Evaluations throw std::invalid_argument on NaN and on a t or lambda outside the schedule's range. What a schedule is made of
/// is refused where |lambda| would exceed 170, or not fall strictly in rounding.
class HSO_EXPORT NoiseSchedule {
  public:
    /// Discrete VP table: entry i sits at t = (i+1)/n with log(alpha) linear in t between entries, and the
    /// network timestep is n*t - 1. `alphas_cumprod` = alpha^2: n >= 2 strictly decreasing values in (0, 1).
    /// A last entry of exactly 0 (zero terminal SNR) is taken as 2^-24, as diffusers does. `should_stop` is for tables of
    /// millions of entries, as in the other two.
    static NoiseSchedule from_alphas_cumprod(std::span<const double> alphas_cumprod, const ShouldStop& should_stop = {});

    /// Discrete VP table from betas in (0, 1); a last beta of exactly 1 gives zero terminal SNR, see above.
    static NoiseSchedule from_betas(std::span<const double> betas, const ShouldStop& should_stop = {});

    /// Continuous VP with beta(t) linear (Song et al. 2021): log(alpha) = -t^2 (beta_max - beta_min)/4 -
    /// t beta_min/2, on t in [1e-5, 1]. 0 < beta_min <= beta_max.
    static NoiseSchedule vp_linear(double beta_min = 0.1, double beta_max = 20.0);

    /// Continuous VP cosine (Nichol and Dhariwal 2021): alpha = cos((t+s)/(1+s) pi/2) / cos(s/(1+s) pi/2), on t
    /// in [1e-5, 1 - 1e-6]; t up to 1 is taken as 1 - 1e-6, since alpha(1) = 0 has no finite lambda. s in (0, 1].
    static NoiseSchedule vp_cosine(double s = 0.008);

    /// Rectified flow: t = sigma = s is the noise level after the shift, the network timestep is 1000 s. `shift`
    /// maps the sampler's uniform clock u to s = shift u/(1 + (shift-1) u), see shifted(). Range [1e-6, 1 - 1e-6];
    /// t up to 1 is taken as 1 - 1e-6, since alpha(1) = 0 has no finite lambda. shift > 0.
    static NoiseSchedule flow(double shift = 1.0);

    /// EDM (Karras et al. 2022): alpha = 1, network timestep log(sigma)/4, and t runs with the network's clock, linear in
    /// log(sigma) from sigma_min at t = 0.001 to sigma_max at t = 1. 0 < sigma_min < sigma_max.
    static NoiseSchedule edm(double sigma_min = 0.002, double sigma_max = 80.0);

    /// Any table: t strictly increasing in [0, 1] (n >= 2 entries), alpha > 0, sigma > 0, alpha/sigma strictly
    /// decreasing. A table that is VP, flow or VE to 1e-9 uses that family's closed forms, interpolated linearly in
    /// log(alpha), sigma or lambda; any other is interpolated linearly in lambda over t, and log(sigma) by a monotone
    /// cubic in lambda. `num_train_timesteps` > 0 scales the network timestep (n*t - 1; flow: n*t; VE: log(sigma)/4).
    static NoiseSchedule from_table(std::span<const double> t, std::span<const double> alpha, std::span<const double> sigma,
                                    double num_train_timesteps = 1000.0, const ShouldStop& should_stop = {});

    double lambda(double t) const;         ///< half log-SNR at t
    double t(double lambda) const;         ///< the inverse of lambda(t)
    double alpha(double lambda) const;     ///< signal scale
    double sigma(double lambda) const;     ///< noise scale
    double timestep(double lambda) const;  ///< what the network is told (fractional)

    void lambda(std::span<const double> t, std::span<double> out) const;         ///< of many t; `out` has their size
    void t(std::span<const double> lambda, std::span<double> out) const;         ///< of many lambda, as the next ones
    void alpha(std::span<const double> lambda, std::span<double> out) const;     ///< of many lambda
    void sigma(std::span<const double> lambda, std::span<double> out) const;     ///< of many lambda
    void timestep(std::span<const double> lambda, std::span<double> out) const;  ///< of many lambda

    /// lambda(t) and d lambda / d t from the right (a table is piecewise smooth; its last entry uses the left slope).
    struct LambdaSlope {
        double lambda;      ///< half log-SNR at t
        double dlambda_dt;  ///< its slope, below 0
    };
    /// lambda and its slope at t.
    LambdaSlope lambda_slope(double t) const;

    /// log(sigma) and its first and second derivatives with respect to lambda.
    struct LogSigma {
        double value;  ///< log(sigma)
        double d1;     ///< its first derivative
        double d2;     ///< its second
    };
    /// log(sigma) and its derivatives at lambda; lambda must be finite.
    LogSigma log_sigma(double lambda) const;

    /// The noise level reached at u in [0, 1] on the sampler's unshifted clock: shift u/(1 + (shift-1) u) for flow, u for the
    /// other families.
    double shifted(double u) const;

    Family family() const;                           ///< how alpha and sigma follow from lambda
    double num_train_timesteps() const;              ///< n, which scales the network's timestep
    double shift() const;                            ///< 1 for all but flow
    std::pair<double, double> t_range() const;       ///< lowest and highest t with a finite lambda
    std::pair<double, double> lambda_range() const;  ///< lambda at the highest and at the lowest t

    /// 16 hexadecimal digits that identify the numbers of this schedule.
    const std::string& fingerprint() const;

    struct Table;  ///< private: the numbers behind the maps, as the next
    const Table& table() const { return *table_; }

  private:
    explicit NoiseSchedule(std::shared_ptr<const Table> table);
    std::shared_ptr<const Table> table_;
};

}  // namespace hso

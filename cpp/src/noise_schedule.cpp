#include <hso/noise_schedule.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <optional>
#include <vector>

#include "invalid.hpp"
#include "monotone_cubic.hpp"

namespace hso {

using detail::number;
using detail::throw_invalid;

namespace {

constexpr double kZeroTerminalSnr = 0x1p-24;  ///< diffusers' stand-in for alphas_cumprod = 0
constexpr double kContinuousLow = 1e-5;       ///< lowest t of the continuous VP schedules
constexpr double kFlowEdge = 1e-6;            ///< flow and cosine stop this far from t = 1 (flow: and from 0)
constexpr double kFamilyTolerance = 1e-9;     ///< how well a table must fit a family to be given its closed forms
constexpr double kRangeTolerance = 1e-12;     ///< rounding that an argument may lie outside the range

/// How the family's own coordinate y (see Table) depends on t.
enum class Clock { table, vp_linear, vp_cosine, identity, affine };

void check_positive(std::string_view name, double value) {
    if (!(value > 0.0) || !std::isfinite(value)) throw_invalid(name, value, "a positive finite number");
}

std::string indexed(std::string_view name, std::size_t i) {
    std::string text(name);
    text.append("[").append(std::to_string(i)).append("]");
    return text;
}

/// log(alpha) -> lambda for VP, without cancellation for alpha near 1.
double vp_lambda(double log_alpha) { return log_alpha - 0.5 * std::log(-std::expm1(2.0 * log_alpha)); }

/// lambda -> log(alpha) for VP.
double vp_log_alpha(double lambda) { return -0.5 * std::log1p(std::exp(-2.0 * lambda)); }

}  // namespace

/// t <-> y <-> lambda, where y falls strictly with t and is what the family interpolates linearly:
/// log(alpha) for VP, -s for flow, lambda for VE and general.
struct NoiseSchedule::Table {
    Family family = Family::vp;
    Clock clock = Clock::table;
    double n = 1000.0;   ///< training timesteps
    double shift = 1.0;  ///< flow
    double a = 0.0, b = 0.0;  ///< vp_linear: beta_min, beta_max; vp_cosine: s; affine: y(0) and y(1)
    double t_low = 0.0, t_high = 1.0;
    double t_accepted = 1.0;  ///< arguments above t_high up to here are taken as t_high
    double lambda_low = 0.0, lambda_high = 0.0;
    bool uniform = false;       ///< ts[i] = (i+1)/size
    std::vector<double> ts, ys;  ///< clock table
    std::optional<detail::MonotoneCubic> log_sigma;  ///< family general, over lambda

    std::size_t segment_of_t(double t) const {
        const std::size_t last = ts.size() - 2;
        if (uniform) {
            const double position = t * static_cast<double>(ts.size()) - 1.0;
            if (!(position > 0.0)) return 0;
            auto i = std::min(static_cast<std::size_t>(position), last);
            // the product may round across a node
            if (i < last && t >= ts[i + 1]) ++i;
            if (i > 0 && t < ts[i]) --i;
            return i;
        }
        const auto above = std::upper_bound(ts.begin() + 1, ts.end() - 1, t);
        return static_cast<std::size_t>(above - ts.begin()) - 1;
    }

    std::size_t segment_of_y(double y) const {
        const auto below = std::upper_bound(ys.begin() + 1, ys.end() - 1, y, std::greater<>());
        return static_cast<std::size_t>(below - ys.begin()) - 1;
    }

    double y_of_t(double t) const {
        switch (clock) {
            case Clock::table: {
                const std::size_t i = segment_of_t(t);
                return ys[i] + (t - ts[i]) * ((ys[i + 1] - ys[i]) / (ts[i + 1] - ts[i]));
            }
            case Clock::vp_linear: return -0.25 * t * t * (b - a) - 0.5 * t * a;
            case Clock::vp_cosine: {
                const double whole = cosine_rest(0.0), half = 0.25 * std::numbers::pi * t / (1.0 + a);
                // 1 - alpha: near t = 0 the quotient of sines has lost its digits
                const double lost = 2.0 * std::cos(whole - half) * std::sin(half) / std::sin(whole);
                return lost < 0.5 ? std::log1p(-lost) : std::log(std::sin(cosine_rest(t)) / std::sin(whole));
            }
            case Clock::identity: return -t;
            case Clock::affine: return a + t * (b - a);
        }
        return 0.0;
    }

    double dy_dt(double t) const {
        switch (clock) {
            case Clock::table: {
                const std::size_t i = segment_of_t(t);
                return (ys[i + 1] - ys[i]) / (ts[i + 1] - ts[i]);
            }
            case Clock::vp_linear: return -0.5 * t * (b - a) - 0.5 * a;
            case Clock::vp_cosine: return -0.5 * std::numbers::pi / (1.0 + a) / std::tan(cosine_rest(t));
            case Clock::identity: return -1.0;
            case Clock::affine: return b - a;
        }
        return 0.0;
    }

    double t_of_y(double y) const {
        switch (clock) {
            case Clock::table: {
                const std::size_t i = segment_of_y(y);
                return ts[i] + (y - ys[i]) * ((ts[i + 1] - ts[i]) / (ys[i + 1] - ys[i]));
            }
            case Clock::vp_linear: {
                const double l = -2.0 * y;
                return 2.0 * l / (std::sqrt(a * a + 2.0 * (b - a) * l) + a);
            }
            case Clock::vp_cosine:
                return 1.0 - std::asin(std::exp(y) * std::sin(cosine_rest(0.0))) * 2.0 * (1.0 + a) / std::numbers::pi;
            case Clock::identity: return -y;
            case Clock::affine: return (y - a) / (b - a);
        }
        return 0.0;
    }

    double lambda_of_y(double y) const {
        switch (family) {
            case Family::vp: return vp_lambda(y);
            case Family::flow: return std::log1p(y) - std::log(-y);
            case Family::ve:
            case Family::general: return y;
        }
        return y;
    }

    double y_of_lambda(double lambda) const {
        switch (family) {
            case Family::vp: return vp_log_alpha(lambda);
            case Family::flow: return -1.0 / (1.0 + std::exp(lambda));
            case Family::ve:
            case Family::general: return lambda;
        }
        return lambda;
    }

    double dlambda_dy(double y) const {
        switch (family) {
            case Family::vp: return -1.0 / std::expm1(2.0 * y);  // 1/sigma^2
            case Family::flow: return -1.0 / (y * (1.0 + y));
            case Family::ve:
            case Family::general: return 1.0;
        }
        return 1.0;
    }

    /// What the cosine's angle lacks to a right angle: 1 - t is exact where alpha vanishes.
    double cosine_rest(double t) const { return (1.0 - t) / (1.0 + a) * 0.5 * std::numbers::pi; }

    double checked_t(double t) const {
        if (!(t >= t_low - kRangeTolerance && t <= t_accepted + kRangeTolerance))
            throw_invalid("t", t, "within the noise schedule's range [" + number(t_low) + ", " + number(t_accepted) + "]");
        return std::clamp(t, t_low, t_high);
    }

    double checked_lambda(double lambda) const {
        const double slack = kRangeTolerance * (1.0 + std::abs(lambda_low) + std::abs(lambda_high)) * 100.0;
        if (!(lambda >= lambda_low - slack && lambda <= lambda_high + slack))
            throw_invalid("lambda", lambda,
                          "within the noise schedule's range [" + number(lambda_low) + ", " + number(lambda_high) + "]");
        return std::clamp(lambda, lambda_low, lambda_high);
    }

    double t_of_lambda(double lambda) const { return std::clamp(t_of_y(y_of_lambda(lambda)), t_low, t_high); }

    std::shared_ptr<const Table> finished() && {
        lambda_low = lambda_of_y(y_of_t(t_high));
        lambda_high = lambda_of_y(y_of_t(t_low));
        return std::make_shared<const Table>(std::move(*this));
    }
};

NoiseSchedule::NoiseSchedule(std::shared_ptr<const Table> table) : table_(std::move(table)) {}

NoiseSchedule NoiseSchedule::from_alphas_cumprod(std::span<const double> alphas_cumprod) {
    const std::size_t n = alphas_cumprod.size();
    if (n < 2) throw_invalid("alphas_cumprod", std::to_string(n) + " entries", "a table of at least 2 entries");
    Table table;
    table.uniform = true;
    table.n = static_cast<double>(n);
    table.ts.resize(n);
    table.ys.resize(n);
    double previous = 1.0;
    for (std::size_t i = 0; i < n; ++i) {
        double value = alphas_cumprod[i];
        if (i == n - 1 && value == 0.0) value = kZeroTerminalSnr;
        if (!(value > 0.0 && value < 1.0))
            throw_invalid(indexed("alphas_cumprod", i), value, "in (0, 1) (only the last entry may be 0)");
        if (!(value < previous))
            throw_invalid(indexed("alphas_cumprod", i), value,
                          "below the entry before it (" + number(previous) + "): the table must decrease strictly");
        previous = value;
        table.ts[i] = static_cast<double>(i + 1) / table.n;
        table.ys[i] = 0.5 * std::log(value);
    }
    table.t_low = table.ts.front();
    return NoiseSchedule(std::move(table).finished());
}

NoiseSchedule NoiseSchedule::from_betas(std::span<const double> betas) {
    std::vector<double> alphas_cumprod(betas.size());
    double product = 1.0;
    for (std::size_t i = 0; i < betas.size(); ++i) {
        const bool terminal = i + 1 == betas.size() && betas[i] == 1.0;
        if (!terminal && !(betas[i] > 0.0 && betas[i] < 1.0))
            throw_invalid(indexed("betas", i), betas[i], "in (0, 1) (only the last entry may be 1)");
        product *= 1.0 - betas[i];
        alphas_cumprod[i] = product;
    }
    if (betas.size() < 2)
        throw_invalid("betas", std::to_string(betas.size()) + " entries", "a table of at least 2 entries");
    return from_alphas_cumprod(alphas_cumprod);
}

NoiseSchedule NoiseSchedule::vp_linear(double beta_min, double beta_max) {
    check_positive("beta_min", beta_min);
    if (!(beta_max >= beta_min) || !std::isfinite(beta_max))
        throw_invalid("beta_max", beta_max, "finite and at least beta_min = " + number(beta_min));
    Table table;
    table.clock = Clock::vp_linear;
    table.a = beta_min;
    table.b = beta_max;
    table.t_low = kContinuousLow;
    return NoiseSchedule(std::move(table).finished());
}

NoiseSchedule NoiseSchedule::vp_cosine(double s) {
    if (!(s > 0.0 && s <= 1.0)) throw_invalid("s", s, "in (0, 1]");
    Table table;
    table.clock = Clock::vp_cosine;
    table.a = s;
    table.t_low = kContinuousLow;
    table.t_high = 1.0 - kFlowEdge;
    return NoiseSchedule(std::move(table).finished());
}

NoiseSchedule NoiseSchedule::flow(double shift) {
    check_positive("shift", shift);
    Table table;
    table.family = Family::flow;
    table.clock = Clock::identity;
    table.shift = shift;
    table.t_low = kFlowEdge;
    table.t_high = 1.0 - kFlowEdge;
    return NoiseSchedule(std::move(table).finished());
}

NoiseSchedule NoiseSchedule::edm(double sigma_min, double sigma_max) {
    check_positive("sigma_min", sigma_min);
    if (!(sigma_max > sigma_min) || !std::isfinite(sigma_max))
        throw_invalid("sigma_max", sigma_max, "finite and above sigma_min = " + number(sigma_min));
    Table table;
    table.family = Family::ve;
    table.clock = Clock::affine;
    // as if a table of n sigmas, entry i at t = (i+1)/n, from sigma_min to sigma_max
    table.t_low = 1.0 / table.n;
    table.b = -std::log(sigma_max);
    table.a = -std::log(sigma_min) + std::log(sigma_max / sigma_min) / (table.n - 1.0);
    return NoiseSchedule(std::move(table).finished());
}

NoiseSchedule NoiseSchedule::from_table(std::span<const double> t, std::span<const double> alpha,
                                        std::span<const double> sigma, double num_train_timesteps) {
    const std::size_t n = t.size();
    if (n < 2) throw_invalid("t", std::to_string(n) + " entries", "a table of at least 2 entries");
    if (alpha.size() != n || sigma.size() != n)
        throw_invalid("alpha and sigma", std::to_string(alpha.size()) + " and " + std::to_string(sigma.size()) + " entries",
                      "as long as t (" + std::to_string(n) + " entries)");
    check_positive("num_train_timesteps", num_train_timesteps);
    std::vector<double> lambdas(n);
    bool vp = true, flow = true, ve = true;
    for (std::size_t i = 0; i < n; ++i) {
        if (!(t[i] >= 0.0 && t[i] <= 1.0)) throw_invalid(indexed("t", i), t[i], "in [0, 1]");
        if (i > 0 && !(t[i] > t[i - 1]))
            throw_invalid(indexed("t", i), t[i], "above the entry before it: t must increase strictly");
        if (!(alpha[i] > 0.0) || !std::isfinite(alpha[i])) throw_invalid(indexed("alpha", i), alpha[i], "positive and finite");
        if (!(sigma[i] > 0.0) || !std::isfinite(sigma[i])) throw_invalid(indexed("sigma", i), sigma[i], "positive and finite");
        lambdas[i] = std::log(alpha[i]) - std::log(sigma[i]);
        if (i > 0 && !(lambdas[i] < lambdas[i - 1]))
            throw_invalid(indexed("alpha/sigma", i), std::exp(lambdas[i]),
                          "below the entry before it: the signal-to-noise ratio must fall strictly with t");
        vp = vp && std::abs(alpha[i] * alpha[i] + sigma[i] * sigma[i] - 1.0) <= kFamilyTolerance;
        flow = flow && std::abs(alpha[i] + sigma[i] - 1.0) <= kFamilyTolerance;
        ve = ve && std::abs(alpha[i] - 1.0) <= kFamilyTolerance;
    }
    Table table;
    table.n = num_train_timesteps;
    table.family = vp ? Family::vp : flow ? Family::flow : ve ? Family::ve : Family::general;
    table.ts.assign(t.begin(), t.end());
    table.ys.resize(n);
    for (std::size_t i = 0; i < n; ++i) table.ys[i] = table.y_of_lambda(lambdas[i]);
    for (std::size_t i = 1; i < n; ++i)
        if (!(table.ys[i] < table.ys[i - 1]))
            throw_invalid(indexed("alpha/sigma", i), std::exp(lambdas[i]), "further from the entry before it: they coincide in rounding");
    if (table.family == Family::general) {
        std::vector<double> ascending(lambdas.rbegin(), lambdas.rend()), log_sigma(n);
        for (std::size_t i = 0; i < n; ++i) log_sigma[i] = std::log(sigma[n - 1 - i]);
        table.log_sigma.emplace(ascending, log_sigma);
    }
    table.t_low = t.front();
    table.t_high = table.t_accepted = t.back();
    return NoiseSchedule(std::move(table).finished());
}

double NoiseSchedule::lambda(double t) const { return table_->lambda_of_y(table_->y_of_t(table_->checked_t(t))); }

double NoiseSchedule::t(double lambda) const { return table_->t_of_lambda(table_->checked_lambda(lambda)); }

NoiseSchedule::LogSigma NoiseSchedule::log_sigma(double lambda) const {
    switch (table_->family) {
        case Family::vp: {
            const double e = std::exp(-2.0 * std::abs(lambda)), small = e / (1.0 + e), large = 1.0 / (1.0 + e);
            const double alpha2 = lambda > 0.0 ? large : small;
            return {-std::max(lambda, 0.0) - 0.5 * std::log1p(e), -alpha2, -2.0 * small * large};
        }
        case Family::flow: {
            const double e = std::exp(-std::abs(lambda)), small = e / (1.0 + e), large = 1.0 / (1.0 + e);
            return {-std::max(lambda, 0.0) - std::log1p(e), lambda > 0.0 ? -large : -small, -small * large};
        }
        case Family::ve: return {-lambda, -1.0, 0.0};
        case Family::general: {
            const auto point = (*table_->log_sigma)(lambda);
            return {point.value, point.d1, point.d2};
        }
    }
    return {};
}

namespace {

double finite_lambda(double lambda) {
    if (!std::isfinite(lambda)) throw_invalid("lambda", lambda, "finite");
    return lambda;
}

}  // namespace

double NoiseSchedule::sigma(double lambda) const { return std::exp(log_sigma(finite_lambda(lambda)).value); }

double NoiseSchedule::alpha(double lambda) const {
    if (table_->family == Family::ve) return finite_lambda(lambda), 1.0;
    return std::exp(finite_lambda(lambda) + log_sigma(lambda).value);
}

double NoiseSchedule::timestep(double lambda) const {
    switch (table_->family) {
        case Family::flow: return table_->n * sigma(lambda);
        case Family::ve: return -0.25 * finite_lambda(lambda);
        case Family::vp:
        case Family::general: return table_->n * t(lambda) - 1.0;
    }
    return 0.0;
}

NoiseSchedule::LambdaSlope NoiseSchedule::lambda_slope(double t) const {
    const double inside = table_->checked_t(t), y = table_->y_of_t(inside);
    return {table_->lambda_of_y(y), table_->dlambda_dy(y) * table_->dy_dt(inside)};
}

namespace {

template <class F>
void map(std::span<const double> in, std::span<double> out, F f) {
    if (in.size() != out.size())
        throw_invalid("out", std::to_string(out.size()) + " entries", "as long as the input (" + std::to_string(in.size()) + ")");
    for (std::size_t i = 0; i < in.size(); ++i) out[i] = f(in[i]);
}

}  // namespace

void NoiseSchedule::lambda(std::span<const double> ts, std::span<double> out) const {
    map(ts, out, [this](double x) { return lambda(x); });
}
void NoiseSchedule::t(std::span<const double> lambdas, std::span<double> out) const {
    map(lambdas, out, [this](double x) { return t(x); });
}
void NoiseSchedule::alpha(std::span<const double> lambdas, std::span<double> out) const {
    map(lambdas, out, [this](double x) { return alpha(x); });
}
void NoiseSchedule::sigma(std::span<const double> lambdas, std::span<double> out) const {
    map(lambdas, out, [this](double x) { return sigma(x); });
}
void NoiseSchedule::timestep(std::span<const double> lambdas, std::span<double> out) const {
    map(lambdas, out, [this](double x) { return timestep(x); });
}

double NoiseSchedule::shifted(double u) const { return table_->shift * u / (1.0 + (table_->shift - 1.0) * u); }

Family NoiseSchedule::family() const { return table_->family; }
double NoiseSchedule::num_train_timesteps() const { return table_->n; }
double NoiseSchedule::shift() const { return table_->shift; }
std::pair<double, double> NoiseSchedule::t_range() const { return {table_->t_low, table_->t_high}; }
std::pair<double, double> NoiseSchedule::lambda_range() const { return {table_->lambda_low, table_->lambda_high}; }

std::string NoiseSchedule::fingerprint() const {
    std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a over the bytes of every number
    const auto add = [&hash](double value) {
        auto bits = std::bit_cast<std::uint64_t>(value);
        for (int i = 0; i < 8; ++i, bits >>= 8) hash = (hash ^ (bits & 0xff)) * 0x100000001b3u;
    };
    const Table& table = *table_;
    add(static_cast<double>(table.family));
    add(static_cast<double>(table.clock));
    for (double value : {table.n, table.shift, table.a, table.b, table.t_low, table.t_high}) add(value);
    for (double value : table.ts) add(value);
    for (double value : table.ys) add(value);
    if (table.log_sigma)
        for (double value : table.log_sigma->y()) add(value);
    std::string text(16, '0');
    for (std::size_t i = 16; i-- > 0; hash >>= 4) text[i] = "0123456789abcdef"[hash & 0xf];
    return text;
}

}  // namespace hso

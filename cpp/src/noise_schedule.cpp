#include <hso/noise_schedule.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "checkpoint.hpp"
#include "invalid.hpp"
#include "mep.hpp"
#include "noise_table.hpp"

namespace hso {

using detail::Checkpoint;
using detail::Clock;
using detail::kMostLambda;
using detail::number;
using detail::throw_invalid;

namespace {

constexpr std::size_t kEntryWork = 30;        ///< nanoseconds or so for an entry of a table in one loop
constexpr double kZeroTerminalSnr = 0x1p-24;  ///< diffusers' stand-in for alphas_cumprod = 0
constexpr double kContinuousLow = 1e-5;       ///< lowest t of the continuous VP schedules
constexpr double kFlowEdge = 1e-6;            ///< flow and cosine stop this far from t = 1 (flow: and from 0)
constexpr double kFamilyTolerance = 1e-9;     ///< how well a table must fit a family to be given its closed forms
constexpr double kLeastStep = 1e-12;          ///< between a table's t

void check_positive(std::string_view name, double value) {
    if (!(value > 0.0) || !std::isfinite(value)) throw_invalid(name, value, "a positive finite number");
}

/// The finished table. `argument`, of the text value(), decides how far lambda reaches; no map of a table that passes divides by
/// zero or overflows.
template <class Value>
std::shared_ptr<const NoiseSchedule::Table> finish(NoiseSchedule::Table&& table, Checkpoint& checkpoint,
                                                   std::string_view argument, Value value) {
    auto finished = std::move(table).finished(checkpoint);
    const double low = finished->lambda_low, high = finished->lambda_high;
    if (!(low >= -kMostLambda && low < high && high <= kMostLambda))
        throw_invalid(argument, value(),
                      "such that lambda = log(alpha/sigma) falls strictly with t, between 170 and -170; it goes from " +
                          number(high) + " to " + number(low));
    return finished;
}

std::string entries(std::size_t n) { return std::to_string(n) + " entries"; }

std::string indexed(std::string_view name, std::size_t i) {
    std::string text(name);
    text.append("[").append(std::to_string(i)).append("]");
    return text;
}

}  // namespace

NoiseSchedule::NoiseSchedule(std::shared_ptr<const Table> table) : table_(std::move(table)) {}

namespace {

NoiseSchedule::Table table_of_alphas_cumprod(std::span<const double> alphas_cumprod, Checkpoint& checkpoint) {
    const std::size_t n = alphas_cumprod.size();
    if (n < 2) throw_invalid("alphas_cumprod", entries(n), "a table of at least 2 entries");
    NoiseSchedule::Table table;
    table.uniform = true;
    table.n = static_cast<double>(n);
    table.ts.resize(n);
    table.ys.resize(n);
    double previous = 1.0;
    for (std::size_t i = 0; i < n; ++i) {
        checkpoint.pass(kEntryWork);
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
        if (i > 0 && !(table.ys[i] < table.ys[i - 1]))
            throw_invalid(indexed("alphas_cumprod", i), value,
                          "further below the entry before it: their logarithms coincide in rounding");
    }
    table.t_low = table.ts.front();
    return table;
}

}  // namespace

NoiseSchedule NoiseSchedule::from_alphas_cumprod(std::span<const double> alphas_cumprod, const ShouldStop& should_stop) {
    Checkpoint checkpoint(should_stop);
    return NoiseSchedule(finish(table_of_alphas_cumprod(alphas_cumprod, checkpoint), checkpoint, "alphas_cumprod",
                                [&] { return entries(alphas_cumprod.size()); }));
}

NoiseSchedule NoiseSchedule::from_betas(std::span<const double> betas, const ShouldStop& should_stop) {
    Checkpoint checkpoint(should_stop);
    std::vector<double> alphas_cumprod(betas.size());
    double product = 1.0;
    for (std::size_t i = 0; i < betas.size(); ++i) {
        checkpoint.pass(kEntryWork);
        const bool terminal = i + 1 == betas.size() && betas[i] == 1.0;
        if (!terminal && !(betas[i] > 0.0 && betas[i] < 1.0))
            throw_invalid(indexed("betas", i), betas[i], "in (0, 1) (only the last entry may be 1)");
        product *= 1.0 - betas[i];
        alphas_cumprod[i] = product;
    }
    if (betas.size() < 2) throw_invalid("betas", std::to_string(betas.size()) + " entries", "a table of at least 2 entries");
    return NoiseSchedule(
        finish(table_of_alphas_cumprod(alphas_cumprod, checkpoint), checkpoint, "betas", [&] { return entries(betas.size()); }));
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
    Checkpoint unasked;
    return NoiseSchedule(finish(std::move(table), unasked, "beta_min and beta_max",
                                [&] { return number(beta_min) + " and " + number(beta_max); }));
}

NoiseSchedule NoiseSchedule::vp_cosine(double s) {
    if (!(s > 0.0 && s <= 1.0)) throw_invalid("s", s, "in (0, 1]");
    Table table;
    table.clock = Clock::vp_cosine;
    table.a = s;
    table.t_low = kContinuousLow;
    table.t_high = 1.0 - kFlowEdge;
    Checkpoint unasked;
    return NoiseSchedule(finish(std::move(table), unasked, "s", [&] { return number(s); }));
}

NoiseSchedule NoiseSchedule::flow(double shift) {
    check_positive("shift", shift);
    Table table;
    table.family = Family::flow;
    table.clock = Clock::identity;
    table.shift = shift;
    table.t_low = kFlowEdge;
    table.t_high = 1.0 - kFlowEdge;
    Checkpoint unasked;
    return NoiseSchedule(finish(std::move(table), unasked, "shift", [&] { return number(shift); }));
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
    Checkpoint unasked;
    return NoiseSchedule(finish(std::move(table), unasked, "sigma_min and sigma_max",
                                [&] { return number(sigma_min) + " and " + number(sigma_max); }));
}

NoiseSchedule NoiseSchedule::from_table(std::span<const double> t, std::span<const double> alpha, std::span<const double> sigma,
                                        double num_train_timesteps, const ShouldStop& should_stop) {
    Checkpoint checkpoint(should_stop);
    const std::size_t n = t.size();
    if (n < 2) throw_invalid("t", entries(n), "a table of at least 2 entries");
    if (alpha.size() != n || sigma.size() != n)
        throw_invalid("alpha and sigma", std::to_string(alpha.size()) + " and " + std::to_string(sigma.size()) + " entries",
                      "as long as t (" + std::to_string(n) + " entries)");
    check_positive("num_train_timesteps", num_train_timesteps);
    std::vector<double> lambdas(n);
    bool vp = true, flow = true, ve = true;
    for (std::size_t i = 0; i < n; ++i) {
        checkpoint.pass(2 * kEntryWork);
        if (!(t[i] >= 0.0 && t[i] <= 1.0)) throw_invalid(indexed("t", i), t[i], "in [0, 1]");
        if (i > 0 && !(t[i] >= t[i - 1] + kLeastStep))
            throw_invalid(indexed("t", i), t[i], "above the entry before it, by 1e-12 at least: t must increase strictly");
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
    checkpoint.pass(n);
    table.ts.assign(t.begin(), t.end());
    checkpoint.pass(n);
    table.ys.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
        checkpoint.pass(kEntryWork);
        table.ys[i] = table.y_of_lambda(lambdas[i]);
    }
    for (std::size_t i = 1; i < n; ++i)
        if (!(table.ys[i] < table.ys[i - 1]))
            throw_invalid(indexed("alpha/sigma", i), std::exp(lambdas[i]),
                          "further from the entry before it: they coincide in rounding");
    if (table.family == Family::general) {
        std::reverse(lambdas.begin(), lambdas.end());
        checkpoint.pass(n);
        std::vector<double> log_sigma(n);
        for (std::size_t i = 0; i < n; ++i) {
            checkpoint.pass(kEntryWork);
            log_sigma[i] = std::log(sigma[n - 1 - i]);
        }
        table.log_sigma.emplace(lambdas, log_sigma, checkpoint);
    }
    table.t_low = t.front();
    table.t_high = table.t_accepted = t.back();
    return NoiseSchedule(finish(std::move(table), checkpoint, "alpha/sigma", [&] { return entries(n); }));
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

double NoiseSchedule::shifted(double u) const {
    if (!(u >= 0.0 && u <= 1.0)) throw_invalid("u", u, "in [0, 1]");
    return table_->shift * u / (1.0 + (table_->shift - 1.0) * u);
}

Family NoiseSchedule::family() const { return table_->family; }
double NoiseSchedule::num_train_timesteps() const { return table_->n; }
double NoiseSchedule::shift() const { return table_->shift; }
std::pair<double, double> NoiseSchedule::t_range() const { return {table_->t_low, table_->t_high}; }
std::pair<double, double> NoiseSchedule::lambda_range() const { return {table_->lambda_low, table_->lambda_high}; }

const std::string& NoiseSchedule::fingerprint() const { return table_->fingerprint; }

}  // namespace hso

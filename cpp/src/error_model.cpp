#include <hso/error_model.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include <hso/schedule.hpp>

#include "checkpoint.hpp"
#include "dense.hpp"
#include "invalid.hpp"
#include "multistep.hpp"
#include "vector_clones.hpp"

namespace hso {

using detail::dot, detail::row, detail::solve_positive;

namespace {

constexpr std::size_t kLevels = 96;                       // where A is fitted; linear in between
constexpr std::size_t kNear = 16;                         // probes that A is fitted to at one level
constexpr double kWidth = 0.6;                            // in lambda: how far a probe is good for
constexpr double kRidge = 0.01;                           // relative to a probe's own square
constexpr double kLargestScale = 2.0;                     // of A's part that is a number; an exact denoiser has 0..1
constexpr std::size_t kMostLevels = 10000;                // of jumps, which is as many squared: 0.8 GB
constexpr std::size_t kResponseWork = 40, kSortWork = 5;  // nanoseconds or so for a number of a row, a probe
constexpr double kCarryStep = 0.1;                        // in lambda, of the steps that carry an error to sigma 0

/// alpha of the variance-preserving model of the same SNR: states times it stay of order 1 from the most noise to none.
double state_scale(double lambda) { return 1.0 / std::hypot(1.0, std::exp(-lambda)); }

void check_finite(std::string_view name, const std::vector<double>& values, std::size_t size) {
    if (values.size() != size)
        detail::throw_invalid(name, std::to_string(values.size()) + " numbers", "of size " + std::to_string(size));
    for (std::size_t i = 0; i < size; ++i)
        if (!std::isfinite(values[i]))
            detail::throw_invalid(std::string(name) + "[" + std::to_string(i) + "]", values[i], "finite");
}

/// out += weight (scale e + answer (project e)), project rank x kNear, answer kNear x rank.
HSO_VECTOR_CLONES void add_response(const double* __restrict project, const double* __restrict answer, double scale,
                                    double weight, const double* __restrict error, double* __restrict out, std::size_t rank) {
    double parts[kNear] = {};
    for (std::size_t r = 0; r < rank; ++r)
        for (std::size_t a = 0; a < kNear; ++a) parts[a] += project[r * kNear + a] * error[r];
    for (std::size_t r = 0; r < rank; ++r) out[r] += weight * scale * error[r];
    for (std::size_t a = 0; a < kNear; ++a)
        for (std::size_t r = 0; r < rank; ++r) out[r] += weight * parts[a] * answer[a * rank + r];
}

/// out = a left + b right + c left_bend + d right_bend.
HSO_VECTOR_CLONES void combine(const double* __restrict left, const double* __restrict right, const double* __restrict left_bend,
                               const double* __restrict right_bend, double a, double b, double c, double d,
                               double* __restrict out, std::size_t rank) {
    for (std::size_t r = 0; r < rank; ++r) out[r] = a * left[r] + b * right[r] + c * left_bend[r] + d * right_bend[r];
}

}  // namespace

ErrorModel::ErrorModel(NoiseSchedule noise, Measurements measurements, const ShouldStop& should_stop)
    : noise_(std::move(noise)), rank_(measurements.rank), lambdas_(measurements.lambdas), eps_(measurements.eps) {
    check(measurements);
    detail::Checkpoint checkpoint(should_stop);
    x0_ = splines(std::move(measurements.x0));
    for (std::size_t i = 0; i < lambdas_.size(); ++i)
        for (double& value : std::span(measurements.states).subspan(i * rank_, rank_)) value *= state_scale(lambdas_[i]);
    scaled_states_ = splines(std::move(measurements.states));
    fit_responses(measurements, checkpoint);
}

void ErrorModel::check(const Measurements& m) const {
    if (m.rank < 1) detail::throw_invalid("rank", std::to_string(m.rank), "at least 1");
    if (m.lambdas.size() < 4) detail::throw_invalid("lambdas", std::to_string(m.lambdas.size()) + " nodes", "at least 4 nodes");
    if (m.probe_lambdas.empty()) detail::throw_invalid("probe_lambdas", "none", "at least 1 level");
    check_finite("lambdas", m.lambdas, m.lambdas.size());
    check_finite("x0", m.x0, m.lambdas.size() * m.rank);
    check_finite("states", m.states, m.lambdas.size() * m.rank);
    check_finite("eps", m.eps, m.rank);
    if (!(dot(m.eps, m.eps) > 0.0)) detail::throw_invalid("eps", 0.0, "a row that is not 0");
    check_finite("probe_lambdas", m.probe_lambdas, m.probe_lambdas.size());
    check_finite("probe_errors", m.probe_errors, m.probe_lambdas.size() * m.rank);
    check_finite("probe_responses", m.probe_responses, m.probe_lambdas.size() * m.rank);
    for (std::size_t i = 1; i < m.lambdas.size(); ++i)
        if (!(m.lambdas[i] > m.lambdas[i - 1]))
            detail::throw_invalid("lambdas[" + std::to_string(i) + "]", m.lambdas[i],
                                  "above lambdas[" + std::to_string(i - 1) + "] = " + detail::number(m.lambdas[i - 1]));
    noise_.t(m.lambdas.front());  // throws outside the range
    noise_.t(m.lambdas.back());
    for (std::size_t i = 0; i < m.probe_lambdas.size(); ++i) {
        const std::string name = "probe_lambdas[" + std::to_string(i) + "]";
        if (m.probe_lambdas[i] < m.lambdas.front() || m.probe_lambdas[i] > m.lambdas.back())
            detail::throw_invalid(name, m.probe_lambdas[i],
                                  "in " + detail::number(m.lambdas.front()) + ".." + detail::number(m.lambdas.back()));
        const auto error = row(m.probe_errors, i, m.rank);
        if (!(dot(error, error) > 0.0))
            detail::throw_invalid("probe_errors[" + std::to_string(i) + "]", 0.0, "a row that is not 0");
    }
}

ErrorModel::Rows ErrorModel::splines(std::vector<double> values) const {
    const std::size_t n = lambdas_.size();
    Rows rows{std::move(values), std::vector<double>(n * rank_)};
    // the tridiagonal system of the second derivatives, which are 0 at the ends
    std::vector<double> upper(n);
    const auto value = [&](std::size_t i, std::size_t r) { return rows.values[i * rank_ + r]; };
    for (std::size_t i = 1; i + 1 < n; ++i) {
        const double before = lambdas_[i] - lambdas_[i - 1], after = lambdas_[i + 1] - lambdas_[i];
        const double pivot = 2.0 * (before + after) - before * upper[i - 1];
        upper[i] = after / pivot;
        for (std::size_t r = 0; r < rank_; ++r) {
            const double bend = 6.0 * ((value(i + 1, r) - value(i, r)) / after - (value(i, r) - value(i - 1, r)) / before);
            rows.curvatures[i * rank_ + r] = (bend - before * rows.curvatures[(i - 1) * rank_ + r]) / pivot;
        }
    }
    for (std::size_t i = n - 1; i-- > 1;)
        for (std::size_t r = 0; r < rank_; ++r) rows.curvatures[i * rank_ + r] -= upper[i] * rows.curvatures[(i + 1) * rank_ + r];
    return rows;
}

void ErrorModel::interpolate(const Rows& rows, double lambda, std::span<double> out) const {
    const auto above = std::upper_bound(lambdas_.begin() + 1, lambdas_.end() - 1, lambda);
    const std::size_t i = static_cast<std::size_t>(above - lambdas_.begin()) - 1;
    const double width = lambdas_[i + 1] - lambdas_[i], b = (lambda - lambdas_[i]) / width, a = 1.0 - b;
    const double c = (a * a * a - a) * width * width / 6.0, d = (b * b * b - b) * width * width / 6.0;
    const double *left = &rows.values[i * rank_], *left_bend = &rows.curvatures[i * rank_];
    const double *right = left + rank_, *right_bend = left_bend + rank_;
    combine(left, right, left_bend, right_bend, a, b, c, d, out.data(), rank_);
}

void ErrorModel::prediction(double lambda, std::span<double> out) const {
    interpolate(x0_, std::min(lambda, lambdas_.back()), out);
}

void ErrorModel::state(double lambda, std::span<double> out) const {
    const double end = lambdas_.back(), level = std::min(lambda, end);
    interpolate(scaled_states_, level, out);
    const double scale = 1.0 / state_scale(level);
    for (double& value : out) value *= scale;
    if (lambda <= end) return;
    // past the teacher's last node the prediction is final
    const double kept = std::exp(end - lambda);
    const auto x0 = row(x0_.values, lambdas_.size() - 1, rank_);
    for (std::size_t r = 0; r < rank_; ++r) out[r] = x0[r] + kept * (out[r] - x0[r]);
}

void ErrorModel::fit_responses(const Measurements& m, detail::Checkpoint& checkpoint) {
    const std::size_t probes = m.probe_lambdas.size(), near = std::min(kNear, probes);
    std::vector<double> squares(probes), answers(probes), far(probes);
    for (std::size_t j = 0; j < probes; ++j) {
        const auto error = row(m.probe_errors, j, rank_);
        squares[j] = dot(error, error);
        answers[j] = dot(error, row(m.probe_responses, j, rank_)) / squares[j];
    }
    std::vector<std::size_t> order(probes);
    responses_.resize(kLevels);
    for (std::size_t level = 0; level < kLevels; ++level) {
        const double share = static_cast<double>(level) / static_cast<double>(kLevels - 1);
        const double lambda = lambdas_.front() + share * (lambdas_.back() - lambdas_.front());
        for (std::size_t j = 0; j < probes; ++j) far[j] = std::abs(m.probe_lambdas[j] - lambda) / kWidth;
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return far[a] < far[b]; });
        Response& response = responses_[level];
        double weights = 0.0;
        response.scale = 0.0;
        for (std::size_t j = 0; j < probes; ++j) {
            const double weight = std::exp(-0.5 * std::min(far[j], 6.0) * std::min(far[j], 6.0));
            weights += weight;
            response.scale += weight * answers[j];
        }
        response.scale = std::clamp(response.scale / weights, -kLargestScale, kLargestScale);
        // e is written as the combination c of the probes' errors that minimizes |e - sum c_j e_j|^2 + sum c_j^2 |e_j|^2 (ridge +
        // distance^2); what the probes answered beyond the scale, so combined, is the rest of A e
        std::vector<double> gram(near * near), project(near * rank_);
        response.answer.assign(kNear * rank_, 0.0);
        for (std::size_t a = 0; a < near; ++a) {
            checkpoint.pass(near * rank_ + kSortWork * probes);
            const auto error = row(m.probe_errors, order[a], rank_), answer = row(m.probe_responses, order[a], rank_);
            for (std::size_t b = 0; b < near; ++b) gram[a * near + b] = dot(error, row(m.probe_errors, order[b], rank_));
            gram[a * near + a] += squares[order[a]] * (kRidge + far[order[a]] * far[order[a]]);
            std::copy(error.begin(), error.end(), &project[a * rank_]);
            for (std::size_t r = 0; r < rank_; ++r) response.answer[a * rank_ + r] = answer[r] - response.scale * error[r];
        }
        solve_positive(gram, near, project, rank_, checkpoint);
        response.project.assign(rank_ * kNear, 0.0);
        for (std::size_t a = 0; a < near; ++a)
            for (std::size_t r = 0; r < rank_; ++r) response.project[r * kNear + a] = project[a * rank_ + r];
    }
}

void ErrorModel::respond(double lambda, std::span<const double> error, std::span<double> out) const {
    const double place = std::clamp((lambda - lambdas_.front()) / (lambdas_.back() - lambdas_.front()), 0.0, 1.0) *
                         static_cast<double>(kLevels - 1);
    const std::size_t below = std::min(static_cast<std::size_t>(place), kLevels - 2);
    const double share = place - static_cast<double>(below);
    for (std::size_t side = 0; side < 2; ++side) {
        const double weight = side == 0 ? 1.0 - share : share;
        if (weight == 0.0) continue;
        const Response& response = responses_[below + side];
        add_response(response.project.data(), response.answer.data(), response.scale, weight, error.data(), out.data(), rank_);
    }
}

void ErrorModel::start(double lambda, double gain, std::span<double> y) const {
    // x = eps, and sigma eps for VE, where alpha is 1: what pipelines start from, at whatever noise
    const double scale = noise_.family() == Family::ve ? noise_.sigma(lambda) : 1.0 / noise_.alpha(lambda);
    for (std::size_t r = 0; r < rank_; ++r) y[r] = gain * scale * eps_[r];
}

void ErrorModel::residual(detail::Multistep& run, std::span<const double> lambdas, Terminal terminal, double gain,
                          std::span<double> out, std::size_t from) const {
    std::vector<double> error(rank_);
    start(lambdas.front(), gain, out);
    const bool to_zero = terminal != Terminal::t_min;
    run.run(
        lambdas, to_zero,
        [&](double lambda, std::span<const double> y, std::span<double> x0) {
            state(lambda, error);
            for (std::size_t r = 0; r < rank_; ++r) error[r] = y[r] - error[r];
            prediction(lambda, x0);
            respond(lambda, error, x0);
        },
        out, from);
    const double scale = to_zero ? 1.0 : noise_.alpha(lambdas.back());
    const auto final = row(x0_.values, lambdas_.size() - 1, rank_);
    for (std::size_t r = 0; r < rank_; ++r) out[r] = scale * out[r] - final[r];
}

void ErrorModel::check(std::string_view name, std::span<const double> lambdas, Solver solver, Terminal terminal) const {
    if (solver.kind < Solver::Kind::ddim || solver.kind > Solver::Kind::unipc)
        detail::throw_invalid("kind", std::to_string(static_cast<int>(solver.kind)), "one of its enumerators");
    if (to_string(terminal).empty())
        detail::throw_invalid("terminal", std::to_string(static_cast<int>(terminal)), "one of its enumerators");
    const int most = solver.kind == Solver::Kind::ddim ? 1 : solver.kind == Solver::Kind::dpm_solver_pp ? 2 : 3;
    if (solver.order < 1 || solver.order > most)
        detail::throw_invalid("order", std::to_string(solver.order), "in 1.." + std::to_string(most));
    const std::size_t least = terminal == Terminal::t_min ? 2 : 1;
    if (lambdas.size() < least)
        detail::throw_invalid(name, std::to_string(lambdas.size()) + " nodes", "at least " + std::to_string(least) + " nodes");
    for (std::size_t i = 0; i < lambdas.size(); ++i) {
        noise_.t(lambdas[i]);  // throws for NaN and outside the range
        if (i > 0 && !(lambdas[i] > lambdas[i - 1]))
            detail::throw_invalid(std::string(name) + "[" + std::to_string(i) + "]", lambdas[i], "above the one before it");
    }
}

double ErrorModel::error(std::span<const double> lambdas, Solver solver, Terminal terminal, double gain) const {
    check("lambdas", lambdas, solver, terminal);
    if (!std::isfinite(gain)) detail::throw_invalid("gain", gain, "finite");
    std::vector<double> out(rank_);
    detail::Multistep run(solver, rank_);
    residual(run, lambdas, terminal, gain, out);
    return std::sqrt(dot(out, out));
}

double ErrorModel::best_gain(std::span<const double> lambdas, Solver solver, Terminal terminal) const {
    check("lambdas", lambdas, solver, terminal);
    std::vector<double> none(rank_), one(rank_);
    detail::Multistep run(solver, rank_);
    residual(run, lambdas, terminal, 0.0, none);  // affine in the gain
    residual(run, lambdas, terminal, 1.0, one);
    for (std::size_t r = 0; r < rank_; ++r) one[r] -= none[r];
    return -dot(none, one) / dot(one, one);
}

void ErrorModel::carry(double lambda, std::span<double> error, detail::Checkpoint& checkpoint) const {
    // e' = e - A e in lambda... of y' = y - D with D = A e: small DDIM steps, then the step to sigma 0, which leaves A e
    std::vector<double> change(rank_);
    const double end = lambdas_.back();
    const auto steps = static_cast<std::size_t>(std::ceil(std::max(end - lambda, 0.0) / kCarryStep));
    const double h = steps > 0 ? (end - lambda) / static_cast<double>(steps) : 0.0;
    for (std::size_t i = 0; i <= steps; ++i) {
        checkpoint.pass(kResponseWork * rank_);
        std::fill(change.begin(), change.end(), 0.0);
        respond(lambda + h * static_cast<double>(i), error, change);
        const double kept = i < steps ? std::exp(-h) : 0.0;
        for (std::size_t r = 0; r < rank_; ++r) error[r] = kept * error[r] + (1.0 - kept) * change[r];
    }
}

std::vector<double> ErrorModel::jumps(std::span<const double> lambdas, Carried carried, const ShouldStop& should_stop) const {
    check("lambdas", lambdas, {}, Terminal::zero);
    const std::size_t n = lambdas.size();
    if (n > kMostLevels)
        detail::throw_invalid("lambdas", std::to_string(n) + " levels", "at most " + std::to_string(kMostLevels) + " levels");
    detail::Checkpoint checkpoint(should_stop);
    std::vector<double> costs(n * (n + 1)), x0(n * rank_), states(n * rank_), error(rank_), change(rank_);
    for (std::size_t i = 0; i < n; ++i) {
        prediction(lambdas[i], std::span(x0).subspan(i * rank_, rank_));
        state(lambdas[i], std::span(states).subspan(i * rank_, rank_));
    }
    const auto final = row(x0_.values, lambdas_.size() - 1, rank_);
    for (std::size_t i = 0; i < n; ++i) {
        const double* from = &states[i * rank_];
        const double* guess = &x0[i * rank_];
        for (std::size_t j = i + 1; j < n; ++j) {
            checkpoint.pass(kResponseWork * rank_);
            const double kept = std::exp(lambdas[i] - lambdas[j]);
            for (std::size_t r = 0; r < rank_; ++r) error[r] = kept * from[r] + (1.0 - kept) * guess[r] - states[j * rank_ + r];
            if (carried == Carried::to_zero) carry(lambdas[j], error, checkpoint);
            if (carried == Carried::x0) {
                std::fill(change.begin(), change.end(), 0.0);
                respond(lambdas[j], error, change);
                std::swap(error, change);
            }
            costs[i * (n + 1) + j] = std::sqrt(dot(error, error));
        }
        for (std::size_t r = 0; r < rank_; ++r) error[r] = guess[r] - final[r];
        costs[i * (n + 1) + n] = std::sqrt(dot(error, error));
    }
    return costs;
}

std::vector<double> ErrorModel::late_starts(std::span<const double> lambdas, Carried carried,
                                            const ShouldStop& should_stop) const {
    check("lambdas", lambdas, {}, Terminal::zero);
    detail::Checkpoint checkpoint(should_stop);
    std::vector<double> costs(lambdas.size()), y(rank_), error(rank_);
    for (std::size_t i = 0; i < lambdas.size(); ++i) {
        checkpoint.pass(kResponseWork * rank_);
        state(lambdas[i], error);
        start(lambdas[i], 1.0, y);
        for (std::size_t r = 0; r < rank_; ++r) error[r] = y[r] - error[r];
        if (carried == Carried::to_zero) carry(lambdas[i], error, checkpoint);
        if (carried == Carried::x0) {
            std::fill(y.begin(), y.end(), 0.0);
            respond(lambdas[i], error, y);
            std::swap(error, y);
        }
        costs[i] = std::sqrt(dot(error, error));
    }
    return costs;
}

}  // namespace hso

#include "lower_level.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <utility>

#include "mep.hpp"

namespace hso::detail {

namespace {

constexpr double kLeastShare = 1e-9;  ///< nodes that collapse are kept this share of the mean interval apart
constexpr double kPolishTolerance = 1e-15;
constexpr int kPolishEvaluations = 500;
constexpr std::size_t kWork = 100;    ///< nanoseconds or so for a node in an evaluation, NLopt's part included
constexpr double kOutOfOrder = 1e12;  ///< the published code's value for a proposal that is no schedule

}  // namespace

void LowerLevel::reset(const Problem& problem, LocalSolver local, int max_evaluations, Checkpoint& checkpoint) {
    problem_ = &problem;
    checkpoint_ = &checkpoint;
    local_ = local;
    budget_ = {.tolerance = 1e-12, .max_evaluations = max_evaluations};
    evaluations_ = 0;
    newton_.reset(problem, checkpoint);
    for (auto* buffer : {&z_, &step_, &lambdas_, &gradient_, &diagonal_, &off_diagonal_, &slopes_, &trial_, &start_})
        buffer->resize(problem.nodes());
}

double LowerLevel::solve_free(const Psi& psi, std::span<double> lambdas) {
    karras_start(problem_->noise, psi, lambdas);
    const std::size_t n = lambdas.size(), inner = n - 2;
    if (inner == 0) return ++evaluations_, problem_->value(lambdas);
    const double first = lambdas.front(), last = lambdas.back();
    const double least = kLeastShare * (last - first) / static_cast<double>(n - 1);
    if (local_ == LocalSolver::newton) {
        const Newton::Result result = newton_.minimize_lambdas(lambdas, least, budget_.max_evaluations);
        evaluations_ += result.evaluations;
        return result.value;
    }
    evaluate_mep(problem_->noise, lambdas, problem_->proxy, gradient_, diagonal_, std::span(off_diagonal_).first(n - 1));
    preconditioner_.factor(std::span(diagonal_).subspan(1, inner), std::span(off_diagonal_).subspan(1, inner - 1));
    const std::span<double> trial(lambdas_), z = std::span(z_).first(inner), step = std::span(step_).first(inner);
    std::copy(lambdas.begin(), lambdas.end(), trial.begin());
    const auto place = [&](std::span<const double> at) {
        std::copy(at.begin(), at.end(), step.begin());
        preconditioner_.to_step(step);
        for (std::size_t i = 0; i < inner; ++i) trial[i + 1] = lambdas[i + 1] + step[i];
    };
    // The published search sorts whatever the solver proposes; nodes out of order are refused here instead, which makes
    // the line search shorten its step.
    const auto ordered = [&] { return std::adjacent_find(trial.begin(), trial.end(), std::greater_equal<>()) == trial.end(); };
    const auto objective = [&](std::span<const double> at, std::span<double> gradient) {
        checkpoint_->pass(kWork * n);
        place(at);
        if (!ordered()) {
            std::fill(gradient.begin(), gradient.end(), 0.0);
            return kOutOfOrder;
        }
        if (gradient.empty()) return problem_->value(trial);
        const double value = problem_->value(trial, gradient_);
        std::copy_n(gradient_.begin() + 1, inner, gradient.begin());
        preconditioner_.to_gradient(gradient);
        return value;
    };
    std::fill(z.begin(), z.end(), 0.0);
    evaluations_ += minimize_slsqp(z, objective, {}, budget_).evaluations;
    place(z);
    std::copy(trial.begin(), trial.end(), lambdas.begin());
    for (std::size_t i = 1; i + 1 < n; ++i) lambdas[i] = std::max(lambdas[i], lambdas[i - 1] + least);
    for (std::size_t i = n - 1; i-- > 1;) lambdas[i] = std::min(lambdas[i], lambdas[i + 1] - least);
    return problem_->value(lambdas);
}

double LowerLevel::solve_spaced(const Psi& psi, std::span<double> t) {
    const std::size_t n = t.size(), intervals = n - 1;
    if (psi.t_max - psi.t_min < static_cast<double>(intervals) * problem_->spacing) {
        for (std::size_t i = 0; i < n; ++i)
            t[i] = psi.t_max + (psi.t_min - psi.t_max) * (static_cast<double>(i) / static_cast<double>(intervals));
        return objective(t);
    }
    karras_start(problem_->noise, psi, lambdas_);
    problem_->t(lambdas_, t);
    t.front() = psi.t_max;
    t.back() = psi.t_min;
    keep_spacing(t, problem_->spacing, {psi.t_min, psi.t_min}, {psi.t_max, psi.t_max});
    if (n == 2) return objective(t);
    if (local_ == LocalSolver::slsqp) return descend_spaced(t, 1, n - 2, budget_);
    const Newton::Result result =
        newton_.minimize(t, {psi.t_max, psi.t_max}, {psi.t_min, psi.t_min}, budget_.max_evaluations, false);
    evaluations_ += result.evaluations;
    return result.value;
}

double LowerLevel::polish(std::span<double> t) {
    if (local_ == LocalSolver::newton) {
        evaluations_ += newton_.minimize(t, problem_->t_max, problem_->t_min, kPolishEvaluations, true).evaluations;
        keep_spacing(t, problem_->spacing, problem_->t_min, problem_->t_max);
        return objective(t);
    }
    // A restart with the Hessian of where the last run ended gains what the first left behind.
    constexpr int most_rounds = 4;
    double value = objective(t);
    for (int round = 0; round < most_rounds; ++round) {
        const double before = value;
        value = descend_spaced(t, 0, t.size(), {kPolishTolerance, kPolishEvaluations});
        if (before - value <= kPolishTolerance * std::abs(value)) break;
    }
    return value;
}

double LowerLevel::objective(std::span<const double> t) {
    ++evaluations_;
    problem_->lambda(t, lambdas_);
    return problem_->value(lambdas_);
}

double LowerLevel::descend_spaced(std::span<double> t, std::size_t first, std::size_t count, const LocalBudget& budget) {
    const std::size_t n = t.size();
    const std::span<double> start(start_), trial(trial_), z = std::span(z_).first(count), step = std::span(step_).first(count);
    std::copy(t.begin(), t.end(), start.begin());
    std::copy(t.begin(), t.end(), trial.begin());
    factor_hessian(t, first, count);
    build_constraints(t, first, count);

    const auto place = [&](std::span<const double> at) {
        std::copy(at.begin(), at.end(), step.begin());
        preconditioner_.to_step(step);
        for (std::size_t i = 0; i < count; ++i) trial[first + i] = start[first + i] + step[i];
    };
    const auto function = [&](std::span<const double> at, std::span<double> gradient) {
        checkpoint_->pass(kWork * n);
        place(at);
        for (std::size_t i = 0; i < n; ++i) {
            const auto [lambda, slope] = problem_->lambda_slope(trial[i]);
            lambdas_[i] = lambda;
            slopes_[i] = slope;
        }
        if (std::adjacent_find(lambdas_.begin(), lambdas_.end(), std::greater_equal<>()) != lambdas_.end()) {
            std::fill(gradient.begin(), gradient.end(), 0.0);
            return kOutOfOrder;
        }
        if (gradient.empty()) return problem_->value(lambdas_);
        const double value = problem_->value(lambdas_, gradient_);
        for (std::size_t i = 0; i < count; ++i) gradient[i] = gradient_[first + i] * slopes_[first + i];
        preconditioner_.to_gradient(gradient);
        return value;
    };
    const double before = objective(start);
    std::fill(z.begin(), z.end(), 0.0);
    evaluations_ += minimize_slsqp(z, function, {matrix_, bound_}, budget).evaluations;
    place(z);
    const bool free_ends = first == 0;
    keep_spacing(trial, problem_->spacing, free_ends ? problem_->t_min : std::pair(t.back(), t.back()),
                 free_ends ? problem_->t_max : std::pair(t.front(), t.front()));
    const double after = objective(trial);
    if (!(after <= before)) return before;
    std::copy(trial.begin(), trial.end(), t.begin());
    return after;
}

// The Hessian in t but for the curvature of lambda(t), which a table's straight pieces do not show: D H_lambda D.
void LowerLevel::factor_hessian(std::span<const double> t, std::size_t first, std::size_t count) {
    const std::size_t n = t.size();
    for (std::size_t i = 0; i < n; ++i) {
        const auto [lambda, slope] = problem_->lambda_slope(t[i]);
        lambdas_[i] = lambda;
        slopes_[i] = slope;
    }
    evaluate_mep(problem_->noise, lambdas_, problem_->proxy, gradient_, diagonal_, std::span(off_diagonal_).first(n - 1));
    for (std::size_t i = 0; i < n; ++i) diagonal_[i] *= slopes_[i] * slopes_[i];
    for (std::size_t i = 0; i + 1 < n; ++i) off_diagonal_[i] *= slopes_[i] * slopes_[i + 1];
    preconditioner_.factor(std::span(diagonal_).subspan(first, count), std::span(off_diagonal_).subspan(first, count - 1));
}

// Rows a of a z <= b, for the step from `t`: spacing between all neighbours of which one moves, and the ends' bounds.
void LowerLevel::build_constraints(std::span<const double> t, std::size_t first, std::size_t count) {
    matrix_.clear();
    bound_.clear();
    const std::size_t end = first + count;
    const auto add_row = [&](double bound, std::initializer_list<std::pair<std::size_t, double>> entries) {
        checkpoint_->pass(kWork + 5 * count);
        const std::size_t at = matrix_.size();
        matrix_.resize(at + count, 0.0);
        const std::span<double> row = std::span(matrix_).subspan(at, count);
        for (const auto& [node, factor] : entries)
            if (node >= first && node < end) row[node - first] = factor;
        preconditioner_.to_gradient(row);
        bound_.push_back(bound);
    };
    for (std::size_t i = 0; i + 1 < t.size(); ++i)
        add_row(std::max(0.0, t[i] - t[i + 1] - problem_->spacing), {{i, -1.0}, {i + 1, 1.0}});  // not below 0 by rounding
    if (first != 0) return;
    const std::size_t last = t.size() - 1;
    add_row(problem_->t_max.second - t[0], {{0, 1.0}});
    add_row(t[0] - problem_->t_max.first, {{0, -1.0}});
    add_row(problem_->t_min.second - t[last], {{last, 1.0}});
    add_row(t[last] - problem_->t_min.first, {{last, -1.0}});
}

void keep_spacing(std::span<double> t, double spacing, const std::pair<double, double>& t_min,
                  const std::pair<double, double>& t_max) {
    t.front() = std::clamp(t.front(), t_max.first, t_max.second);
    for (std::size_t i = 1; i < t.size(); ++i) t[i] = std::min(t[i], t[i - 1] - spacing);
    t.back() = std::clamp(t.back(), t_min.first, t_min.second);
    for (std::size_t i = t.size() - 1; i-- > 0;) t[i] = std::max(t[i], t[i + 1] + spacing);
    t.front() = std::clamp(t.front(), t_max.first, t_max.second);
}

}  // namespace hso::detail

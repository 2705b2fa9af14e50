#include "newton.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "mep.hpp"
#include "noise_curve.hpp"

namespace hso::detail {

namespace {

constexpr std::size_t kAnyPiece = std::numeric_limits<std::size_t>::max();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kRounding = 1e-14;   ///< of the value: differences below are not believed
constexpr double kQuadratic = 1e-11;  ///< a full Newton step that was to gain less than this leaves nothing to a next one
constexpr double kSufficient = 1e-4;  ///< share of the predicted decrease that a step must bring (Armijo)
constexpr double kShortestStep = 1e-6;
constexpr double kAtEntry = 1e-13;        ///< a node this close to a table's entry sits on it
constexpr double kSlopeRounding = 1e-11;  ///< of a block's slope: less than that is flat
constexpr int kSettleIterations = 200;
constexpr std::size_t kWork = 60;  ///< nanoseconds or so for a node in an evaluation

}  // namespace

void Newton::Point::resize(std::size_t n) {
    for (auto* column : {&x, &lambdas, &slope, &mep_gradient, &gradient, &diagonal}) column->resize(n);
    off_diagonal.resize(n - 1);
}

void Newton::reset(const Problem& problem, Checkpoint& checkpoint) {
    problem_ = &problem;
    checkpoint_ = &checkpoint;
    const std::size_t n = problem.nodes();
    qp_.resize(n);
    for (Point* point : {&here_, &trial_}) point->resize(n);
    for (auto* column : {&step_, &room_low_, &room_high_, &low_, &high_}) column->resize(n);
    slack_.resize(n - 1);
    bound_low_.assign(n, -kInfinity);
    bound_high_.assign(n, kInfinity);
    piece_.assign(n, kAnyPiece);
}

Newton::Result Newton::minimize(std::span<double> t, const std::pair<double, double>& first,
                                const std::pair<double, double>& last, int max_evaluations, bool settle) {
    coordinate_ = Coordinate::t;
    evaluations_ = 0;
    max_evaluations_ = max_evaluations;
    std::copy(t.begin(), t.end(), here_.x.begin());
    std::fill(piece_.begin(), piece_.end(), kAnyPiece);
    set_ends(first, last);
    evaluate(here_);
    while (descend(problem_->spacing)) {
    }
    bool kinked = false;
    if (settle && pieces(problem_->noise) > 1) {
        for (int i = 0; i < kSettleIterations; ++i) {
            solve_step(problem_->spacing);
            if (!choose_pieces()) break;
            kinked |= std::any_of(piece_.begin(), piece_.end(), [](std::size_t piece) { return piece != kAnyPiece; });
            evaluate(here_);
            while (descend(problem_->spacing)) {
            }
        }
    }
    std::copy(here_.x.begin(), here_.x.end(), t.begin());
    return {here_.value, evaluations_, kinked};
}

Newton::Result Newton::minimize_lambdas(std::span<double> lambdas, double least, int max_evaluations) {
    coordinate_ = Coordinate::minus_lambda;
    evaluations_ = 0;
    max_evaluations_ = max_evaluations;
    for (std::size_t i = 0; i < lambdas.size(); ++i) here_.x[i] = -lambdas[i];
    set_ends({here_.x.front(), here_.x.front()}, {here_.x.back(), here_.x.back()});
    evaluate(here_);
    while (descend(least)) {
    }
    for (std::size_t i = 0; i < lambdas.size(); ++i) lambdas[i] = -here_.x[i];
    return {here_.value, evaluations_, false};
}

void Newton::set_ends(const std::pair<double, double>& first, const std::pair<double, double>& last) {
    std::tie(bound_low_.front(), bound_high_.front()) = first;
    std::tie(bound_low_.back(), bound_high_.back()) = last;
    std::copy(bound_low_.begin(), bound_low_.end(), low_.begin());
    std::copy(bound_high_.begin(), bound_high_.end(), high_.begin());
}

void Newton::evaluate(Point& point) {
    ++evaluations_;
    const std::size_t n = point.x.size();
    checkpoint_->pass(kWork * n);
    // borrowed until the Hessian is known: the curvature of lambda(x)
    std::span<double> curvature = point.gradient;
    for (std::size_t i = 0; i < n; ++i) {
        if (coordinate_ == Coordinate::minus_lambda) {
            point.lambdas[i] = -point.x[i];
            point.slope[i] = -1.0;
            curvature[i] = 0.0;
            continue;
        }
        const double t = std::clamp(point.x[i], problem_->t_min.first, problem_->t_max.second);
        const LambdaCurve curve =
            piece_[i] == kAnyPiece ? lambda_curve(problem_->noise, t) : lambda_curve(problem_->noise, t, piece_[i]);
        point.lambdas[i] = curve.lambda;
        point.slope[i] = curve.d1;
        curvature[i] = curve.d2;
    }
    point.value =
        evaluate_mep(problem_->noise, point.lambdas, problem_->proxy, point.mep_gradient, point.diagonal, point.off_diagonal);
    for (std::size_t i = 0; i < n; ++i) {
        const double slope = point.slope[i];
        point.diagonal[i] = point.diagonal[i] * slope * slope + point.mep_gradient[i] * curvature[i];
        point.gradient[i] = point.mep_gradient[i] * slope;
    }
    for (std::size_t i = 0; i + 1 < n; ++i) point.off_diagonal[i] *= point.slope[i] * point.slope[i + 1];
    if (problem_->soft && coordinate_ == Coordinate::t) add_penalty(point);
}

void Newton::add_penalty(Point& point) const {
    for (std::size_t i = 0; i + 1 < point.x.size(); ++i) {
        const double lack = problem_->d_min - (point.x[i] - point.x[i + 1]);
        if (!(lack > 0.0)) continue;
        const double slope = 2.0 * problem_->gamma * lack, curvature = 2.0 * problem_->gamma;
        point.value += 0.5 * slope * lack;
        point.gradient[i] -= slope;
        point.gradient[i + 1] += slope;
        point.diagonal[i] += curvature;
        point.diagonal[i + 1] += curvature;
        point.off_diagonal[i] -= curvature;
    }
}

void Newton::solve_step(double spacing) {
    const std::vector<double>& x = here_.x;
    for (std::size_t i = 0; i < x.size(); ++i) {
        room_low_[i] = std::min(low_[i] - x[i], 0.0);
        room_high_[i] = std::max(high_[i] - x[i], 0.0);
        if (i + 1 < x.size()) slack_[i] = std::max(x[i] - x[i + 1] - spacing, 0.0);
    }
    qp_.solve({here_.diagonal, here_.off_diagonal, here_.gradient, slack_, room_low_, room_high_}, step_, *checkpoint_);
}

/// One iteration; false when it was the last.
bool Newton::descend(double spacing) {
    solve_step(spacing);
    double predicted = 0.0;
    for (std::size_t i = 0; i < step_.size(); ++i) predicted -= here_.gradient[i] * step_[i];
    const double scale = std::abs(here_.value);
    if (!(predicted > (qp_.raised() ? kRounding : kRounding * kRounding) * scale)) return false;
    for (double share = 1.0; share >= kShortestStep && evaluations_ < max_evaluations_; share *= 0.5) {
        for (std::size_t i = 0; i < step_.size(); ++i) trial_.x[i] = std::clamp(here_.x[i] + share * step_[i], low_[i], high_[i]);
        evaluate(trial_);
        const double allowed = predicted < kRounding * scale ? kRounding * scale : -kSufficient * share * predicted;
        if (!(trial_.value - here_.value <= allowed)) continue;
        std::swap(here_, trial_);
        return !(share == 1.0 && predicted < kQuadratic * scale && !qp_.raised());
    }
    return false;
}

/// Whether kinks of lambda(t) are a matter of the block of nodes first..last: a node that moves alone sits where MEP is
/// flat in lambda, and a block that holds an end at its bound does not move.
bool Newton::kinks_matter(std::size_t first, std::size_t last) const {
    if (problem_->soft) return true;
    const auto at_bound = [this](std::size_t i) {
        return std::isfinite(bound_low_[i]) && (here_.x[i] <= bound_low_[i] || here_.x[i] >= bound_high_[i]);
    };
    return first < last && !(qp_.held(first) && (at_bound(first) || at_bound(last)));
}

/// Binds every node whose kinks matter to one smooth piece of lambda(t); false if that changes nothing.
bool Newton::choose_pieces() {
    const std::size_t n = here_.x.size();
    bool changed = false;
    for (std::size_t first = 0, last = 0; first < n; first = last + 1) {
        for (last = first; last + 1 < n && qp_.tied(last); ++last) {
        }
        changed |= choose_pieces(first, last);
    }
    return changed;
}

/// The same for one block. If it sits on a table's entry it takes the piece on the side where the value falls, or is held
/// there if the value rises on both.
bool Newton::choose_pieces(std::size_t first, std::size_t last) {
    const NoiseSchedule& noise = problem_->noise;
    const bool matter = kinks_matter(first, last);
    double to_right = 0.0, to_left = 0.0;  // the value's slopes along the block's shift
    bool on_entry = false;
    for (std::size_t i = first; matter && i <= last; ++i) {
        const double t = here_.x[i], penalty = here_.gradient[i] - here_.mep_gradient[i] * here_.slope[i];
        const std::size_t right = piece_of(noise, t + kAtEntry), left = piece_of(noise, t - kAtEntry);
        to_right += here_.mep_gradient[i] * lambda_curve(noise, t, right).d1 + penalty;
        to_left += here_.mep_gradient[i] * lambda_curve(noise, t, left).d1 + penalty;
        on_entry |= right != left;
    }
    const double rounding = kSlopeRounding * (std::abs(to_left) + std::abs(to_right));
    const bool go_right = to_right < -rounding, go_left = !go_right && to_left > rounding,
               stay = on_entry && !go_right && !go_left;
    bool changed = false;
    for (std::size_t i = first; i <= last; ++i) {
        const double t = here_.x[i];
        const std::size_t piece = matter ? piece_of(noise, go_left ? t - kAtEntry : t + kAtEntry) : kAnyPiece;
        std::pair range(bound_low_[i], bound_high_[i]);
        if (stay) range = {t, t};
        else if (matter) {
            const auto [low, high] = piece_range(noise, piece);
            range = {std::max(range.first, std::min(low, t)), std::min(range.second, std::max(high, t))};
        }
        changed |= piece_[i] != piece || range != std::pair(low_[i], high_[i]);
        piece_[i] = piece;
        std::tie(low_[i], high_[i]) = range;
    }
    return changed;
}

}  // namespace hso::detail

#include "local_moves.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lower_level.hpp"
#include "mep.hpp"

namespace hso::detail {

namespace {

constexpr double kGathered = 10.0 * kLeastSpacing;  ///< nodes this close have gathered
constexpr double kRounding = 1e-15;                 ///< in t
constexpr std::size_t kEdgeWork = 60;               ///< nanoseconds or so

/// The cost of one edge: MEP's term and a soft problem's penalty.
double edge_cost(const Problem& problem, double lambda_low, double lambda_high, double gap) {
    const double ends[2] = {lambda_low, lambda_high};
    const double lack = problem.soft ? std::max(0.0, problem.d_min - gap) : 0.0;
    return evaluate_mep(problem.noise, ends, problem.proxy) + problem.gamma * lack * lack;
}

}  // namespace

double GatheredMoves::Interval::cost(const Problem& problem) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < parts; ++i) sum += edge_cost(problem, at(i), at(i + 1), problem.d_min);
    return sum;
}

bool GatheredMoves::spread(const Problem& problem, std::span<double> t, Checkpoint& checkpoint) {
    intervals_.clear();
    intervals_.reserve(t.size() - 1);
    std::size_t spare = 0;
    double from = problem.lambda_slope(t[0]).lambda;
    for (std::size_t i = 0; i + 1 < t.size(); ++i) {
        const bool last = i + 2 == t.size();
        if (t[i] - t[i + 1] <= kGathered && !(last && intervals_.empty())) {
            ++spare;
            continue;
        }
        const double to = problem.lambda_slope(t[i + 1]).lambda;
        intervals_.push_back({from, to});
        from = to;
    }
    if (spare == 0) return false;
    gains_.clear();
    gains_.reserve(t.size() - 1);
    for (const Interval& interval : intervals_) {
        checkpoint.pass(3 * kEdgeWork);
        gains_.push_back(interval.gain(problem));
    }
    bool spent = false;
    for (; spare > 0; --spare) {
        const auto best = static_cast<std::size_t>(std::max_element(gains_.begin(), gains_.end()) - gains_.begin());
        if (!(gains_[best] > 0.0)) break;
        checkpoint.pass(gains_.size() + 2 * kEdgeWork * ++intervals_[best].parts);
        gains_[best] = intervals_[best].gain(problem);
        spent = true;
    }
    if (!spent) return false;
    // what gains nowhere gathers at the end, and the local solver decides
    const double last_t = t.back();
    std::size_t at = 1;
    for (const Interval& interval : intervals_)
        for (std::size_t i = 1; i <= interval.parts; ++i) t[at++] = problem.noise.t(interval.at(i));
    while (at < t.size()) t[at++] = last_t;
    return true;
}

bool GatheredMoves::gather_elsewhere(const Problem& problem, std::span<double> t, Checkpoint& checkpoint) {
    groups_.clear();
    groups_.reserve(t.size());
    groups_.push_back(t[0]);
    for (auto* column : {&trial_, &lambdas_}) column->resize(t.size());
    for (std::size_t i = 1; i < t.size(); ++i)
        if (t[i - 1] - t[i] > kGathered) groups_.push_back(t[i]);
    if (groups_.size() > 1) groups_.back() = t.back();  // the last group hangs on the last node
    const std::size_t spare = t.size() - groups_.size();
    if (spare == 0) return false;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < groups_.size(); ++j) {
        checkpoint.pass(kEdgeWork * t.size());
        for (std::size_t i = 0, g = 0; i < t.size(); ++i) {
            trial_[i] = groups_[g];
            if (i < j || i >= j + spare) ++g;
        }
        keep_spacing(trial_, problem.spacing, problem.t_min, problem.t_max);
        problem.lambda(trial_, lambdas_);
        const double value = problem.value(lambdas_);
        if (!(value < least)) continue;
        least = value;
        std::copy(trial_.begin(), trial_.end(), t.begin());
    }
    return true;
}

void WindowSearch::reset(const Problem& problem, Checkpoint& checkpoint) {
    problem_ = &problem;
    checkpoint_ = &checkpoint;
    for (auto* column : {&places_, &lambdas_, &value_}) column->resize(problem.nodes() * kPlaces);
    from_.resize(problem.nodes() * kPlaces);
}

bool WindowSearch::improve(std::span<double> t, double step) {
    constexpr double nowhere = std::numeric_limits<double>::infinity();
    const std::size_t n = t.size();
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < kPlaces; ++j) {
            const double x = t[i] + step * static_cast<double>(static_cast<int>(j) - kReach);
            const auto& range = i == 0 ? problem_->t_max : problem_->t_min;
            const bool end = i == 0 || i + 1 == n;
            const bool inside =
                end ? x >= range.first && x <= range.second : x >= problem_->t_min.first && x <= problem_->t_max.second;
            places_[i * kPlaces + j] = x;
            value_[i * kPlaces + j] = i == 0 && inside ? 0.0 : nowhere;
            lambdas_[i * kPlaces + j] = inside ? problem_->lambda_slope(x).lambda : nowhere;
        }
    for (std::size_t i = 0; i + 1 < n; ++i) {
        checkpoint_->pass(kEdgeWork * kPlaces * kPlaces);
        const std::size_t a = i * kPlaces, b = a + kPlaces;
        for (std::size_t l = b; l < b + kPlaces; ++l) {
            if (lambdas_[l] == nowhere) continue;
            for (std::size_t k = a; k < a + kPlaces; ++k) {
                if (value_[k] == nowhere || places_[k] - places_[l] < problem_->spacing - kRounding) continue;
                const double value = value_[k] + edge_cost(*problem_, lambdas_[k], lambdas_[l], places_[k] - places_[l]);
                if (value < value_[l]) {
                    value_[l] = value;
                    from_[l] = k;
                }
            }
        }
    }
    const auto last = value_.end() - kPlaces;
    std::size_t at = static_cast<std::size_t>(std::min_element(last, value_.end()) - value_.begin());
    if (value_[at] == nowhere) return false;
    bool moved = false;
    for (std::size_t i = n; i-- > 0;) {
        moved |= at != i * kPlaces + kReach;
        t[i] = places_[at];
        at = from_[at];
    }
    return moved;
}

}  // namespace hso::detail

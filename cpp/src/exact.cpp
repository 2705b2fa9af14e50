#include "exact.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "lower_level.hpp"
#include "noise_table.hpp"

namespace hso::detail {

namespace {

constexpr std::size_t kLeastPoints = 64, kMostPoints = 512, kPointsPerInterval = 5;  ///< of the lattice
constexpr int kNewtonEvaluations = 1000;
constexpr double kWidestMove = 0.1, kFinestMove = 1e-6;  ///< of the mean interval
constexpr int kMovesOfOneSize = 4;
constexpr double kRounding = 1e-12;  ///< of the value: the bound's own arithmetic is not rounded outwards

}  // namespace

void BestSchedule::reset(const Problem& problem, Checkpoint& checkpoint) {
    problem_ = &problem;
    newton_.reset(problem, checkpoint);
    t_.assign(problem.nodes(), 0.0);
    value_ = HUGE_VAL;
    kinked_ = false;
    evaluations_ = 0;
}

bool BestSchedule::improve(std::vector<double>& start) {
    keep_spacing(start, problem_->spacing, problem_->t_min, problem_->t_max);
    const Newton::Result result = newton_.minimize(start, problem_->t_max, problem_->t_min, kNewtonEvaluations, true);
    keep_spacing(start, problem_->spacing, problem_->t_min, problem_->t_max);
    evaluations_ += result.evaluations;
    kinked_ |= result.kinked;
    if (!(result.value < value_)) return false;
    value_ = result.value;
    t_ = start;
    return true;
}

bool BestSchedule::may_be_local() const {
    const bool closed_form = problem_->proxy.is_power() && problem_->noise.family() != Family::general;
    return kinked_ || !closed_form || problem_->proxy.p() > 2.0 || (problem_->noise.table().rough && has_ties());
}

bool BestSchedule::has_ties() const {
    const double tied = problem_->spacing * (1.0 + 1e-9);
    return std::adjacent_find(t_.begin(), t_.end(), [tied](double a, double b) { return a - b <= tied; }) != t_.end();
}

bool ExactSearch::LatticeKey::fits(const Problem& problem) const {
    return &noise.table() == &problem.noise.table() && proxy.log_value() == problem.proxy.log_value() &&
           (!proxy.is_power() || proxy.p() == problem.proxy.p()) && first == problem.t_max.second && last == problem.t_min.first;
}

const Lattice& ExactSearch::lattice_for(const Problem& problem) {
    const std::size_t points = std::clamp(std::bit_ceil(kPointsPerInterval * problem.intervals), kLeastPoints, kMostPoints);
    if (lattice_key_ && lattice_key_->fits(problem) && lattice_.size() == points) return lattice_;
    lattice_key_.reset();  // should this fail
    lattice_.reset(problem, points);
    lattice_key_ = LatticeKey{problem.noise, problem.proxy, problem.t_max.second, problem.t_min.first};
    return lattice_;
}

/// Leaves the local minimum that the best schedule may be, if a move finds a lower one.
void ExactSearch::escape(const Problem& problem, Checkpoint& checkpoint) {
    start_ = best_.t();
    while (gathered_.spread(problem, start_, checkpoint) && best_.improve(start_)) start_ = best_.t();
    start_ = best_.t();
    if (gathered_.gather_elsewhere(problem, start_, checkpoint)) best_.improve(start_);
    window_.reset(problem, checkpoint);
    const double mean = (best_.t().front() - best_.t().back()) / static_cast<double>(problem.intervals);
    for (double share = kWidestMove; share > kFinestMove; share *= 0.25) {
        start_ = best_.t();
        for (int i = 0; i < kMovesOfOneSize && window_.improve(start_, share * mean); ++i) {
        }
        best_.improve(start_);
    }
}

/// Bounds the optimum from below, finer and finer, until the gap to the best schedule is as small as asked for; what the
/// passes find on the way starts the local solver again.
void ExactSearch::certify(const Problem& problem, const Options& options, Checkpoint& checkpoint, SearchResult& result) {
    certificate_.reset(problem, checkpoint);
    certificate_.expect(best_.t());
    result.lower_bound = 0.0;  // no interval costs less than nothing
    for (auto progress = Certificate::Progress::refined; progress == Certificate::Progress::refined;) {
        const double bound = certificate_.bound();
        certificate_.path(start_);
        best_.improve(start_);
        const double rounding = kRounding * std::abs(best_.value()), wanted = options.gap * std::abs(best_.value());
        result.lower_bound = std::max(result.lower_bound, std::min(bound, best_.value()) - rounding);
        // no bound comes nearer than its rounding, and all but that is within twice as much
        const double open = best_.value() - result.lower_bound, least = std::max(wanted, 2.0 * rounding);
        if (open <= least) {
            if (open > wanted) result.status = Status::uncertified;
            return;
        }
        progress = certificate_.refine(best_.value() + rounding, open, least);
        if (progress == Certificate::Progress::closed) result.lower_bound = best_.value() - rounding;
        if (progress == Certificate::Progress::exhausted) result.status = Status::uncertified;
    }
}

void ExactSearch::run(const Problem& problem, const Options& options, Checkpoint& checkpoint, SearchResult& result) {
    best_.reset(problem, checkpoint);
    start_.resize(problem.nodes());
    const Lattice& lattice = lattice_for(problem);
    path_.find(problem, lattice, start_, checkpoint);
    // more nodes than points, and nothing that keeps them apart
    if (problem.intervals >= lattice.size() && problem.spacing <= kLeastSpacing) gathered_.spread(problem, start_, checkpoint);
    best_.improve(start_);
    check_value(problem, best_.value());
    if (best_.may_be_local()) escape(problem, checkpoint);
    if (std::isfinite(options.gap)) certify(problem, options, checkpoint, result);
    result.t = best_.t();
    result.evaluations = best_.evaluations();
}

}  // namespace hso::detail

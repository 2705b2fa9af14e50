#include "exact.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "certificate.hpp"
#include "local_moves.hpp"
#include "lower_level.hpp"
#include "newton.hpp"
#include "noise_table.hpp"

namespace hso::detail {

namespace {

constexpr std::size_t kLeastPoints = 64, kMostPoints = 512, kPointsPerInterval = 5;  ///< of the lattice
constexpr int kNewtonEvaluations = 1000;
constexpr double kWidestMove = 0.1, kFinestMove = 1e-6;  ///< of the mean interval
constexpr int kMovesOfOneSize = 4;
constexpr double kRounding = 1e-12;  ///< of the value: the bound's own arithmetic is not rounded outwards

/// The best schedule known and how it is improved from a start.
class Best {
  public:
    explicit Best(const Problem& problem) : problem_(problem), newton_(problem), t_(problem.nodes()) {}

    /// Polishes `start`, any order-keeping nodes, and keeps it if it is better.
    bool improve(std::vector<double>& start) {
        keep_spacing(start, problem_.spacing, problem_.t_min, problem_.t_max);
        const Newton::Result result = newton_.minimize(start, problem_.t_max, problem_.t_min, kNewtonEvaluations, true);
        keep_spacing(start, problem_.spacing, problem_.t_min, problem_.t_max);
        evaluations_ += result.evaluations;
        kinked_ |= result.kinked;
        if (!(result.value < value_)) return false;
        value_ = result.value;
        t_ = start;
        return true;
    }

    double value() const { return value_; }
    const std::vector<double>& t() const { return t_; }
    std::int64_t evaluations() const { return evaluations_; }

    /// Whether there may be several minima close together: w = G - G'' is not positive everywhere, or not smooth, or nodes
    /// met kinks of lambda(t) or may have.
    bool may_be_local() const {
        const bool closed_form = problem_.proxy.is_power() && problem_.noise.family() != Family::general;
        return kinked_ || !closed_form || problem_.proxy.p() > 2.0 || (problem_.noise.table().rough && has_ties());
    }

  private:
    bool has_ties() const {
        const double tied = problem_.spacing * (1.0 + 1e-9);
        return std::adjacent_find(t_.begin(), t_.end(), [tied](double a, double b) { return a - b <= tied; }) != t_.end();
    }

    const Problem& problem_;
    Newton newton_;
    std::vector<double> t_;
    double value_ = HUGE_VAL;
    bool kinked_ = false;
    std::int64_t evaluations_ = 0;
};

/// Leaves the local minimum that the best schedule may be, if a move finds a lower one.
void escape(const Problem& problem, Best& best) {
    std::vector<double> t = best.t();
    while (spread_gathered(problem, t) && best.improve(t)) t = best.t();
    t = best.t();
    if (gather_elsewhere(problem, t)) best.improve(t);
    WindowSearch window(problem);
    const double mean = (best.t().front() - best.t().back()) / static_cast<double>(problem.intervals);
    for (double share = kWidestMove; share > kFinestMove; share *= 0.25) {
        t = best.t();
        for (int i = 0; i < kMovesOfOneSize && window.improve(t, share * mean); ++i) {}
        best.improve(t);
    }
}

/// Bounds the optimum from below, finer and finer, until the gap to the best schedule is as small as asked for; what the
/// passes find on the way starts the local solver again.
void certify(const Problem& problem, const Options& options, Best& best, SearchResult& result) {
    Certificate certificate(problem);
    certificate.expect(best.t());
    std::vector<double> start(problem.nodes());
    result.lower_bound = 0.0;  // no interval costs less than nothing
    for (auto progress = Certificate::Progress::refined; progress == Certificate::Progress::refined;) {
        if (options.on_generation) options.on_generation();
        const double bound = certificate.bound();
        certificate.path(start);
        best.improve(start);
        const double rounding = kRounding * std::abs(best.value()), wanted = options.gap * std::abs(best.value());
        result.lower_bound = std::max(result.lower_bound, std::min(bound, best.value()) - rounding);
        if (best.value() - result.lower_bound <= wanted) return;
        progress = certificate.refine(best.value() + rounding, best.value() - result.lower_bound, wanted);
        if (progress == Certificate::Progress::closed) result.lower_bound = best.value() - rounding;
        if (progress == Certificate::Progress::exhausted) result.status = Status::uncertified;
    }
}

}  // namespace

const Lattice& ExactSearch::lattice_for(const Problem& problem) {
    const std::size_t points = std::clamp(std::bit_ceil(kPointsPerInterval * problem.intervals), kLeastPoints, kMostPoints);
    if (!lattice_ || lattice_->size() != points || t_min_ != problem.t_min || t_max_ != problem.t_max) {
        lattice_.emplace(problem, points);
        t_min_ = problem.t_min;
        t_max_ = problem.t_max;
    }
    return *lattice_;
}

SearchResult ExactSearch::run(const Problem& problem, const Options& options) {
    Best best(problem);
    std::vector<double> start(problem.nodes());
    const Lattice& lattice = lattice_for(problem);
    shortest_path(problem, lattice, start);
    // more nodes than points, and nothing that keeps them apart
    if (problem.intervals >= lattice.size() && problem.spacing <= kLeastSpacing) spread_gathered(problem, start);
    best.improve(start);
    if (best.may_be_local()) escape(problem, best);
    SearchResult result;
    if (std::isfinite(options.gap)) certify(problem, options, best, result);
    result.t = best.t();
    result.evaluations = best.evaluations();
    return result;
}

}  // namespace hso::detail

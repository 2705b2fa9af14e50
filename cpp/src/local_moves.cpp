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

/// The cost of one edge: MEP's term and a soft problem's penalty.
double edge_cost(const Problem& problem, double lambda_low, double lambda_high, double gap) {
    const double ends[2] = {lambda_low, lambda_high};
    const double lack = problem.soft ? std::max(0.0, problem.d_min - gap) : 0.0;
    return evaluate_mep(problem.noise, ends, problem.proxy) + problem.gamma * lack * lack;
}

/// An interval in lambda that may be cut into `parts` of the same length.
struct Interval {
    double low, high;
    std::size_t parts = 1;

    double at(std::size_t i) const { return low + (high - low) * (static_cast<double>(i) / static_cast<double>(parts)); }
    double cost(const Problem& problem) const {
        double sum = 0.0;
        for (std::size_t i = 0; i < parts; ++i) sum += edge_cost(problem, at(i), at(i + 1), problem.d_min);
        return sum;
    }
    double gain(const Problem& problem) const { return cost(problem) - Interval{low, high, parts + 1}.cost(problem); }
};

}  // namespace

bool spread_gathered(const Problem& problem, std::span<double> t) {
    std::vector<Interval> intervals;
    std::size_t spare = 0;
    double from = problem.lambda_slope(t[0]).lambda;
    for (std::size_t i = 0; i + 1 < t.size(); ++i) {
        const bool last = i + 2 == t.size();
        if (t[i] - t[i + 1] <= kGathered && !(last && intervals.empty())) {
            ++spare;
            continue;
        }
        const double to = problem.lambda_slope(t[i + 1]).lambda;
        intervals.push_back({from, to});
        from = to;
    }
    if (spare == 0) return false;
    std::vector<double> gains;
    for (const Interval& interval : intervals) gains.push_back(interval.gain(problem));
    bool spent = false;
    for (; spare > 0; --spare) {
        const auto best = static_cast<std::size_t>(std::max_element(gains.begin(), gains.end()) - gains.begin());
        if (!(gains[best] > 0.0)) break;
        ++intervals[best].parts;
        gains[best] = intervals[best].gain(problem);
        spent = true;
    }
    if (!spent) return false;
    // what gains nowhere gathers at the end, and the local solver decides
    const double last_t = t.back();
    std::size_t at = 1;
    for (const Interval& interval : intervals)
        for (std::size_t i = 1; i <= interval.parts; ++i) t[at++] = problem.noise.t(interval.at(i));
    while (at < t.size()) t[at++] = last_t;
    return true;
}

bool gather_elsewhere(const Problem& problem, std::span<double> t) {
    std::vector<double> groups = {t[0]}, trial(t.size()), lambdas(t.size());
    for (std::size_t i = 1; i < t.size(); ++i)
        if (t[i - 1] - t[i] > kGathered) groups.push_back(t[i]);
    if (groups.size() > 1) groups.back() = t.back();  // the last group hangs on the last node
    const std::size_t spare = t.size() - groups.size();
    if (spare == 0) return false;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < groups.size(); ++j) {
        for (std::size_t i = 0, g = 0; i < t.size(); ++i) {
            trial[i] = groups[g];
            if (i < j || i >= j + spare) ++g;
        }
        keep_spacing(trial, problem.spacing, problem.t_min, problem.t_max);
        problem.lambda(trial, lambdas);
        const double value = problem.value(lambdas);
        if (!(value < least)) continue;
        least = value;
        std::copy(trial.begin(), trial.end(), t.begin());
    }
    return true;
}

WindowSearch::WindowSearch(const Problem& problem)
    : problem_(problem), places_(problem.nodes() * kPlaces), lambdas_(problem.nodes() * kPlaces),
      value_(problem.nodes() * kPlaces), from_(problem.nodes() * kPlaces) {}

bool WindowSearch::improve(std::span<double> t, double step) {
    constexpr double nowhere = std::numeric_limits<double>::infinity();
    const std::size_t n = t.size();
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < kPlaces; ++j) {
            const double x = t[i] + step * static_cast<double>(static_cast<int>(j) - kReach);
            const auto& range = i == 0 ? problem_.t_max : problem_.t_min;
            const bool end = i == 0 || i + 1 == n;
            const bool inside = end ? x >= range.first && x <= range.second : x >= problem_.t_min.first && x <= problem_.t_max.second;
            places_[i * kPlaces + j] = x;
            value_[i * kPlaces + j] = i == 0 && inside ? 0.0 : nowhere;
            lambdas_[i * kPlaces + j] = inside ? problem_.lambda_slope(x).lambda : nowhere;
        }
    for (std::size_t i = 0; i + 1 < n; ++i) {
        const std::size_t a = i * kPlaces, b = a + kPlaces;
        for (std::size_t l = b; l < b + kPlaces; ++l) {
            if (lambdas_[l] == nowhere) continue;
            for (std::size_t k = a; k < a + kPlaces; ++k) {
                if (value_[k] == nowhere || places_[k] - places_[l] < problem_.spacing - kRounding) continue;
                const double value = value_[k] + edge_cost(problem_, lambdas_[k], lambdas_[l], places_[k] - places_[l]);
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

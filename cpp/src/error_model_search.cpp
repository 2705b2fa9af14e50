#include <hso/error_model.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint.hpp"
#include "dense.hpp"
#include "invalid.hpp"
#include "multistep.hpp"

namespace hso {

using detail::dot, detail::row, detail::solve_positive;

namespace {

constexpr std::size_t kMostNodes = 1000;  // steps take their cube of time, their square of memory
constexpr std::size_t kNodeWork = 50;     // nanoseconds or so for a number of a row in a step
constexpr double kShift = 1e-5;           // in lambda, of the difference quotients
constexpr double kSmallGain = 1e-4;       // two steps in a row that gain less end the search
constexpr int kMostAttempts = 8;          // at one step, with more and more damping
constexpr double kFirstDamping = 1e-2, kLeastDamping = 1e-9;

/// Where nodes may lie.
struct Bounds {
    std::pair<double, double> first, last;
    double least_gap;

    Bounds(const ErrorModel::Search& search, std::pair<double, double> range, std::size_t nodes)
        : first(inside("first", search.first, range)), last(inside("last", search.last, range)), least_gap(search.least_gap) {
        if (!(least_gap > 0.0)) detail::throw_invalid("least_gap", least_gap, "above 0");
        if (!(last.second - first.first >= room(nodes)))
            detail::throw_invalid("least_gap", least_gap, "small enough for the nodes to fit between first and last");
        if (nodes > 1) return;
        first = last = {std::max(first.first, last.first), std::min(first.second, last.second)};
        if (!(first.first <= first.second))
            detail::throw_invalid("last", detail::number(search.last.first) + ".." + detail::number(search.last.second),
                                  "a range that meets first, for a single node is both ends");
    }

    double room(std::size_t nodes) const { return static_cast<double>(nodes - 1) * least_gap; }

    static std::pair<double, double> inside(const char* name, std::pair<double, double> wanted, std::pair<double, double> range) {
        const std::pair<double, double> both{std::max(wanted.first, range.first), std::min(wanted.second, range.second)};
        if (!(both.first <= both.second))
            detail::throw_invalid(
                name, detail::number(wanted.first) + ".." + detail::number(wanted.second),
                "a range that meets the noise schedule's, " + detail::number(range.first) + ".." + detail::number(range.second));
        return both;
    }

    /// Moves nodes to where they may lie: the ends, then gaps from the left, then from the right.
    void project(std::vector<double>& x) const {
        const std::size_t n = x.size();
        // no std::clamp: where there is just enough room, rounding may swap its limits
        x.front() = std::max(std::min({x.front(), first.second, last.second - room(n)}), first.first);
        x.back() = std::min(std::max({x.back(), last.first, x.front() + room(n)}), last.second);
        for (std::size_t i = 1; i + 1 < n; ++i) x[i] = std::max(x[i], x[i - 1] + least_gap);
        for (std::size_t i = n - 1; i-- > 1;) x[i] = std::min(x[i], x[i + 1] - least_gap);
    }

    /// Whether node k is an end at its bound that would leave it downhill.
    bool holds(const std::vector<double>& x, std::size_t k, double slope) const {
        const bool is_first = k == 0, is_last = k + 1 == x.size();
        const bool at_low = (is_first && x[k] <= first.first) || (is_last && x[k] <= last.first);
        const bool at_high = (is_first && x[k] >= first.second) || (is_last && x[k] >= last.second);
        return (at_low && slope > 0.0) || (at_high && slope < 0.0);
    }
};

/// Levenberg and Marquardt's step: (J J^T + damping) step = -J r over the rows of J that are `free`.
std::vector<double> damped_step(const std::vector<double>& jacobian, const std::vector<double>& gradient,
                                const std::vector<std::size_t>& free, double damping, detail::Checkpoint& checkpoint) {
    const std::size_t m = free.size(), columns = jacobian.size() / gradient.size();
    std::vector<double> normal(m * m), step(m);
    double trace = 0.0;
    for (std::size_t a = 0; a < m; ++a) {
        checkpoint.pass(a * columns);
        for (std::size_t b = 0; b <= a; ++b)
            normal[a * m + b] = normal[b * m + a] = dot(row(jacobian, free[a], columns), row(jacobian, free[b], columns));
        trace += normal[a * m + a];
        step[a] = -gradient[free[a]];
    }
    const double least = 1e-3 * trace / static_cast<double>(m) + 1e-300;
    for (std::size_t a = 0; a < m; ++a) normal[a * m + a] += damping * (normal[a * m + a] + least) + 1e-300;
    solve_positive(normal, m, step, 1, checkpoint);
    return step;
}

}  // namespace

ErrorModel::Found ErrorModel::improve(std::span<const double> start, const Search& search) const {
    check("start", start, search.solver, search.terminal);
    if (start.size() > kMostNodes)
        detail::throw_invalid("start", std::to_string(start.size()) + " nodes",
                              "at most " + std::to_string(kMostNodes) + " nodes");
    if (!(search.caution >= 0.0 && std::isfinite(search.caution)))
        detail::throw_invalid("caution", search.caution, "at least 0 and finite");
    if (search.max_iterations < 0) detail::throw_invalid("max_iterations", std::to_string(search.max_iterations), "at least 0");
    const auto range = noise_.lambda_range();
    const std::size_t n = start.size(), rows = rank_ + n - 1;
    const Bounds bounds(search, range, n);
    detail::Checkpoint checkpoint(search.should_stop);
    Found found{{start.begin(), start.end()}, 0.0, 0};
    bounds.project(found.lambdas);
    const std::vector<double> origin = found.lambdas;
    std::vector<double> now(rows), moved(rows), jacobian(n * rows), gradient(n), trial(n);
    double weight = 0.0;
    /// The residual, and behind it what has become of the gaps.
    detail::Multistep run(search.solver, rank_);
    const auto evaluate = [&](std::span<const double> x, std::span<double> out, std::size_t from = 0) {
        ++found.evaluations;
        checkpoint.pass((n - from) * rank_ * kNodeWork);
        residual(run, x, search.terminal, 1.0, out.first(rank_), from);
        for (std::size_t i = 0; i + 1 < n; ++i)
            out[rank_ + i] = weight * std::log((x[i + 1] - x[i]) / (origin[i + 1] - origin[i]));
        return dot(out, out);
    };
    double least = evaluate(origin, now), damping = kFirstDamping;
    weight = search.caution * std::sqrt(least);
    bool better = true;
    for (int iteration = 0, idle = 0; iteration < search.max_iterations && idle < 2 && better; ++iteration) {
        // the last run was that of found.lambdas; one from node k on leaves what it keeps of the nodes below
        for (std::size_t k = n; k-- > 0;) {
            trial = found.lambdas;
            trial[k] += trial[k] + kShift <= range.second ? kShift : -kShift;
            evaluate(trial, moved, k);
            for (std::size_t r = 0; r < rows; ++r) jacobian[k * rows + r] = (moved[r] - now[r]) / (trial[k] - found.lambdas[k]);
            gradient[k] = dot(row(jacobian, k, rows), now);
        }
        std::vector<std::size_t> free;
        for (std::size_t k = 0; k < n; ++k)
            if (!bounds.holds(found.lambdas, k, gradient[k])) free.push_back(k);
        better = false;
        for (int attempt = 0; attempt < kMostAttempts && !better && !free.empty(); ++attempt) {
            const auto step = damped_step(jacobian, gradient, free, damping, checkpoint);
            trial = found.lambdas;
            for (std::size_t a = 0; a < free.size(); ++a) trial[free[a]] += step[a];
            bounds.project(trial);
            const double value = evaluate(trial, moved);
            better = value < least;
            damping = better ? std::max(0.2 * damping, kLeastDamping) : 5.0 * damping;
            if (!better) continue;
            idle = value > (1.0 - kSmallGain) * least ? idle + 1 : 0;
            least = value;
            found.lambdas = trial;
            now.swap(moved);
        }
    }
    const auto error = std::span<const double>(now).first(rank_);
    found.error = std::sqrt(dot(error, error));
    return found;
}

}  // namespace hso

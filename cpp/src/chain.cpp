#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include <hso/chain.hpp>

#include "chain_sweep.hpp"
#include "checkpoint.hpp"
#include "invalid.hpp"
#include "mep.hpp"

namespace hso {

namespace {

using detail::least_sum_at;
using detail::least_sums;
using detail::throw_invalid;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kMostEdges = 10000;
constexpr std::size_t kMostNumbers = std::size_t{1} << 28;              ///< to keep: 2 GiB
constexpr std::size_t kCostWork = 1, kPlaceWork = 5, kSumsPerWork = 4;  ///< nanoseconds or so: a cost, an entry; sums in one
constexpr double kRounding = 1e-12;  ///< of the largest |t|, by which an edge may miss the spacing

std::string index(std::size_t i) { return "[" + std::to_string(i) + "]"; }

/// Refuses NaN and -infinity. `prefix` names what entry `first` + i of an array is the i-th cost of.
template <class Prefix>
void check_costs(std::span<const double> costs, std::size_t first, const Prefix& prefix) {
    bool good = true;
    for (double cost : costs) good &= cost > -kInfinity;
    if (good) return;
    for (std::size_t i = 0; i < costs.size(); ++i)
        if (!(costs[i] > -kInfinity)) throw_invalid(prefix() + index(first + i), costs[i], "a finite number or infinity");
}

void check_square(std::string_view name, std::span<const double> costs, std::size_t points) {
    // not points * points, which may overflow
    if (costs.size() % points != 0 || costs.size() / points != points)
        throw_invalid(name, std::to_string(costs.size()) + " entries",
                      std::to_string(points) + " * " + std::to_string(points) + " long");
}

void check_ends(std::string_view name, std::span<const double> costs, std::size_t points) {
    if (costs.empty()) return;
    detail::check_size(name, costs.size(), points);
    check_costs(costs, 0, [name] { return std::string(name); });
}

void check_times(const ChainPoints& points) {
    const auto& t = points.t;
    if (!(points.spacing >= 0.0 && points.spacing < kInfinity)) throw_invalid("spacing", points.spacing, "finite and >= 0");
    if (t.empty() && points.spacing == 0.0) return;
    detail::check_size("t", t.size(), points.count);
    for (std::size_t i = 0; i < t.size(); ++i)
        if (!std::isfinite(t[i]) || (i > 0 && !(t[i] < t[i - 1])))
            throw_invalid("t" + index(i), t[i], i > 0 ? "finite and below the entry before" : "finite");
}

void check(const ChainPoints& points, std::size_t max_edges, double discount) {
    if (points.count < 2) throw_invalid("points", std::to_string(points.count), "at least 2");
    if (max_edges < 1 || max_edges > kMostEdges) throw_invalid("max_edges", std::to_string(max_edges), "in 1..10000");
    if (!(discount > 0.0 && discount < kInfinity)) throw_invalid("discount", discount, "positive and finite");
    check_ends("start", points.start, points.count);
    check_ends("end", points.end, points.count);
    check_times(points);
}

/// For each point the first that an edge may lead to; M if none.
std::vector<std::size_t> first_after(const ChainPoints& points) {
    std::vector<std::size_t> after(points.count);
    const auto& t = points.t;
    const double slack = t.empty() ? 0.0 : kRounding * std::max(std::abs(t.front()), std::abs(t.back()));
    const double least = points.spacing - slack;
    const auto too_near = [&](std::size_t i, std::size_t j) { return !t.empty() && t[i] - t[j] < least; };
    for (std::size_t i = 0, j = 0; i < points.count; ++i) {
        j = std::max(j, i + 1);
        while (j < points.count && too_near(i, j)) ++j;
        after[i] = j;
    }
    return after;
}

double start_cost(const ChainPoints& points, std::size_t i) {
    if (points.start.empty()) return i == 0 ? 0.0 : kInfinity;
    return points.start[i];
}

/// `row` becomes the discounted costs of ending at each point.
void fill_ends(const ChainPoints& points, double discount, std::span<double> row) {
    std::fill(row.begin(), row.end(), kInfinity);
    if (points.end.empty()) row.back() = 0.0;
    for (std::size_t i = 0; i < points.end.size(); ++i) row[i] = discount * points.end[i];
}

/// rows * columns of infinity, made row by row: new memory takes its time.
std::vector<double> all_infinite(std::size_t rows, std::size_t columns, detail::Checkpoint& checkpoint) {
    std::vector<double> numbers;
    numbers.reserve(rows * columns);
    for (std::size_t row = 1; row <= rows; ++row) {
        checkpoint.pass(columns);
        numbers.resize(row * columns, kInfinity);
    }
    return numbers;
}

/// The cheapest beginnings so far of chains of 1, 2, ... edges. Points have to be offered from the last to the first.
class Beginnings {
  public:
    explicit Beginnings(std::size_t edges) : node_(edges), cost_(edges, kInfinity) {}

    /// `rest`: by the number of edges, of the chain from this point on.
    void offer(std::size_t point, double start, std::span<const double> rest) {
        for (std::size_t n = 0; n < rest.size(); ++n)
            if (start + rest[n] <= cost_[n]) {
                cost_[n] = start + rest[n];
                node_[n] = point;
            }
    }

    /// One chain for each number of edges up to `max_edges`; `next(left, chain)` is the node that follows in a chain
    /// with `left` edges to go after that node.
    template <class Next>
    std::vector<ChainPath> paths(std::size_t max_edges, const Next& next) const {
        std::vector<ChainPath> paths(max_edges, {{}, kInfinity});
        for (std::size_t n = 0; n < cost_.size(); ++n) {
            if (!(cost_[n] < kInfinity)) continue;
            auto& nodes = paths[n].nodes;
            nodes.reserve(n + 2);
            nodes.push_back(node_[n]);
            for (std::size_t left = n + 1; left-- > 0;) nodes.push_back(next(left, nodes));
            paths[n].cost = cost_[n];
        }
        return paths;
    }

  private:
    std::vector<std::size_t> node_;
    std::vector<double> cost_;
};

}  // namespace

std::vector<ChainPath> shortest_chains(const ChainPoints& points, std::span<const double> cost, std::size_t max_edges,
                                       double discount, const ShouldStop& should_stop) {
    check(points, max_edges, discount);
    detail::Checkpoint checkpoint(should_stop);
    const std::size_t count = points.count, edges = std::min(max_edges, count - 1);
    check_square("cost", cost, count);
    const auto after = first_after(points);
    const auto row = [&](std::size_t i) { return cost.subspan(i * count + after[i], count - after[i]); };

    // row n: the cheapest way on from each point with n edges, discounted; settled from the last point to the first
    auto rest = all_infinite(edges + 1, count, checkpoint);
    fill_ends(points, discount, std::span(rest).first(count));
    Beginnings beginnings(edges);
    std::vector<double> least(edges);
    for (std::size_t i = count - 1; i-- > 0;) {
        checkpoint.pass((count - i) * (kCostWork + edges / kSumsPerWork) + kPlaceWork * edges);
        check_costs(cost.subspan(i * count + i + 1, count - i - 1), i + 1, [i] { return "cost" + index(i); });
        least_sums(row(i), &rest[after[i]], count, least);
        beginnings.offer(i, start_cost(points, i), least);
        for (std::size_t n = 0; n < edges; ++n) rest[(n + 1) * count + i] = discount * least[n];
    }
    return beginnings.paths(max_edges, [&](std::size_t left, const std::vector<std::size_t>& chain) {
        const std::size_t i = chain.back();
        checkpoint.pass(count);
        return after[i] + least_sum_at(row(i), &rest[left * count + after[i]]);
    });
}

std::vector<ChainPath> shortest_chains_with_memory(const ChainPoints& points, std::span<const double> first,
                                                   const CostWithMemory& cost, std::size_t max_edges, double discount,
                                                   const ShouldStop& should_stop) {
    check(points, max_edges, discount);
    detail::Checkpoint checkpoint(should_stop);
    const std::size_t count = points.count, edges = std::min(max_edges, count - 1);
    check_square("first", first, count);  // so count * count is a number
    if (edges > kMostNumbers / (count * count))
        throw_invalid("max_edges", std::to_string(max_edges),
                      "at most " + std::to_string(kMostNumbers / (count * count)) + " for " + std::to_string(count) + " points");
    const auto after = first_after(points);
    const auto first_row = [&](std::size_t j) { return first.subspan(j * count + after[j], count - after[j]); };
    std::vector<double> buffer(count);
    const auto row = [&](std::size_t i, std::size_t j) {
        const auto all = std::span(buffer).first(count - j - 1);
        cost(i, j, all);
        check_costs(all, j + 1, [i, j] { return "cost" + index(i) + index(j); });
        return std::span<const double>(all).subspan(after[j] - j - 1);
    };

    // entry (i, n, j): the cheapest way on from j with n edges for a chain that came from i, discounted
    auto rest = all_infinite(count, edges * count, checkpoint);
    const auto from = [&](std::size_t i, std::size_t n, std::size_t j) { return (i * edges + n) * count + j; };
    for (std::size_t i = 0; i < count; ++i) {
        checkpoint.pass(count);
        fill_ends(points, discount, std::span(rest).subspan(from(i, 0, 0), count));
    }
    Beginnings beginnings(edges);
    std::vector<double> least(edges);
    const auto later = std::span(least).first(edges - 1);
    for (std::size_t j = count - 1; j-- > 0;) {
        checkpoint.pass((count - j) * (kCostWork + edges / kSumsPerWork) + kPlaceWork * edges);
        check_costs(first.subspan(j * count + j + 1, count - j - 1), j + 1, [j] { return "first" + index(j); });
        const double* const onward = rest.data() + from(j, 0, 0) + after[j];
        least_sums(first_row(j), onward, count, least);
        beginnings.offer(j, start_cost(points, j), least);
        for (std::size_t i = 0; i < j && after[i] <= j; ++i) {
            checkpoint.pass((count - j) * (2 * kCostWork + edges / kSumsPerWork) + kPlaceWork * edges);
            least_sums(row(i, j), onward, count, later);
            for (std::size_t n = 0; n + 1 < edges; ++n) rest[from(i, n + 1, j)] = discount * later[n];
        }
    }
    return beginnings.paths(max_edges, [&](std::size_t left, const std::vector<std::size_t>& chain) {
        const std::size_t j = chain.back();
        checkpoint.pass(2 * count);
        const auto costs = chain.size() == 1 ? first_row(j) : row(chain[chain.size() - 2], j);
        return after[j] + least_sum_at(costs, rest.data() + from(j, left, after[j]));
    });
}

}  // namespace hso

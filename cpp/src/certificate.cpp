#include "certificate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace hso::detail {

namespace {

constexpr double kUnreachable = 1e300;
constexpr double kFirstCells = 64.0;  ///< in the widest window of the first pass; more for many nodes
constexpr double kCellsPerNode = 2.0;
constexpr double kWindowCells = 96.0;  ///< in the widest window of later passes, unless windows do not shrink
constexpr double kLeastRefinement = 1.25;
constexpr double kLeastShare = 1e-9;                  ///< of the range: the least width of the first pass's cells
constexpr double kMaxFirstEdges = 3e7;                ///< of the first pass
constexpr double kMaxEdges = 2e8;                     ///< of all passes: a few seconds
constexpr int kMostPasses = 64;                       ///< some ten are usual
constexpr double kMaxCells = 4e5;                     ///< of one pass: some 100 MB
constexpr double kNearCells = 2.0;                    ///< this close to the expected schedule its slopes are taken
constexpr std::size_t kRowWork = 30, kEdgeWork = 10;  ///< nanoseconds or so to expand a row of edges, and each of them
constexpr std::size_t kTouchWork = 15;                ///< to make an entry of a table, its memory new
constexpr double kTied = 1e-12;                       ///< nodes this much farther apart than the spacing are tied

/// min of slope x over x in [low, high].
double least(double slope, double low, double high) { return std::min(slope * low, slope * high); }

}  // namespace

void Certificate::reset(const Problem& problem, Checkpoint& checkpoint) {
    problem_ = &problem;
    checkpoint_ = &checkpoint;
    spacing_ = problem.soft ? problem.d_min : problem.spacing;
    work_ = 0.0;
    passes_ = 0;
    // every search begins with the same one of the two: what is repeated finds the memory it needs where it left it
    if (swapped_) swap_passes();
    for (auto* column : {&excess_, &coarse_excess_}) column->clear();
    nodes_.assign(problem.nodes(), {});
    expected_.assign(problem.nodes(), {});
    const NoiseSchedule& noise = problem.noise;
    const std::size_t last = problem.intervals;
    const double least_t = problem.t_min.first, most_t = problem.t_max.second;
    origin_ = noise.lambda(most_t);
    double widest = 0.0;
    for (std::size_t i = 0; i <= last; ++i) {
        // what the nodes before and after leave
        double low_t = least_t + problem.spacing * static_cast<double>(last - i);
        double high_t = most_t - problem.spacing * static_cast<double>(i);
        if (i == 0) low_t = std::max(low_t, problem.t_max.first);
        if (i == last) high_t = std::min(high_t, problem.t_min.second);
        // rounding may cross them where nothing is left to choose
        nodes_[i].low = noise.lambda(std::clamp(std::max(low_t, high_t), least_t, most_t));
        nodes_[i].high = noise.lambda(std::clamp(std::min(low_t, high_t), least_t, most_t));
        widest = std::max(widest, nodes_[i].high - nodes_[i].low);
    }
    const double intervals = static_cast<double>(last);
    const double cells = std::min(std::max(kFirstCells, kCellsPerNode * intervals), std::sqrt(kMaxFirstEdges / intervals));
    set_step(std::max(widest / cells, kLeastShare * (noise.lambda(least_t) - origin_)));
}

void Certificate::expect(std::span<const double> t) {
    const std::size_t n = t.size();
    for (auto* column : {&lambdas_, &gradient_}) column->resize(n);
    multiplier_.assign(n, 0.0);
    problem_->lambda(t, lambdas_);
    problem_->value(lambdas_, gradient_);
    const auto dlambda_dt = [&](std::size_t i) { return problem_->lambda_slope(t[i]).dlambda_dt; };
    const auto tied = [&](std::size_t i) { return i + 1 < n && t[i] - t[i + 1] <= spacing_ + kTied; };
    for (std::size_t first = 0, last = 0; first < n; first = last + 1) {
        for (last = first; tied(last); ++last) {
        }
        const bool held_above = first == 0 && (t[0] <= problem_->t_max.first + kTied || t[0] >= problem_->t_max.second - kTied);
        if (problem_->soft)
            for (std::size_t i = first; i < last; ++i)
                multiplier_[i] = 2.0 * problem_->gamma * std::max(0.0, spacing_ - (t[i] - t[i + 1]));
        else if (held_above)
            for (std::size_t i = last; i > first; --i) multiplier_[i - 1] = multiplier_[i] - gradient_[i] * dlambda_dt(i);
        else
            for (std::size_t i = first; i < last; ++i)
                multiplier_[i] = (i > first ? multiplier_[i - 1] : 0.0) + gradient_[i] * dlambda_dt(i);
    }
    for (std::size_t i = 0; i < n; ++i) expected_[i].lambda = lambdas_[i];
    for (std::size_t i = 0; i + 1 < n; ++i) {
        double slopes[2];
        problem_->value(std::span(lambdas_).subspan(i, 2), slopes);
        const Node& next = nodes_[i + 1];
        const double excess = expected_[i + 1].excess =
            slopes[1] + multiplier_[i] / dlambda_dt(i + 1) - problem_->proxy.weight(problem_->noise, lambdas_[i + 1]).g;
        std::fill_n(excess_.begin() + static_cast<std::ptrdiff_t>(next.offset), next.size(), excess);
    }
}

/// Edges of a pass.
double Certificate::edges() const {
    double sum = 0.0;
    for (std::size_t cell = nodes_.front().size(); cell < first_edge_.size(); ++cell)
        sum += static_cast<double>(last_edge_[cell]) - static_cast<double>(first_edge_[cell]);
    return sum;
}

/// What the last pass found becomes the coarse one's, whose memory the next takes.
void Certificate::swap_passes() {
    std::swap(excess_, coarse_excess_);
    std::swap(first_edge_, coarse_first_edge_);
    std::swap(last_edge_, coarse_last_edge_);
    swapped_ = !swapped_;
}

void Certificate::set_step(double step) {
    const double coarse_step = std::exchange(step_, step);
    swap_passes();
    std::size_t cells = 0, pairs = 0, widest = 0;
    for (Node& node : nodes_) {
        node.first = std::llround((node.low - origin_) / step);
        node.last = std::max(node.first, static_cast<std::int64_t>(std::llround((node.high - origin_) / step)));
        node.offset = cells;
        cells += node.size();
        widest = std::max(widest, node.size());
    }
    for (std::size_t i = 0; i + 1 < nodes_.size(); ++i) {
        nodes_[i].stage = pairs;
        pairs += nodes_[i].size() + nodes_[i + 1].size() - 1;
    }
    const auto ask_after = [&](std::size_t entries) { checkpoint_->pass(kTouchWork * entries); };
    cells_.resize(cells);
    ask_after(cells);
    midpoints_.resize(pairs);
    ask_after(pairs);
    distances_.resize(pairs);
    ask_after(pairs);
    for (auto* column : {&value_, &rest_, &slope_, &excess_, &low_, &high_, &reach2_}) column->resize(cells);
    ask_after(cells);
    for (auto* column : {&from_, &first_edge_, &last_edge_}) column->resize(cells);
    for (auto* column : {&base_, &slope_a_, &slope_b_, &total_}) column->resize(widest);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const Node& node = nodes_[i];
        cells_.fill(*problem_, centre(node.first), step, node.offset, node.size(), *checkpoint_);
        for (std::size_t k = 0; k < node.size(); ++k) {
            const std::size_t cell = node.offset + k;
            const double x = centre(node.first + static_cast<std::int64_t>(k));
            low_[cell] = std::max(node.low - x, -0.5 * step);
            high_[cell] = std::max(low_[cell], std::min(node.high - x, 0.5 * step));
            reach2_[cell] = std::max(low_[cell] * low_[cell], high_[cell] * high_[cell]);
        }
        inherit(i, coarse_step);
        if (i + 1 == nodes_.size()) break;
        const Node& next = nodes_[i + 1];
        const std::size_t count = node.size() + next.size() - 1;
        midpoints_.fill(*problem_, 0.5 * (centre(node.first) + centre(next.first)), step, node.stage, count, *checkpoint_);
        distances_.fill(step * static_cast<double>(next.last - node.first), step, node.stage, count);
    }
}

/// What node i's cells take over from the coarser cells of the pass before.
void Certificate::inherit(std::size_t i, double coarse_step) {
    const Node& node = nodes_[i];
    const std::size_t before = i > 0 ? nodes_[i - 1].size() : 0;
    for (std::size_t k = 0; k < node.size(); ++k) {
        const std::size_t cell = node.offset + k;
        first_edge_[cell] = 0;
        last_edge_[cell] = before;
        if (coarse_excess_.empty()) continue;
        const auto place = [&](const Node& coarse, double lambda) {
            return std::clamp<std::int64_t>(std::llround((lambda - origin_) / coarse_step), coarse.first, coarse.last);
        };
        const Node& coarse = coarse_nodes_[i];
        const double x = centre(node.first + static_cast<std::int64_t>(k));
        const std::size_t parent = coarse.offset + static_cast<std::size_t>(place(coarse, x) - coarse.first);
        const bool near = std::abs(x - expected_[i].lambda) <= kNearCells * coarse_step;
        excess_[cell] = near ? expected_[i].excess : coarse_excess_[parent];
        if (i == 0) continue;
        // a cell may lie across two coarse ones
        const std::size_t low = coarse.offset + static_cast<std::size_t>(place(coarse, x - 0.5 * step_) - coarse.first);
        const std::size_t high = coarse.offset + static_cast<std::size_t>(place(coarse, x + 0.5 * step_) - coarse.first);
        std::size_t first = coarse_first_edge_[low], last = coarse_last_edge_[low];
        if (first == last || (coarse_first_edge_[high] != coarse_last_edge_[high] && high != low)) {
            first = first == last ? coarse_first_edge_[high] : std::min(first, coarse_first_edge_[high]);
            last = std::max(last, coarse_last_edge_[high]);
        }
        const Node &from = nodes_[i - 1], &coarse_from = coarse_nodes_[i - 1];
        const auto edge_of = [&](std::size_t coarse_cells) {  // lambda at the lower edge of the node's coarse cell
            return origin_ +
                   coarse_step * (static_cast<double>(coarse_from.first + static_cast<std::int64_t>(coarse_cells)) - 0.5);
        };
        const auto to_place = [&](double cells) {
            return static_cast<std::size_t>(std::clamp(cells, 0.0, static_cast<double>(before)));
        };
        const double begin = (edge_of(first) - centre(from.first)) / step_, end = (edge_of(last) - centre(from.first)) / step_;
        first_edge_[cell] = first == last ? 0 : to_place(std::floor(begin));
        last_edge_[cell] = first == last ? 0 : to_place(std::ceil(end) + 1.0);
    }
}

/// Expands the costs of the edges from node i's cells to cell l of node i + 1 about the cells' centres.
Certificate::Row Certificate::expand_edges(std::size_t i, std::size_t l) {
    const Node &node = nodes_[i], &next = nodes_[i + 1];
    Row row{.node = i, .cell = next.offset + l, .first = 0, .free = 0, .last = 0};
    // both edges' t fall from cell to cell
    const double *edge_t = &cells_.edge_t[node.offset], *far_edge_t = &cells_.far_edge_t[node.offset];
    const double high_t = cells_.edge_t[row.cell], low_t = cells_.far_edge_t[row.cell];
    const auto may_keep = [&](double t) { return t - low_t >= problem_->spacing; };
    const auto keeps = [&](double t) { return t - high_t >= spacing_; };
    row.first = first_edge_[row.cell];
    const std::size_t last = last_edge_[row.cell];
    row.last = static_cast<std::size_t>(std::partition_point(edge_t + row.first, edge_t + last, may_keep) - edge_t);
    checkpoint_->pass(kRowWork + kEdgeWork * (row.last - row.first));
    row.free = static_cast<std::size_t>(std::partition_point(far_edge_t + row.first, far_edge_t + row.last, keeps) - far_edge_t);

    // from cell k to cell l: midpoint k + l, distance l - k, both counted from the pair that comes first in its table
    const std::size_t midpoint = node.stage + l, distance = node.stage + next.size() - 1 - l;
    const double *g = &midpoints_.g[midpoint], *g1 = &midpoints_.g1[midpoint], *even = &midpoints_.even[midpoint],
                 *odd = &midpoints_.odd[midpoint], *g1_radius = &midpoints_.g1_radius[midpoint],
                 *second_radius = &midpoints_.second_radius[midpoint];
    const double *s = &distances_.sinh[distance], *c = &distances_.cosh[distance], *s_radius = &distances_.sinh_radius[distance],
                 *c_radius = &distances_.cosh_radius[distance];
    const double *slope = &slope_[node.offset], *reach2 = &reach2_[node.offset], *curvature = &cells_.curvature[node.offset];
    const double curvature_l = cells_.curvature[row.cell], reach2_l = reach2_[row.cell];
    double *base = base_.data(), *slope_a = slope_a_.data(), *slope_b = slope_b_.data();
    for (std::size_t k = row.first; k < row.last; ++k) {
        const double gs = g[k] * s[k], gc = g[k] * c[k], g1s = g1[k] * s[k], g1c = g1[k] * c[k];
        // how far the Hessian's entries may be from those at the centres
        const double s_most = s[k] + s_radius[k], even_abs = std::abs(even[k]);
        const double second = second_radius[k] * s_most;
        const double mixed = std::abs(g1[k]) * c_radius[k] + g1_radius[k] * (c[k] + c_radius[k]);
        const double radius = even_abs * s_radius[k] + second + mixed;
        // the diagonal's entries at least, the other's size at most
        const double aa = even[k] * s[k] - g1c + curvature[k] - radius;
        const double bb = even[k] * s[k] + g1c - curvature_l - radius;
        const double ab = std::abs(odd[k]) * s_most + second;
        const double lack_a = ab - aa, lack_b = ab - bb;
        const double remainder = (lack_a > 0.0 ? lack_a : 0.0) * reach2[k] + (lack_b > 0.0 ? lack_b : 0.0) * reach2_l;
        base[k] = 2.0 * gs - 0.5 * remainder;
        slope_a[k] = g1s - gc + slope[k];
        slope_b[k] = g1s + gc;
    }
    return row;
}

double Certificate::least_at_start(std::size_t k, const Row& row) const {
    const std::size_t a = nodes_[row.node].offset + k;
    return least(slope_a_[k], low_[a], high_[a]);
}

/// The part of an edge's bound that a multiplier decides, but for the slope at its end.
double Certificate::held_part(std::size_t k, const Row& row, double mu) const {
    if (mu == 0.0) return least_at_start(k, row);
    const std::size_t a = nodes_[row.node].offset + k, b = row.cell;
    const double lack = spacing_ - (cells_.t[a] - cells_.t[b]), error = cells_.t_error[a] + cells_.t_error[b];
    const double conjugate = problem_->soft ? mu * mu / (4.0 * problem_->gamma) : 0.0;
    return least(slope_a_[k] - mu * cells_.t_slope[a], low_[a], high_[a]) + mu * (lack - error) - conjugate;
}

/// Tries the multipliers that suggest themselves (each gives a bound): none, what makes the cost flat in node i, the same
/// for node i + 1 where its slope is known, and what a soft penalty exerts.
template <class Try>
void Certificate::try_multipliers(std::size_t k, const Row& row, double slope_b, Try attempt) const {
    const std::size_t a = nodes_[row.node].offset + k, b = row.cell;
    const auto positive = [&](double mu) {
        if (mu > 0.0) attempt(mu);
    };
    attempt(0.0);
    if (problem_->soft && !(problem_->gamma > 0.0)) return;
    positive(slope_a_[k] / cells_.t_slope[a]);
    positive(-slope_b / cells_.t_slope[b]);
    if (!problem_->soft) return;
    const double lack = spacing_ - (cells_.t[a] - cells_.t[b]);
    const double spread = 0.5 * step_ * (std::abs(cells_.t_slope[a]) + std::abs(cells_.t_slope[b]));
    for (double at : {lack - spread, lack, lack + spread}) positive(2.0 * problem_->gamma * at);
}

/// An edge's bound but for its base when node i + 1 sits at x from the centre of its cell, and its slope there.
Certificate::Held Certificate::held_at(std::size_t k, const Row& row, double x) const {
    Held best{-kUnreachable, 0.0};
    try_multipliers(k, row, 0.0, [&](double mu) {
        const double slope = slope_b_[k] + mu * cells_.t_slope[row.cell], value = held_part(k, row, mu) + slope * x;
        if (value > best.value) best = {value, slope};
    });
    return best;
}

/// An edge's bound, and the slope that is left at its start; slope_b: at its end, with node i + 1's potential.
Certificate::Held Certificate::held_edge(std::size_t k, const Row& row, double slope_b) const {
    Held best{-kUnreachable, 0.0};
    try_multipliers(k, row, slope_b, [&](double mu) {
        const double at_end = least(slope_b + mu * cells_.t_slope[row.cell], low_[row.cell], high_[row.cell]);
        const double value = held_part(k, row, mu) + at_end;
        if (value > best.value) best = {value, slope_a_[k] - mu * cells_.t_slope[nodes_[row.node].offset + k]};
    });
    return {base_[k] + best.value, best.slope};
}

void Certificate::forward(std::size_t i) {
    const Node &node = nodes_[i], &next = nodes_[i + 1];
    const double* value = &value_[node.offset];
    for (std::size_t l = 0; l < next.size(); ++l) {
        const Row row = expand_edges(i, l);
        const std::size_t cell = row.cell;
        const double low = low_[cell], high = high_[cell], middle = 0.5 * (low + high);
        // the cheapest way to the middle of the cell, and how its cost changes from there
        double best = kUnreachable;
        std::size_t from = 0;
        const auto consider = [&](double total, std::size_t k) {
            if (!(total < best)) return;
            best = total;
            from = k;
        };
        for (std::size_t k = row.first; k < row.free; ++k) {
            total_[k] = value[k] + base_[k] + least_at_start(k, row);
            consider(total_[k] + slope_b_[k] * middle, k);
        }
        for (std::size_t k = row.free; k < row.last; ++k) consider(value[k] + base_[k] + held_at(k, row, middle).value, k);
        from_[cell] = from;
        value_[cell] = kUnreachable;
        slope_[cell] = 0.0;
        if (best == kUnreachable) continue;
        double slope = slope_b_[from];
        if (from >= row.free) {
            const double at_low = held_at(from, row, low).slope, at_high = held_at(from, row, high).slope;
            slope = std::clamp(cells_.weight[cell] + excess_[cell], std::min(at_low, at_high), std::max(at_low, at_high));
        }
        slope_[cell] = slope;
        best = kUnreachable;
        for (std::size_t k = row.first; k < row.free; ++k)
            best = std::min(best, total_[k] + least(slope_b_[k] - slope, low, high));
        for (std::size_t k = row.free; k < row.last; ++k)
            best = std::min(best, value[k] + held_edge(k, row, slope_b_[k] - slope).value);
        value_[cell] = best;
    }
}

/// Fills rest_ for node i, and finds for each cell of node i + 1 the edges that a path as good as `best` may use.
void Certificate::backward(std::size_t i, double best) {
    const Node &node = nodes_[i], &next = nodes_[i + 1];
    const double* value = &value_[node.offset];
    double *rest = &rest_[node.offset], *excess = &excess_[node.offset];
    std::fill(rest, rest + node.size(), kUnreachable);
    std::fill(excess, excess + node.size(), 0.0);
    for (std::size_t l = 0; l < next.size(); ++l) {
        const std::size_t cell = next.offset + l;
        const bool reachable = rest_[cell] < kUnreachable && value_[cell] < kUnreachable;
        const Row row = reachable ? expand_edges(i, l) : Row{};
        const double slope = slope_[cell], low = low_[cell], high = high_[cell];
        const auto consider = [&](double total, std::size_t k, double left) {
            total_[k] = value[k] + total;
            const bool better = total < rest[k];
            rest[k] = better ? total : rest[k];
            excess[k] = better ? left : excess[k];
        };
        for (std::size_t k = row.first; k < row.free; ++k)
            consider(rest_[cell] + base_[k] + least_at_start(k, row) + least(slope_b_[k] - slope, low, high), k, slope_a_[k]);
        for (std::size_t k = row.free; k < row.last; ++k) {
            const Held edge = held_edge(k, row, slope_b_[k] - slope);
            consider(rest_[cell] + edge.value, k, edge.slope);
        }
        std::size_t first = row.first, last = row.last;
        while (first < last && !(total_[first] <= best)) ++first;
        while (last > first && !(total_[last - 1] <= best)) --last;
        first_edge_[cell] = first;
        last_edge_[cell] = last;
    }
    // the potential's slope that would have left nothing at the start of the cheapest edge
    for (std::size_t k = 0; k < node.size(); ++k)
        excess[k] = slope_[node.offset + k] - excess[k] - cells_.weight[node.offset + k];
}

/// What the last node's potential leaves to pay: at least g x + gamma x^2/2 over its cell.
double Certificate::end_value(std::size_t cell) const {
    return least(slope_[cell], low_[cell], high_[cell]) - 0.5 * std::max(0.0, -cells_.curvature[cell]) * reach2_[cell];
}

double Certificate::bound() {
    const Node &first = nodes_.front(), &last = nodes_.back();
    for (std::size_t cell = first.offset; cell < first.offset + first.size(); ++cell) {
        slope_[cell] = 0.0;
        value_[cell] = -0.5 * std::max(0.0, cells_.curvature[cell]) * reach2_[cell];
    }
    for (std::size_t i = 0; i + 1 < nodes_.size(); ++i) forward(i);
    double bound = kUnreachable;
    for (std::size_t cell = last.offset; cell < last.offset + last.size(); ++cell) {
        rest_[cell] = end_value(cell);
        bound = std::min(bound, value_[cell] + rest_[cell]);
    }
    work_ += edges();
    return bound;
}

void Certificate::path(std::span<double> t) const {
    const Node& last = nodes_.back();
    std::size_t at = last.offset;
    for (std::size_t cell = last.offset; cell < last.offset + last.size(); ++cell)
        if (value_[cell] + rest_[cell] < value_[at] + rest_[at]) at = cell;
    for (std::size_t i = nodes_.size(); i-- > 0;) {
        const Node& node = nodes_[i];
        const double x = centre(node.first + static_cast<std::int64_t>(at - node.offset));
        t[i] = problem_->noise.t(std::clamp(x, node.low, node.high));
        if (i > 0) at = nodes_[i - 1].offset + from_[at];
    }
}

Certificate::Progress Certificate::refine(double best, double open, double wanted) {
    work_ += edges();  // backwards
    if (work_ > kMaxEdges || ++passes_ > kMostPasses) return Progress::exhausted;
    for (std::size_t i = nodes_.size() - 1; i-- > 0;) backward(i, best);
    coarse_nodes_ = nodes_;
    double widest = 0.0, cells = 0.0;
    for (Node& node : nodes_) {
        std::size_t first = node.size(), last = 0;
        for (std::size_t k = 0; k < node.size(); ++k) {
            if (!(value_[node.offset + k] + rest_[node.offset + k] <= best)) continue;
            first = std::min(first, k);
            last = k;
        }
        if (first == node.size()) return Progress::closed;
        const double low = centre(node.first + static_cast<std::int64_t>(first)) - 0.5 * step_;
        const double high = centre(node.first + static_cast<std::int64_t>(last)) + 0.5 * step_;
        node.low = std::max(node.low, low);
        node.high = std::max(node.low, std::min(node.high, high));
        widest = std::max(widest, (node.high - node.low) / step_);
        cells += (node.high - node.low) / step_;
    }
    const double needed = 1.5 * std::sqrt(open / wanted);
    const double affordable = std::min(std::sqrt((kMaxEdges - work_) / edges()), kMaxCells / cells);
    const double finer = std::min(std::clamp(kWindowCells / widest, 2.0, std::max(2.0, needed)), affordable);
    if (!(finer > kLeastRefinement)) return Progress::exhausted;
    set_step(step_ / finer);
    return Progress::refined;
}

}  // namespace hso::detail

#include "chain_qp.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hso::detail {

namespace {

constexpr double kActive = 1e-14;             ///< a slack this small is none
constexpr double kClearlyPositive = 1e-9;     ///< a pivot above this share of the block's diagonal is trusted ...
constexpr double kLeastPivot = 1e-6;          ///< ... and any other raised to at least this share of its diagonal entry
constexpr double kFlat = 1e-9;                ///< entries below this share of the largest count as that
constexpr std::size_t kMostIterations = 500;  ///< of either rule; where they end the step is feasible and downhill
constexpr std::size_t kWork = 25;             ///< nanoseconds or so for a node in an iteration
constexpr double kLeastMultiplier = 1e-12;    ///< of the largest residual: below minus this a multiplier is negative

}  // namespace

void ChainQp::resize(std::size_t nodes) {
    n_ = nodes;
    for (auto* flags : {&tied_, &block_held_}) flags->resize(nodes);
    pin_.resize(nodes);
    block_.resize(nodes);
    for (auto* column : {&diagonal_, &residual_, &block_diagonal_, &block_off_, &block_step_}) column->resize(nodes);
}

/// Everything that is tight at p = 0, but never two pins in one block, which would leave the multipliers between them open.
void ChainQp::start(const Problem& problem) {
    bool has_pin = false;
    for (std::size_t i = 0; i < n_; ++i) {
        tied_[i] = i + 1 < n_ && problem.slack[i] <= kActive;
        const bool at_low = problem.low[i] >= -kActive, at_high = problem.high[i] <= kActive;
        pin_[i] = at_low && at_high ? Pin::fixed : at_low ? Pin::low : at_high ? Pin::high : Pin::none;
        if (pin_[i] != Pin::none) {
            if (has_pin && pin_[i] != Pin::fixed) pin_[i] = Pin::none;
            else if (has_pin) tied_[i - 1] = 0;
            has_pin = true;
        }
        if (!tied_[i]) has_pin = false;
    }
}

void ChainQp::find_blocks() {
    blocks_ = 0;
    for (std::size_t i = 0; i < n_; ++i) {
        if (i == 0 || !tied_[i - 1]) block_held_[blocks_++] = 0;
        block_[i] = blocks_ - 1;
        if (pin_[i] != Pin::none) block_held_[blocks_ - 1] = 1;
    }
}

/// Solves the Newton system in the blocks' displacements; blocks that a bound holds stay. False if it is not positive definite.
bool ChainQp::find_block_steps(const Problem& problem) {
    std::size_t i = 0;
    for (std::size_t b = 0; b < blocks_; ++b, ++i) {
        double diagonal = diagonal_[i], scale = std::abs(diagonal), rhs = -residual_[i];
        for (; tied_[i]; ++i) {
            diagonal += diagonal_[i + 1] + 2.0 * problem.off_diagonal[i];
            scale += std::abs(diagonal_[i + 1]);
            rhs -= residual_[i + 1];
        }
        if (block_held_[b]) {
            block_diagonal_[b] = 1.0;
            block_off_[b] = block_step_[b] = 0.0;
            continue;
        }
        if (b > 0 && block_off_[b - 1] != 0.0) {
            const double factor = block_off_[b - 1] / block_diagonal_[b - 1];
            diagonal -= factor * block_off_[b - 1];
            rhs -= factor * block_step_[b - 1];
        }
        if (!(diagonal > kClearlyPositive * scale)) return false;
        block_diagonal_[b] = diagonal;
        block_step_[b] = rhs;
        block_off_[b] = b + 1 < blocks_ && !block_held_[b + 1] ? problem.off_diagonal[i] : 0.0;
    }
    double after = 0.0;
    for (std::size_t b = blocks_; b-- > 0;)
        after = block_step_[b] = (block_step_[b] - block_off_[b] * after) / block_diagonal_[b];
    return true;
}

/// Raises the pivots of H itself that are not clearly positive: it is positive definite on every block then.
void ChainQp::raise_diagonal(const Problem& problem) {
    double largest = 0.0, pivot = 0.0;
    for (double d : problem.diagonal) largest = std::max(largest, std::abs(d));
    const double flat = largest > 0.0 ? kFlat * largest : 1.0;
    for (std::size_t i = 0; i < n_; ++i) {
        const double off = i > 0 ? problem.off_diagonal[i - 1] : 0.0, lost = i > 0 ? off * off / pivot : 0.0;
        const double scale = std::max(std::abs(problem.diagonal[i]), flat);
        pivot = problem.diagonal[i] - lost;
        if (!(pivot > kLeastPivot * scale)) pivot = std::max(std::abs(pivot), kLeastPivot * scale);
        diagonal_[i] = pivot + lost;
    }
}

/// Goes along the blocks' displacements up to the first constraint, which joins the active set; returns the share gone.
double ChainQp::advance(const Problem& problem, std::span<double> step) {
    double share = 1.0;
    std::size_t at = n_;
    Pin kind = Pin::none;
    const auto limit = [&](double room, double speed, std::size_t i, Pin pin) {
        if (!(speed > 0.0) || !(room < share * speed)) return;
        share = std::max(0.0, room) / speed;
        at = i;
        kind = pin;
    };
    for (std::size_t i = 0; i < n_; ++i) {
        const double move = block_step_[block_[i]];
        if (i + 1 < n_ && !tied_[i])
            limit(problem.slack[i] + step[i] - step[i + 1], block_step_[block_[i + 1]] - move, i, Pin::none);
        if (move < 0.0) limit(step[i] - problem.low[i], -move, i, Pin::low);
        if (move > 0.0) limit(problem.high[i] - step[i], move, i, Pin::high);
    }
    for (std::size_t i = 0; i < n_; ++i) step[i] += share * block_step_[block_[i]];
    if (at < n_) {
        if (kind == Pin::none) tied_[at] = 1;
        else pin_[at] = kind;
    }
    for (std::size_t i = 0; i < n_; ++i) {
        double sum = problem.gradient[i] + diagonal_[i] * step[i];
        if (i > 0) sum += problem.off_diagonal[i - 1] * step[i - 1];
        if (i + 1 < n_) sum += problem.off_diagonal[i] * step[i + 1];
        residual_[i] = sum;
    }
    return at < n_ ? share : 1.0;
}

/// Lets go of the constraint with the most negative multiplier, one in each block or one in all; false if there is none.
bool ChainQp::release(bool one_only) {
    struct Candidate {
        double multiplier;
        std::size_t at;
        bool pin;
    };
    double scale = 0.0;
    for (double r : residual_) scale = std::max(scale, std::abs(r));
    const Candidate none{-kLeastMultiplier * scale, n_, false};
    const auto let_go = [this](const Candidate& candidate) {
        if (candidate.at == n_) return false;
        if (candidate.pin) pin_[candidate.at] = Pin::none;
        else tied_[candidate.at] = 0;
        return true;
    };
    bool released = false;
    Candidate worst_of_all = none;
    for (std::size_t first = 0, last = 0; first < n_; first = last + 1) {
        std::size_t pinned = n_;
        for (last = first;; ++last) {
            if (pin_[last] != Pin::none) pinned = last;
            if (!tied_[last]) break;
        }
        Candidate worst = none;
        const auto consider = [&worst](double multiplier, std::size_t at, bool pin) {
            if (multiplier < worst.multiplier) worst = {multiplier, at, pin};
        };
        // A gap's multiplier is the force that the nodes on its far side from the pin exert on it.
        double from_start = 0.0, from_end = 0.0;
        for (std::size_t i = first; i < std::min(pinned, last); ++i) consider(from_start += residual_[i], i, false);
        if (pinned < n_) {
            for (std::size_t i = last; i > pinned; --i) consider(from_end -= residual_[i], i - 1, false);
            const double force = from_start + residual_[pinned] - from_end;
            if (pin_[pinned] == Pin::low) consider(force, pinned, true);
            if (pin_[pinned] == Pin::high) consider(-force, pinned, true);
        }
        if (!one_only) released |= let_go(worst);
        else if (worst.multiplier < worst_of_all.multiplier) worst_of_all = worst;
    }
    return released || let_go(worst_of_all);
}

void ChainQp::solve(const Problem& problem, std::span<double> step, Checkpoint& checkpoint) {
    std::copy(problem.diagonal.begin(), problem.diagonal.end(), diagonal_.begin());
    raised_ = false;
    const auto begin = [&] {
        std::fill(step.begin(), step.end(), 0.0);
        std::copy(problem.gradient.begin(), problem.gradient.end(), residual_.begin());
        start(problem);
    };
    begin();
    // Letting go of one constraint in each block is fast; one in all cannot cycle.
    const std::size_t patience = std::min(4 * n_ + 20, kMostIterations);
    for (std::size_t iteration = 0; iteration < 3 * patience; ++iteration) {
        checkpoint.pass(kWork * n_);
        find_blocks();
        if (!find_block_steps(problem)) {
            if (raised_) break;  // by rounding: the step so far is feasible and downhill
            raise_diagonal(problem);
            raised_ = true;
            begin();
            continue;
        }
        if (advance(problem, step) < 1.0) continue;
        if (!release(iteration > patience)) break;
    }
    find_blocks();
}

}  // namespace hso::detail

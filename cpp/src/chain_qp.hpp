#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "checkpoint.hpp"

namespace hso::detail {

/// A quadratic program on a chain: minimizes g.p + p.H p/2 with H tridiagonal, subject to
///     slack_i + p_i - p_{i+1} >= 0 (neighbours keep their distance)  and  low_i <= p_i <= high_i,
/// from the feasible p = 0 (slack >= 0, low <= 0 <= high). low_i = high_i = 0 holds a node fast; infinities are no bounds.
///
/// Primal active set method: the active set cuts the chain into blocks that move as one, so each iteration solves a
/// tridiagonal system in the blocks' displacements, O(n). Where H is not positive definite on the blocks that it meets, its
/// diagonal is raised until it is, and the solve starts again: the step is then a descent direction, not the minimum.
class ChainQp {
  public:
    explicit ChainQp(std::size_t nodes = 0) { resize(nodes); }

    /// For chains of another length from now on; allocates only for more nodes than ever before.
    void resize(std::size_t nodes);

    struct Problem {
        std::span<const double> diagonal, off_diagonal;  ///< of H: n and n - 1 entries
        std::span<const double> gradient, slack;         ///< n and n - 1 entries
        std::span<const double> low, high;               ///< n entries
    };
    void solve(const Problem& problem, std::span<double> step, Checkpoint& checkpoint);

    /// The last solve's active set: nodes i and i + 1 move as one; node i's block is held by a bound.
    bool tied(std::size_t i) const { return tied_[i]; }
    bool held(std::size_t i) const { return block_held_[block_[i]]; }
    /// Whether the last solve raised the diagonal: its step is no Newton step.
    bool raised() const { return raised_; }

  private:
    enum class Pin : unsigned char { none, low, high, fixed };

    void start(const Problem& problem);
    void find_blocks();
    bool find_block_steps(const Problem& problem);
    void raise_diagonal(const Problem& problem);
    double advance(const Problem& problem, std::span<double> step);
    bool release(bool one_only);

    std::size_t n_ = 0, blocks_ = 0;
    bool raised_ = false;
    std::vector<unsigned char> tied_, block_held_;
    std::vector<Pin> pin_;
    std::vector<std::size_t> block_;  ///< of a node
    std::vector<double> diagonal_;    ///< of H, raised where need be
    std::vector<double> residual_;    ///< g + H p
    std::vector<double> block_diagonal_, block_off_, block_step_;
};

}  // namespace hso::detail

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <hso/options.hpp>

#include "certificate.hpp"
#include "checkpoint.hpp"
#include "lattice_path.hpp"
#include "local_moves.hpp"
#include "newton.hpp"
#include "problem.hpp"
#include "search.hpp"

namespace hso::detail {

/// The best schedule known and how it is improved from a start.
class BestSchedule {
  public:
    /// For `problem`, which must outlive its use here, as `checkpoint`, from now on: nothing is known.
    void reset(const Problem& problem, Checkpoint& checkpoint);

    /// Polishes `start`, any order-keeping nodes, and keeps it if it is better.
    bool improve(std::vector<double>& start);

    double value() const { return value_; }
    const std::vector<double>& t() const { return t_; }
    std::int64_t evaluations() const { return evaluations_; }

    /// Whether there may be several minima close together: w = G - G'' is not positive everywhere, or not smooth, or nodes
    /// met kinks of lambda(t) or may have.
    bool may_be_local() const;

  private:
    bool has_ties() const;

    const Problem* problem_ = nullptr;
    Newton newton_;
    std::vector<double> t_;
    double value_ = 0.0;
    bool kinked_ = false;
    std::int64_t evaluations_ = 0;
};

/// The global optimum: a shortest path over a lattice, polished by Newton's method, then a certificate. One object may serve
/// one problem after the other: it allocates only where it needs more room than ever before, and keeps the lattice as long
/// as noise schedule, proxy and ends stay the same.
class ExactSearch {
  public:
    /// Fills a `result` that holds the defaults.
    void run(const Problem& problem, const Options& options, Checkpoint& checkpoint, SearchResult& result);

  private:
    /// What the lattice was made for. Its copies keep alive what their comparison goes by.
    struct LatticeKey {
        NoiseSchedule noise;
        ErrorProxy proxy;
        double first, last;  ///< t of the ends

        bool fits(const Problem& problem) const;
    };

    const Lattice& lattice_for(const Problem& problem);
    void escape(const Problem& problem, Checkpoint& checkpoint);
    void certify(const Problem& problem, const Options& options, Checkpoint& checkpoint, SearchResult& result);

    Lattice lattice_;
    std::optional<LatticeKey> lattice_key_;
    LatticePath path_;
    BestSchedule best_;
    GatheredMoves gathered_;
    WindowSearch window_;
    Certificate certificate_;
    std::vector<double> start_;  ///< of the local solver
};

}  // namespace hso::detail

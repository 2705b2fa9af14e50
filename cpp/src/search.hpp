#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <hso/options.hpp>
#include <hso/schedule.hpp>

#include "checkpoint.hpp"
#include "differential_evolution.hpp"
#include "lower_level.hpp"
#include "parallel.hpp"
#include "problem.hpp"

namespace hso::detail {

/// What a search hands back: the optimized nodes and how it came to them.
struct SearchResult {
    std::vector<double> t = {};                             ///< problem.nodes(), strictly decreasing
    double rho = std::numeric_limits<double>::quiet_NaN();  ///< of the start, where there was one
    std::int64_t evaluations = 0;
    int generations = 0;
    double lower_bound = std::numeric_limits<double>::quiet_NaN();
    Status status = Status::converged;
};

/// The searches that evolve psi. One object may serve one problem after the other, and allocates only for more nodes,
/// threads or individuals than ever before (but see ThreadTeam, and NLopt, which allocates on its own).
class PsiSearch {
  public:
    /// The published search (paper's Algorithm 1): lower level without spacing, upper level scored with the penalty, ended
    /// by a local polish of psi. Fills a `result` that holds the defaults, as the next.
    void run_paper(const Problem& problem, const Options& options, Checkpoint& checkpoint, SearchResult& result);

    /// The same with the spacing as constraints of the lower level, ended by a polish of all nodes with the ends free.
    void run_bilevel(const Problem& problem, const Options& options, Checkpoint& checkpoint, SearchResult& result);

  private:
    /// What one thread works with.
    struct Worker {
        Checkpoint checkpoint;  ///< but for the calling thread
        LowerLevel level;
        std::vector<double> lambdas, t;
    };

    void prepare(const Problem& problem, const Options& options, const ThreadTeam& team, Checkpoint& checkpoint);
    const EvolutionResult& evolve(const Problem& problem, const Options& options, ThreadTeam& team, Checkpoint& checkpoint,
                                  FunctionRef<double(std::size_t, const Psi&)> fitness);
    void finish(const EvolutionResult& evolution, std::size_t workers, SearchResult& result) const;

    std::vector<Worker> workers_;  ///< as many as a search ever had
    DifferentialEvolution evolution_;
};

}  // namespace hso::detail

#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include <hso/export.h>
#include <hso/noise_schedule.hpp>
#include <hso/options.hpp>
#include <hso/start.hpp>

namespace hso {

/// How a search ended. None of these is an error: the schedule is valid in each.
enum class Status {
    converged,        ///< the search met its tolerance
    max_generations,  ///< the published budget of generations was spent
    uncertified,      ///< Search::exact: the gap asked for was not reached within its budget of work
    collapsed,        ///< nodes lie as close together as they may: the proxy rewards huge steps (p >= 3, see docs)
    given,            ///< not searched: built from nodes
};

/// A schedule of N network calls: N+1 noise levels, of which the network sees the first N.
struct Schedule {
    std::vector<double> t;               ///< N+1, strictly decreasing; the last is 0 for terminal zero and skip
    std::vector<double> lambdas;         ///< N+1, strictly increasing; the last is +infinity for terminal zero and skip
    std::vector<double> sigmas;          ///< N+1, strictly decreasing: VE sigma (flow: s); the last is 0 for zero and skip
    std::vector<double> timesteps;       ///< N: what the network is told
    int nfe = 0;                         ///< N, the number of network calls
    Terminal terminal = Terminal::zero;  ///< where the last one's interval ends
    double mep = 0.0;                    ///< the lower objective over the optimized nodes (eq. 8, or DM-NonUni's bound)
    double penalty = 0.0;                ///< gamma times the sum of eq. 10
    double fitness = 0.0;                ///< mep + penalty (eq. 9)
    Psi psi = {};                        ///< ends of the optimized nodes (and the start's rho)
    double lower_bound =
        std::numeric_limits<double>::quiet_NaN();  ///< no schedule within the options has a lower fitness; NaN: not known
    double gap = std::numeric_limits<double>::quiet_NaN();  ///< (fitness - lower_bound) / |fitness|
    double min_spacing = 0.0;                               ///< smallest |t_{i+1} - t_i| of the optimized nodes
    double d_min = 0.0;                                     ///< the spacing that was asked for
    std::int64_t evaluations = 0;                           ///< lower-level objective evaluations
    int generations = 0;                                    ///< of differential evolution
    double elapsed = 0.0;                                   ///< seconds
    Status status = Status::given;                          ///< how the search ended
};

/// Builds a schedule from nodes without a search: `t` strictly decreasing within the noise schedule, nfe nodes for
/// Terminal::zero, nfe + 1 for t_min and skip. mep, penalty and fitness are those of the given nodes under `options`
/// (its terminal, objective, proxy, gamma and d_min).
HSO_EXPORT Schedule schedule_from_nodes(const NoiseSchedule& noise, std::span<const double> t, const Options& options = {});

/// The enumerator's name; empty for a value that is none.
HSO_EXPORT std::string_view to_string(Family value);
HSO_EXPORT std::string_view to_string(Terminal value);        ///< the same
HSO_EXPORT std::string_view to_string(Search value);          ///< the same
HSO_EXPORT std::string_view to_string(LocalSolver value);     ///< the same
HSO_EXPORT std::string_view to_string(LowerObjective value);  ///< the same
HSO_EXPORT std::string_view to_string(Limits value);          ///< the same
HSO_EXPORT std::string_view to_string(Status value);          ///< the same

}  // namespace hso

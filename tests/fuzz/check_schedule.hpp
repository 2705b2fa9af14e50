#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include <hso/noise_schedule.hpp>
#include <hso/objective.hpp>
#include <hso/options.hpp>
#include <hso/schedule.hpp>
#include <hso/spacing.hpp>

#include "require.hpp"

namespace hso::fuzz {

/// The optimized nodes of a schedule, in t.
inline std::vector<double> optimized_nodes(const Schedule& s) {
    std::vector<double> nodes = s.t;
    if (s.terminal != Terminal::t_min) nodes.pop_back();
    if (s.terminal == Terminal::skip) nodes.push_back(s.psi.t_min);  // which skip does not sample
    return nodes;
}

/// Throws Broken unless `s` is a schedule of `nfe` calls: sizes, order, ends, and figures that are those of its nodes.
inline void check_schedule(const NoiseSchedule& noise, int nfe, const Options& o, const Schedule& s) {
    require(nfe >= 1 && s.nfe == nfe && s.terminal == o.terminal, "nfe and terminal as asked");
    const auto calls = static_cast<std::size_t>(nfe);
    require(
        s.t.size() == calls + 1 && s.lambdas.size() == calls + 1 && s.sigmas.size() == calls + 1 && s.timesteps.size() == calls,
        "sizes");
    const bool zero = o.terminal != Terminal::t_min;
    const auto [t_low, t_high] = noise.t_range();
    for (std::size_t i = 0; i < calls + 1; ++i) {
        const bool end = zero && i == calls;
        require(end ? s.t[i] == 0.0 && s.sigmas[i] == 0.0 && s.lambdas[i] == std::numeric_limits<double>::infinity()
                    : s.t[i] >= t_low && s.t[i] <= t_high && std::isfinite(s.lambdas[i]) && s.sigmas[i] >= 0.0 &&
                          std::isfinite(s.sigmas[i]),
                "levels finite and in the noise schedule's range");
        if (i < calls) require(std::isfinite(s.timesteps[i]), "timesteps finite");
        if (i == 0) continue;
        // a node at t = 0 of a table is followed by the terminal at t = 0
        require(s.t[i] < s.t[i - 1] || (end && s.t[i - 1] == 0.0), "t falls strictly");
        // where t alone tells two nodes apart, the others may round to the same
        require(s.lambdas[i] >= s.lambdas[i - 1] && s.sigmas[i] <= s.sigmas[i - 1], "lambda rises, sigma falls");
        if (i < calls) require(s.timesteps[i] <= s.timesteps[i - 1], "timesteps fall");
    }
    const auto nodes = optimized_nodes(s);
    require(nodes.front() == s.psi.t_max && nodes.back() == s.psi.t_min, "psi has the ends");
    require(nodes.size() < 2 || nodes[nodes.size() - 1] < nodes[nodes.size() - 2],
            "the last optimized node below the one before it");
    require(std::isfinite(s.mep) && s.mep >= 0.0, "objective finite, not negative");
    require(std::isfinite(s.penalty) && s.penalty >= 0.0 && s.fitness == s.mep + s.penalty, "penalty and fitness");
    require(s.min_spacing == min_spacing(nodes), "min_spacing");
    require(s.d_min >= 0.0 && (!o.d_min || s.d_min == *o.d_min), "d_min");
    require(std::isnan(s.gap) == std::isnan(s.lower_bound) && !(s.gap < 0.0) && !(s.lower_bound > s.fitness),
            "gap >= 0, bound below");
    require(s.evaluations >= 0 && s.generations >= 0 && s.elapsed >= 0.0 && !to_string(s.status).empty(), "counts");
}

/// The same for what a search found: within the ends and the spacing that it was given.
inline void check_found(const NoiseSchedule& noise, int nfe, const Options& o, const Schedule& s) {
    check_schedule(noise, nfe, o, s);
    require(s.status != Status::given, "searched");
    // where t up to 1 stands for the end of the range (flow, cosine), the node is that end
    const double t_high = noise.t_range().second;
    const auto within = [&](double x, const std::pair<double, double>& range) {
        return x >= std::min(range.first, t_high) - 1e-12 && x <= range.second + 1e-12;
    };
    const auto nodes = optimized_nodes(s);
    if (o.t_max) require(within(s.psi.t_max, *o.t_max), "t_max within its range");
    if (o.t_min && nodes.size() > 1) require(within(s.psi.t_min, *o.t_min), "t_min within its range");
    const Search search = o.search.value_or(o.objective == LowerObjective::mep ? Search::exact : Search::bilevel);
    const bool hard = search == Search::bilevel || (search == Search::exact && !o.gamma);
    if (hard) require(s.min_spacing >= s.d_min - 1e-9, "the spacing holds");
    const bool certified = search == Search::exact && std::isfinite(o.gap);
    if (certified) require(!std::isnan(s.gap), "a certificate where one was asked for");
    if (certified && s.status == Status::converged) require(s.gap <= o.gap + 1e-9, "converged means the gap is met");
}

}  // namespace hso::fuzz

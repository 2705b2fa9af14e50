#pragma once

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <hso/error_proxy.hpp>
#include <hso/options.hpp>
#include <hso/version.hpp>

#include "noises.hpp"
#include "source.hpp"

namespace hso::fuzz {

/// The arguments of one optimize().
struct Request {
    NoiseSchedule noise;
    int nfe = 1;
    Options options = {};
};

inline ErrorProxy valid_proxy(Source& source, const NoiseSchedule& noise) {
    if (!source.one_in(4)) return ErrorProxy::power(source.pick({2.0, 1.0, 0.0, 0.5, 1.5, 2.5, 3.0, 4.0}));
    const auto [low, high] = noise.lambda_range();
    const auto lambda = rising(source, 2 + source.below(6), low, high);
    std::vector<double> value(lambda.size());
    for (double& v : value) v = source.scale(0.1, 10.0);
    return ErrorProxy::table(lambda, value);
}

/// Options that fit `noise` and `nfe`, each member given or left out, with budgets for a search of milliseconds.
inline Options valid_options(Source& source, const NoiseSchedule& noise, int nfe) {
    const bool slsqp = has_nlopt();
    Options o;
    o.terminal = source.pick({Terminal::zero, Terminal::t_min, Terminal::skip});
    const bool few = nfe <= 10;  // for searches that take long with many
    if (few && slsqp && source.one_in(32)) o.objective = LowerObjective::dm_nonuni;
    const bool mep = o.objective == LowerObjective::mep;
    const std::size_t search = few ? source.below(16) : 0;
    if (search == 15 && slsqp) o.search = Search::paper;
    else if (search >= 13 || !mep) o.search = Search::bilevel;
    else if (search >= 10) o.search = Search::exact;
    if (slsqp && (!mep || source.one_in(4))) o.local = LocalSolver::slsqp;
    else if (source.one_in(2)) o.local = LocalSolver::newton;
    if (source.one_in(2)) o.proxy = valid_proxy(source, noise);
    if (source.one_in(4)) o.gamma = source.scale(1e-3, 1e9);
    // a certificate takes up to its whole budget, which is seconds, where nodes may gather, where the spacing is soft, and for many nodes
    const bool easy = nfe <= 8 && !o.gamma && !(o.proxy && !(o.proxy->p() <= 2.0));
    o.gap = easy && source.one_in(4) ? source.scale(1e-2, 0.5) : std::numeric_limits<double>::infinity();
    const double low = noise.t_range().first, high = noise.t_range().second, width = high - low;
    const auto range = [&](double from, double to) {
        const double a = source.uniform(from, to), b = source.one_in(4) ? a : source.uniform(from, to);
        return std::pair(std::clamp(low + width * std::min(a, b), low, high),
                         std::clamp(low + width * std::max(a, b), low, high));
    };
    // The published ends are not in every table.
    const bool published = o.search == Search::paper || !mep;
    if (published || source.one_in(2)) o.limits = source.one_in(4) ? Limits::published : Limits::measured;
    const bool given = published || o.limits == Limits::published || source.one_in(2);
    if (given) {
        o.t_min = range(0.0, 0.2);
        o.t_max = range(0.7, 1.0);
        const int intervals = std::max(nfe, 2) - (o.terminal == Terminal::zero ? 1 : 0);
        const double room = (o.t_max->second - o.t_min->first) / intervals;
        o.d_min = room * source.pick({0.0, 0.5, 0.9, 0.999, 0.1, 0.01});
    } else if (source.one_in(2)) {
        o.d_min = source.pick({0.0, 1e-6, 1e-4});
    }
    const double rho = source.uniform(0.5, 10.0);
    o.rho = {rho, rho + source.uniform(0.0, 8.0)};
    o.seed = source.word(8);
    o.threads = source.one_in(64) ? source.between(0, 3) : 1;
    o.local_iterations = source.between(1, 80);
    o.evolution = {.population_factor = source.between(1, 3),
                   .max_generations = source.between(0, 3),
                   .tolerance = source.pick({0.01, 0.0, 1.0}),
                   .mutation_low = source.uniform(0.0, 1.0),
                   .mutation_high = source.uniform(1.0, 2.0),
                   .crossover = source.unit()};
    return o;
}

inline int usual_nfe(Source& source) { return source.one_in(16) ? source.between(1, 40) : source.between(1, 10); }

inline Request valid_request(Source& source) {
    NoiseSchedule noise = valid_noise(source);
    const int nfe = usual_nfe(source);
    Options options = valid_options(source, noise, nfe);
    return {std::move(noise), nfe, std::move(options)};
}

}  // namespace hso::fuzz

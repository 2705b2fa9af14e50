#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <hso/optimize.hpp>

#include "support.hpp"

namespace hso::test {

/// The arguments of one optimize().
struct Request {
    NoiseSchedule noise;
    int nfe = 1;
    Options options = {};

    Schedule fresh() const { return optimize(noise, nfe, options); }
    void run(Workspace& workspace, Schedule& out) const { optimize(noise, nfe, options, workspace, out); }
};

/// A table of eps~ with random values over the range of a noise schedule.
inline ErrorProxy random_proxy(Random& random, const NoiseSchedule& noise) {
    const auto [low, high] = noise.lambda_range();
    const std::size_t n = 2 + random.below(6);
    std::vector<double> value(n);
    for (double& v : value) v = std::exp(random.uniform(-2.0, 2.0));
    return ErrorProxy::table(random_increasing(random, n, low, high), value);
}

/// For Search::exact: every family and kind of table, power and tabulated proxies, all terminals, ends and spacings, soft
/// and hard, with and without a certificate (where that takes no seconds: not where nodes may gather).
inline Request random_exact_request(Random& random, int nfe) {
    const auto& noise = every_schedule()[random.below(every_schedule().size())].noise;
    Request request{noise, nfe};
    Options& o = request.options;
    o.search = Search::exact;
    o.terminal = std::array{Terminal::zero, Terminal::t_min, Terminal::skip}[random.below(3)];
    if (random.below(4) == 0) o.proxy = random_proxy(random, noise);
    else o.proxy = ErrorProxy::power(std::array{0.5, 1.0, 2.0, 2.0, 2.5, 3.0, 4.0}[random.below(7)]);
    const auto [t_low, t_high] = noise.t_range();
    const double width = t_high - t_low;
    o.t_min = std::pair(t_low + width * random.uniform(0.0, 0.1), t_low + width * random.uniform(0.1, 0.2));
    o.t_max = std::pair(t_low + width * random.uniform(0.7, 0.9), t_low + width * random.uniform(0.9, 1.0));
    const double most = (o.t_max->second - o.t_min->first) / nfe;
    o.d_min = random.below(4) ? most * random.uniform(0.0, 0.999) : 0.0;
    if (random.below(4) == 0) o.gamma = std::exp(random.uniform(0.0, 12.0));
    const bool may_gather = *o.d_min < 0.1 * most && !(o.proxy->p() <= 2.0);
    const double certified = nfe > 50 ? 0.1 : nfe > 12 ? 1e-2 : 1e-4;
    o.gap = random.below(2) && !may_gather ? certified : std::numeric_limits<double>::infinity();
    return request;
}

/// For Search::bilevel with Newton's method: every family, some spacing, a few generations.
inline Request random_bilevel_request(Random& random, int nfe) {
    Request request = random_exact_request(random, nfe);
    Options& o = request.options;
    o.search = Search::bilevel;
    o.local = LocalSolver::newton;
    o.seed = random.below(1000);
    o.evolution.population_factor = 1 + static_cast<int>(random.below(8));
    o.evolution.max_generations = static_cast<int>(random.below(6));
    return request;
}

}  // namespace hso::test

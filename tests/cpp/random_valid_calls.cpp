#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <hso/hso.hpp>

#include "check_noise.hpp"
#include "check_schedule.hpp"
#include "random_calls.hpp"
#include "random_models.hpp"
#include "requests.hpp"
#include "require.hpp"

namespace hso::test {

namespace {

using namespace hso::fuzz;

std::vector<double> nodes_within(Source& source, const NoiseSchedule& noise, std::size_t n) {
    const double low = noise.lambda_range().first, high = noise.lambda_range().second, width = high - low;
    return rising(source, n, low + width * source.uniform(0.0, 0.3), low + width * source.uniform(0.6, 1.0));
}

void make_noise(Caller& c) { check_noise(valid_noise(c.source), c.source); }

void make_wild_noise(Caller& c) {
    accepted([&] { check_noise(wild_noise(c.source), c.source); });
}

void make_proxy(Caller& c) {
    const NoiseSchedule noise = valid_noise(c.source);
    const ErrorProxy proxy = valid_proxy(c.source, noise);
    const double lambda = nodes_within(c.source, noise, 2).front();
    const auto log = proxy.log_weight(noise, lambda);
    const auto weight = proxy.weight(noise, lambda);
    require(std::abs(std::log(weight.g) - log.value) < 1e-12 * (1.0 + std::abs(log.value)), "log G and G");
    require(std::abs(proxy.value(noise, lambda) * std::exp(lambda) / weight.g - 1.0) < 1e-9, "G = eps~ e^lambda");
    require(std::isfinite(weight.d1) && std::isfinite(weight.d2) && proxy.is_power() == !std::isnan(proxy.p()), "derivatives");
}

void measure_mep(Caller& c) {
    const NoiseSchedule noise = valid_noise(c.source);
    const ErrorProxy proxy = valid_proxy(c.source, noise);
    const std::size_t n = 1 + c.source.below(12);
    const auto lambdas = nodes_within(c.source, noise, std::max<std::size_t>(n, 2));
    std::vector<double> gradient(lambdas.size()), diagonal(lambdas.size()), off(lambdas.size() - 1), again(lambdas.size());
    const double value = mep_hessian(noise, lambdas, proxy, gradient, diagonal, off);
    require(std::isfinite(value) && value >= 0.0, "MEP finite, not negative");
    require(value == mep(noise, lambdas, proxy) && value == mep_gradient(noise, lambdas, proxy, again) && gradient == again,
            "the same value from every function");
    for (double x : diagonal) require(std::isfinite(x), "Hessian finite");
    const double d = c.source.uniform(0.0, 0.2), gamma = c.source.scale(1e-3, 1e9);
    require(spf(noise, lambdas, d, gamma, proxy) >= value, "SPF is at least MEP");
    std::vector<double> batch;
    for (int row = 0; row < 3; ++row) batch.insert(batch.end(), lambdas.begin(), lambdas.end());
    std::vector<double> values(3), gradients(batch.size());
    mep_batch(noise, batch, lambdas.size(), proxy, values);
    require(values[0] == values[2] && std::abs(values[0] - value) <= 1e-13 * std::abs(value), "a batch's values");
    mep_gradient_batch(noise, batch, lambdas.size(), proxy, values, gradients);
    require(std::equal(gradients.begin(), gradients.begin() + static_cast<std::ptrdiff_t>(lambdas.size()),
                       gradients.end() - static_cast<std::ptrdiff_t>(lambdas.size())),
            "a batch's gradients");
    require(mep(noise, lambdas) >= 0.0, "MEP with the standard proxy");
}

void measure_dm_nonuni(Caller& c) {
    const NoiseSchedule noise = valid_noise(c.source);
    const ErrorProxy proxy = valid_proxy(c.source, noise);
    const auto lambdas = nodes_within(c.source, noise, 2 + c.source.below(10));
    std::vector<double> gradient(lambdas.size());
    const double value = dm_nonuni_gradient(noise, lambdas, proxy, gradient);
    require(std::isfinite(value) && value == dm_nonuni(noise, lambdas, proxy), "the bound finite and the same");
    require(dm_nonuni(noise, lambdas) >= 0.0, "the bound with the standard proxy");
}

void measure_spacing(Caller& c) {
    const auto t = rising(c.source, 2 + c.source.below(12), 0.0, 1.0);
    const double least = min_spacing(t), wanted = d_min(c.source.between(1, 40));
    require(least > 0.0 && least <= 1.0, "min_spacing");
    require(wanted >= 0.01 && wanted <= 0.15, "d_min between its limits");
    const double penalty = spacing_penalty(t, wanted, 1e9);
    require((penalty > 0.0) == (least < wanted), "a penalty where the spacing is missed");
}

void start(Caller& c) {
    const NoiseSchedule noise = valid_noise(c.source);
    const double low = noise.t_range().first, high = noise.t_range().second, width = high - low;
    const Psi psi{c.source.scale(0.5, 20.0), low + width * c.source.uniform(0.0, 0.4),
                  std::min(low + width * c.source.uniform(0.5, 1.0), high)};
    std::vector<double> lambdas(2 + c.source.below(12));
    karras_start(noise, psi, lambdas);
    for (std::size_t i = 1; i < lambdas.size(); ++i) require(lambdas[i] > lambdas[i - 1], "a start that rises");
    require(lambdas.front() == noise.lambda(psi.t_max) && lambdas.back() == noise.lambda(psi.t_min), "a start between its ends");
}

void search(Caller& c) {
    const Request r = valid_request(c.source);
    optimize(r.noise, r.nfe, r.options, c.workspace, c.schedule);
    check_found(r.noise, r.nfe, r.options, c.schedule);
}

void search_without_workspace(Caller& c) {
    const Request r = valid_request(c.source);
    const Schedule fresh = optimize(r.noise, r.nfe, r.options);
    check_found(r.noise, r.nfe, r.options, fresh);
    optimize(r.noise, r.nfe, r.options, c.workspace, c.schedule);
    require(fresh.t == c.schedule.t && fresh.fitness == c.schedule.fitness, "the same with a workspace");
    if (c.source.one_in(8)) c.workspace.release();
}

void search_several(Caller& c) {
    const NoiseSchedule noise = valid_noise(c.source);
    const std::vector<int> nfe = {c.source.between(1, 6), c.source.between(1, 6)};
    Options options = valid_options(c.source, noise, 6);
    options.search = Search::exact;
    options.objective = LowerObjective::mep;
    options.local = LocalSolver::newton;
    options.limits = Limits::measured;
    options.d_min = 0.0;
    const auto found = optimize(noise, nfe, options);
    require(found.size() == 2, "one schedule for each nfe");
    for (std::size_t i = 0; i < 2; ++i) check_found(noise, nfe[i], options, found[i]);
}

void search_by_default(Caller& c) {
    const NoiseSchedule noise = c.source.one_in(2) ? NoiseSchedule::edm() : NoiseSchedule::flow(c.source.scale(0.5, 12.0));
    const int nfe = c.source.between(1, 12);
    Options options;
    options.gap = std::numeric_limits<double>::infinity();
    Error error;
    require(try_optimize(noise, nfe, options, c.workspace, c.schedule, error) && error.code == ErrorCode::none, "try_optimize");
    check_found(noise, nfe, options, c.schedule);
}

void build(Caller& c) {
    const NoiseSchedule noise = valid_noise(c.source);
    const double low = noise.t_range().first, high = noise.t_range().second;
    Options options;
    options.terminal = c.source.pick({Terminal::zero, Terminal::t_min, Terminal::skip});
    options.proxy = valid_proxy(c.source, noise);
    const int nfe = c.source.between(1, 12);
    auto t = rising(c.source, static_cast<std::size_t>(nfe + 1), low, high);
    if (options.terminal == Terminal::zero) t.pop_back();
    std::reverse(t.begin(), t.end());
    const Schedule s = schedule_from_nodes(noise, t, options);
    check_schedule(noise, nfe, options, s);
    require(s.status == Status::given && optimized_nodes(s) == t, "the nodes that were given");
    Error error;
    require(try_schedule_from_nodes(noise, t, options, c.schedule, error) && c.schedule.mep == s.mep, "try_schedule_from_nodes");
}

void build_without_exceptions(Caller& c) {
    Error error;
    const auto table = valid_table(c.source);
    const auto noise = try_from_table(table.t, table.alpha, table.sigma, table.num_train_timesteps, error);
    require(noise && error.code == ErrorCode::none && *error.message == '\0', "try_from_table");
    const double lambda = noise->lambda(noise->t_range().second);
    std::vector<double> in(3, lambda), out(3);
    require(try_alpha(*noise, in, out, error) && out[1] == noise->alpha(lambda), "try_alpha");
    require(try_sigma(*noise, in, out, error) && out[1] == noise->sigma(lambda), "try_sigma");
    require(try_timestep(*noise, in, out, error) && out[1] == noise->timestep(lambda), "try_timestep");
    require(try_t(*noise, in, out, error) && try_lambda(*noise, out, in, error), "try_t and try_lambda");
    require(try_power_proxy(c.source.uniform(0.0, 4.0), error).has_value(), "try_power_proxy");
    require(try_from_betas(valid_betas(c.source), error) && try_from_alphas_cumprod(valid_alphas_cumprod(c.source), error),
            "discrete tables");
    require(try_vp_linear(0.1, c.source.uniform(1.0, 30.0), error) && try_vp_cosine(c.source.uniform(0.001, 1.0), error) &&
                try_flow(c.source.uniform(0.1, 10.0), error) && try_edm(0.002, c.source.uniform(1.0, 100.0), error),
            "continuous families");
}

void chains(Caller& c) {
    const std::size_t count = 2 + c.source.below(10), edges = 1 + c.source.below(6);
    std::vector<double> cost(count * count);
    for (double& x : cost) x = c.source.one_in(8) ? std::numeric_limits<double>::infinity() : c.source.uniform(-1.0, 5.0);
    const auto check = [&](const std::vector<ChainPath>& paths) {
        require(paths.size() == edges, "a chain for each number of edges");
        for (std::size_t n = 0; n < edges; ++n) {
            const auto& nodes = paths[n].nodes;
            require(nodes.empty() ? !(paths[n].cost < std::numeric_limits<double>::infinity()) : nodes.size() == n + 2,
                    "as many nodes as edges ask for");
            double sum = 0.0;
            for (std::size_t i = 1; i < nodes.size(); ++i) {
                require(nodes[i] > nodes[i - 1] && nodes[i] < count, "nodes in order");
                sum += cost[nodes[i - 1] * count + nodes[i]];
            }
            if (!nodes.empty()) require(std::abs(sum - paths[n].cost) < 1e-12 * (1.0 + std::abs(sum)), "the cost of its edges");
        }
    };
    const ChainPoints points{count};
    check(shortest_chains(points, cost, edges));
    check(shortest_chains_with_memory(
        points, cost,
        [&](std::size_t, std::size_t j, std::span<double> out) {
            std::copy_n(cost.begin() + static_cast<std::ptrdiff_t>(j * count + j + 1), out.size(), out.begin());
        },
        edges));
}

void model_errors(Caller& c) {
    const Model m = valid_model(c.source);
    const ErrorModel model(m.noise, m.measurements);
    require(model.rank() == m.measurements.rank && model.noise().fingerprint() == m.noise.fingerprint(), "what it was given");
    const auto& levels = m.measurements.lambdas;
    const auto nodes = rising(c.source, 2 + c.source.below(6), levels.front(), levels.back());
    const Terminal terminal = c.source.pick({Terminal::zero, Terminal::t_min, Terminal::skip});
    const Solver solver =
        c.source.pick({Solver{Solver::Kind::ddim, 1}, Solver{Solver::Kind::dpm_solver_pp, 2}, Solver{Solver::Kind::unipc, 3}});
    const double gain = model.best_gain(nodes, solver, terminal), best = model.error(nodes, solver, terminal, gain);
    require(std::isfinite(gain) && best >= 0.0 && best <= model.error(nodes, solver, terminal) * (1.0 + 1e-9), "the best gain");
    const auto carried = c.source.pick({ErrorModel::Carried::no, ErrorModel::Carried::x0, ErrorModel::Carried::to_zero});
    const auto jumps = model.jumps(nodes, carried);
    require(jumps.size() == nodes.size() * (nodes.size() + 1) && model.late_starts(nodes, carried).size() == nodes.size(),
            "sizes");
    for (double x : jumps) require(std::isfinite(x) && x >= 0.0, "errors of steps");
    if (!c.source.one_in(4)) return;
    ErrorModel::Search search;
    search.solver = solver;
    search.terminal = terminal;
    search.first = {levels.front(), levels.front()};
    search.last = {levels.back() - 1.0, levels.back()};
    search.max_iterations = 2;
    const auto found = model.improve(nodes, search);
    require(found.lambdas.size() == nodes.size() && std::is_sorted(found.lambdas.begin(), found.lambdas.end()) &&
                std::isfinite(found.error) && found.evaluations > 0,
            "nodes as good");
}

void ask_names(Caller& c) {
    require(!version().empty() && !to_string(c.source.pick({Family::vp, Family::flow, Family::ve, Family::general})).empty(),
            "names");
    require(
        to_string(static_cast<Status>(5)).empty() && !to_string(Status::given).empty() && !to_string(LocalSolver::newton).empty(),
        "names");
    require(!to_string(Search::paper).empty() && !to_string(Limits::published).empty() && !to_string(LowerObjective::mep).empty(),
            "names");
}

constexpr CallKind kKinds[] = {
    {"noise schedule", 20, make_noise},
    {"noise schedule, any numbers", 15, make_wild_noise},
    {"error proxy", 10, make_proxy},
    {"mep, spf and batches", 15, measure_mep},
    {"dm_nonuni", 5, measure_dm_nonuni},
    {"spacing", 5, measure_spacing},
    {"karras_start", 5, start},
    {"optimize, workspace", 15, search},
    {"optimize, no workspace", 3, search_without_workspace},
    {"optimize, several nfe", 3, search_several},
    {"try_optimize, defaults", 10, search_by_default},
    {"schedule_from_nodes", 15, build},
    {"try_ functions", 5, build_without_exceptions},
    {"chains", 8, chains},
    {"error model", 1, model_errors},
    {"names", 2, ask_names},
};

}  // namespace

std::span<const CallKind> valid_calls() { return kKinds; }

}  // namespace hso::test

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <hso/hso.hpp>

#include "random_calls.hpp"
#include "random_models.hpp"
#include "requests.hpp"
#include "require.hpp"

namespace hso::test {

namespace {

using namespace hso::fuzz;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

/// Throws Broken unless `call` is refused with a message that names `argument`.
template <class Call>
void refused(std::string_view argument, Call call) {
    try {
        call();
    } catch (const std::invalid_argument& error) {
        if (std::string_view(error.what()).find(argument) == std::string_view::npos)
            throw Broken("refused, but not by the name of " + std::string(argument) + ": " + error.what());
        return;
    }
    throw Broken("not refused: " + std::string(argument));
}

double not_finite(Source& source) { return source.pick({kNan, kInfinity, -kInfinity}); }
double not_positive(Source& source) {
    return source.one_in(2) ? not_finite(source) : -source.scale(1e-300, 1e300) * source.pick({1.0, 0.0});
}
double negative(Source& source) { return source.one_in(2) ? not_finite(source) : -source.scale(1e-300, 1e300); }

template <class Enum>
Enum no_enumerator(Source& source) {
    return static_cast<Enum>(source.pick({-1, 77, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()}));
}

double& any_of(Source& source, std::vector<double>& values) { return values[source.below(values.size())]; }

/// Breaks the order of values, which have at least two entries.
void break_order(Source& source, std::vector<double>& values) {
    const std::size_t i = 1 + source.below(values.size() - 1);
    values[i] = values[i - 1];
}

void discrete_noise(Caller& c) {
    Source& s = c.source;
    if (s.one_in(2)) {
        auto betas = valid_betas(s);
        if (s.one_in(4)) betas.resize(s.below(2));
        else any_of(s, betas) = s.one_in(2) ? not_positive(s) : s.uniform(1.0 + 1e-9, 3.0);
        return refused(betas.size() < 2 ? "betas" : "betas[", [&] { NoiseSchedule::from_betas(betas); });
    }
    auto values = valid_alphas_cumprod(s);
    switch (s.below(4)) {
        case 0: values.resize(s.below(2)); break;
        case 1: values.front() = not_positive(s); break;  // the last may be 0
        case 2: any_of(s, values) = s.uniform(1.0, 3.0); break;
        default:
            break_order(s, values);
            if (values.back() == 0.0 && values[values.size() - 2] == 0.0) values.back() = kNan;
            break;
    }
    refused("alphas_cumprod", [&] { NoiseSchedule::from_alphas_cumprod(values); });
}

void continuous_noise(Caller& c) {
    Source& s = c.source;
    switch (s.below(7)) {
        case 0: return refused("shift", [&] { NoiseSchedule::flow(not_positive(s)); });
        case 1: return refused("beta_min", [&] { NoiseSchedule::vp_linear(not_positive(s), 20.0); });
        case 2:
            return refused("beta_max",
                           [&] { NoiseSchedule::vp_linear(5.0, s.one_in(2) ? not_finite(s) : s.uniform(-5.0, 4.999)); });
        case 3:
            return refused("s", [&] { NoiseSchedule::vp_cosine(s.one_in(2) ? not_positive(s) : s.uniform(1.0 + 1e-9, 5.0)); });
        case 4: return refused("sigma_min", [&] { NoiseSchedule::edm(not_positive(s), 80.0); });
        case 5: return refused("sigma_max", [&] { NoiseSchedule::edm(1.0, s.one_in(2) ? not_finite(s) : s.uniform(-1.0, 1.0)); });
        default: return refused("sigma_max", [&] { NoiseSchedule::edm(1e-300, 1e300); });  // a range no model is told
    }
}

void table_noise(Caller& c) {
    Source& s = c.source;
    NoiseTable table = valid_table(s);
    const auto make = [&] { table.noise(); };
    switch (s.below(8)) {
        case 0: any_of(s, table.t) = s.one_in(2) ? not_finite(s) : s.pick({-0.1, 1.1, -1e300}); return refused("t[", make);
        case 1: break_order(s, table.t); return refused("t[", make);
        case 2: any_of(s, table.alpha) = not_positive(s); return refused("alpha[", make);
        case 3: any_of(s, table.sigma) = not_positive(s); return refused("sigma[", make);
        case 4: table.num_train_timesteps = not_positive(s); return refused("num_train_timesteps", make);
        case 5: (s.one_in(2) ? table.alpha : table.sigma).push_back(1.0); return refused("alpha and sigma", make);
        case 6: {
            const std::size_t i = 1 + s.below(table.alpha.size() - 1);
            table.alpha[i] = table.alpha[i - 1];
            table.sigma[i] = table.sigma[i - 1];
            return refused("alpha/sigma[", make);
        }
        default:
            table.t.resize(s.below(2));
            table.alpha.resize(table.t.size());
            table.sigma.resize(table.t.size());
            return refused("t", make);
    }
}

void evaluation(Caller& c) {
    Source& s = c.source;
    const NoiseSchedule noise = valid_noise(s);
    const double t = noise.t_range().second, low = noise.t_range().first, lambda = noise.lambda(t);
    const double reach = 10.0 + std::abs(noise.lambda_range().first) + std::abs(noise.lambda_range().second);
    const double outside = s.one_in(2) ? not_finite(s) : s.one_in(2) ? 1.0 + s.scale(1e-9, 1e300) : low - s.scale(1e-9, 1e300);
    std::vector<double> in(4, lambda), out(4);
    switch (s.below(7)) {
        case 0: return refused("t ", [&] { noise.lambda(outside); });
        case 1: return refused("t ", [&] { noise.lambda_slope(outside); });
        case 2:
            return refused("lambda", [&] {
                noise.t(s.one_in(2) ? not_finite(s) : s.pick({1.0, -1.0}) * reach * s.scale(1.0, 1e300));
            });
        case 3: return refused("lambda", [&] { s.one_in(2) ? noise.alpha(not_finite(s)) : noise.sigma(not_finite(s)); });
        case 4: return refused("lambda", [&] { noise.timestep(not_finite(s)); });
        case 5: return refused("u", [&] { noise.shifted(s.one_in(2) ? not_finite(s) : s.pick({-0.1, 1.1})); });
        default:
            if (s.one_in(2)) {
                out.resize(s.below(4));
                return refused("out", [&] { s.one_in(2) ? noise.t(in, out) : noise.sigma(in, out); });
            }
            any_of(s, in) = not_finite(s);
            return refused("lambda", [&] { s.one_in(2) ? noise.timestep(in, out) : noise.alpha(in, out); });
    }
}

void proxy(Caller& c) {
    Source& s = c.source;
    if (s.one_in(4)) return refused("p ", [&] { ErrorProxy::power(negative(s)); });
    auto lambda = rising(s, 2 + s.below(8), -5.0, 5.0);
    std::vector<double> value(lambda.size(), 1.0);
    const char* name = "proxy lambda";
    switch (s.below(5)) {
        case 0: any_of(s, lambda) = not_finite(s); break;
        case 1: break_order(s, lambda); break;
        case 2:
            any_of(s, value) = not_positive(s);
            name = "proxy value";
            break;
        case 3:
            value.resize(s.below(lambda.size()));
            name = "proxy value";
            break;
        default:
            lambda.resize(s.below(2));
            value.resize(lambda.size());
            break;
    }
    refused(name, [&] { ErrorProxy::table(lambda, value); });
}

void objective(Caller& c) {
    Source& s = c.source;
    const NoiseSchedule noise = valid_noise(s);
    const ErrorProxy p = ErrorProxy::power(2.0);
    auto lambdas = rising(s, 2 + s.below(8), noise.lambda_range().first, noise.lambda_range().second);
    const std::size_t n = lambdas.size();
    std::vector<double> gradient(n), diagonal(n), off(n - 1);
    const double bad = s.one_in(2) ? not_finite(s) : s.pick({-1.0, 1.0}) * s.scale(171.0, 1e300);
    const std::size_t wrong = s.one_in(2) ? n + 1 + s.below(3) : s.below(n);
    switch (s.below(12)) {
        case 0: any_of(s, lambdas) = bad; return refused("lambdas[", [&] { mep(noise, lambdas, p); });
        case 1: any_of(s, lambdas) = bad; return refused("lambdas[", [&] { mep_gradient(noise, lambdas, p, gradient); });
        case 2:
            any_of(s, lambdas) = bad;
            return refused("lambdas[", [&] { mep_batch(noise, lambdas, n, p, std::span(gradient).first(1)); });
        case 3: any_of(s, lambdas) = bad; return refused("lambdas[", [&] { dm_nonuni(noise, lambdas, p); });
        case 4: break_order(s, lambdas); return refused("lambdas[", [&] { dm_nonuni_gradient(noise, lambdas, p, gradient); });
        case 5: gradient.resize(wrong); return refused("gradient", [&] { mep_gradient(noise, lambdas, p, gradient); });
        case 6: gradient.resize(wrong); return refused("gradient", [&] { dm_nonuni_gradient(noise, lambdas, p, gradient); });
        case 7: {
            const std::size_t which = s.below(3);
            if (which == 0) gradient.resize(wrong);
            if (which == 1) diagonal.resize(wrong);
            if (which == 2) off.resize(n + s.below(3));
            return refused(which == 0   ? "gradient"
                           : which == 1 ? "diagonal"
                                        : "off_diagonal",
                           [&] { mep_hessian(noise, lambdas, p, gradient, diagonal, off); });
        }
        case 8: return refused("lambdas", [&] { s.one_in(2) ? mep(noise, {}, p) : dm_nonuni(noise, {}, p); });
        case 9: return refused("d_min", [&] { spf(noise, lambdas, negative(s), 1e9); });
        case 10: return refused("gamma", [&] { spf(noise, lambdas, 0.1, negative(s)); });
        default:
            switch (s.below(3)) {
                case 0: return refused("nodes", [&] { mep_batch(noise, lambdas, 0, p, gradient); });
                case 1: return refused("lambdas", [&] { mep_batch(noise, lambdas, n + 1 + s.below(5), p, gradient); });
                default: return refused("values", [&] { mep_gradient_batch(noise, lambdas, n, p, diagonal, gradient); });
            }
    }
}

void spacing_and_start(Caller& c) {
    Source& s = c.source;
    std::vector<double> t = {0.9, 0.5, 0.1}, lambdas(3);
    const NoiseSchedule noise = NoiseSchedule::flow(s.scale(0.5, 5.0));
    Psi psi{7.0, 0.1, 0.9};
    const auto start = [&] { karras_start(noise, psi, lambdas); };
    switch (s.below(9)) {
        case 0: return refused("nfe", [&] { d_min(s.pick({0, -1, std::numeric_limits<int>::min()})); });
        case 1: return refused("d_min", [&] { spacing_penalty(t, negative(s), 1e9); });
        case 2: return refused("gamma", [&] { spacing_penalty(t, 0.1, negative(s)); });
        case 3:
            any_of(s, t) = not_finite(s);
            return refused("t[", [&] { s.one_in(2) ? spacing_penalty(t, 0.1, 1.0) : min_spacing(t); });
        case 4: psi.rho = not_positive(s); return refused("rho", start);
        case 5: lambdas.resize(s.below(2)); return refused("lambdas", start);
        case 6: psi.t_min = s.one_in(2) ? kNan : s.pick({0.9, 1.0}); return refused("t_min", start);
        case 7: psi.t_min = s.pick({-1.0, -kInfinity}); return refused("t ", start);
        default: psi.t_max = s.pick({1.5, 1e300, kInfinity}); return refused("t ", start);
    }
}

/// Makes one member of valid options invalid; the name that the refusal has to have.
const char* spoil(Source& s, Options& o) {
    const auto bad_range = [&](std::pair<double, double> range) {
        switch (s.below(3)) {
            case 0: range.first = not_finite(s); break;
            case 1: range.second = not_finite(s); break;
            default: range.first = range.second + 0.01; break;
        }
        return range;
    };
    switch (s.below(20)) {
        case 0: o.terminal = no_enumerator<Terminal>(s); return "terminal";
        case 1: o.search = no_enumerator<Search>(s); return "search";
        case 2: o.local = no_enumerator<LocalSolver>(s); return "local";
        case 3: o.objective = no_enumerator<LowerObjective>(s); return "objective";
        case 4: o.limits = no_enumerator<Limits>(s); return "limits";
        case 5: o.gamma = s.one_in(4) ? s.scale(1.01e100, 1e308) : negative(s); return "gamma";
        case 6: o.gap = s.one_in(2) ? s.pick({kNan, -kInfinity}) : -s.scale(1e-300, 1e300) * s.pick({1.0, 0.0}); return "gap";
        case 7: o.d_min = s.one_in(4) ? s.scale(1.01, 1e300) : negative(s); return "d_min";
        case 8: o.rho = bad_range({3.0, 16.0}); return "rho";
        case 9: o.rho = {s.pick({0.0, -1.0, -1e300}), 16.0}; return "rho";
        case 10: o.t_min = bad_range({0.1, 0.2}); return "t_min";
        case 11: o.t_max = bad_range({0.8, 0.9}); return "t_max";
        case 12:
            o.threads = s.pick({-1, 1025, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()});
            return "threads";
        case 13: o.local_iterations = s.pick({0, -1, std::numeric_limits<int>::min()}); return "local_iterations";
        case 14:
            o.evolution.population_factor = s.pick({0, -1, 10001, std::numeric_limits<int>::max()});
            return "population_factor";
        case 15: o.evolution.max_generations = s.pick({-1, std::numeric_limits<int>::min()}); return "max_generations";
        case 16: o.evolution.tolerance = negative(s); return "tolerance";
        case 17: o.evolution.mutation_low = s.one_in(2) ? negative(s) : o.evolution.mutation_high + 0.01; return "mutation";
        case 18: o.evolution.mutation_high = s.one_in(2) ? not_finite(s) : s.scale(2.01, 1e300); return "mutation";
        default: o.evolution.crossover = s.one_in(2) ? negative(s) : s.scale(1.01, 1e300); return "crossover";
    }
}

void options(Caller& c) {
    Request r = valid_request(c.source);
    // objective dm_nonuni excludes searches and solvers, which would be refused before what is wrong here
    if (r.options.objective != LowerObjective::mep) {
        r.options.objective = LowerObjective::mep;
        r.options.search = Search::bilevel;
    }
    const char* const name = spoil(c.source, r.options);
    if (!c.source.one_in(4)) return refused(name, [&] { optimize(r.noise, r.nfe, r.options, c.workspace, c.schedule); });
    switch (c.source.below(3)) {
        case 0: return refused(name, [&] { optimize(r.noise, r.nfe, r.options); });
        case 1: return refused(name, [&] { optimize(r.noise, std::vector{1, r.nfe}, r.options); });
        default: {
            Error error;
            const double before = c.schedule.fitness;
            require(!try_optimize(r.noise, r.nfe, r.options, c.workspace, c.schedule, error) &&
                        error.code == ErrorCode::invalid_argument &&
                        std::string_view(error.message).find(name) != std::string_view::npos,
                    "try_optimize refuses by name");
            require(c.schedule.fitness == before || std::isnan(before), "a schedule untouched on failure");
        }
    }
}

void problem(Caller& c) {
    Source& s = c.source;
    Request r = valid_request(s);
    Options& o = r.options;
    const double low = r.noise.t_range().first, high = r.noise.t_range().second, width = high - low;
    const auto call = [&] { optimize(r.noise, r.nfe, o, c.workspace, c.schedule); };
    switch (s.below(8)) {
        case 0:
            r.nfe = s.pick({0, -1, 10001, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()});
            return refused("nfe", call);
        case 1:
            o.t_min = {low - s.scale(1e-6, 1e300), low};
            o.t_max = {high, high};
            return refused("t_min", call);
        case 2: o.t_max = {high, 1.0 + s.scale(1e-6, 1e300)}; return refused("t_max", call);
        case 3:
            o.t_min = {low, low + 0.8 * width};
            o.t_max = {low + 0.7 * width, high};
            return refused("t_min", call);
        case 4: {  // more spacing than there is room
            r.nfe = std::max(r.nfe, 2);
            o.gamma.reset();
            o.d_min = s.scale(1.01, 1e300) * (r.nfe > 2 || o.terminal != Terminal::zero ? 0.6 : 1.0);
            return refused("d_min", call);
        }
        case 5: {
            Options mixed;
            mixed.objective = LowerObjective::dm_nonuni;
            mixed.search = Search::exact;
            return refused(has_nlopt() ? "search" : "", [&] { optimize(r.noise, r.nfe, mixed); });
        }
        case 6: {
            Options mixed;
            mixed.objective = LowerObjective::dm_nonuni;
            mixed.local = LocalSolver::newton;
            return refused(has_nlopt() ? "local" : "", [&] { optimize(r.noise, r.nfe, mixed); });
        }
        default: {
            std::vector<int> nfe = {2, 3, 4};
            nfe[s.below(3)] = s.pick({0, -5, 10001});
            return refused("nfe", [&] { optimize(r.noise, nfe); });
        }
    }
}

void nodes(Caller& c) {
    Source& s = c.source;
    const NoiseSchedule noise = valid_noise(s);
    const double low = noise.t_range().first, high = noise.t_range().second;
    auto t = rising(s, 2 + s.below(8), low, high);
    std::reverse(t.begin(), t.end());
    Options o;
    o.terminal = s.pick({Terminal::zero, Terminal::t_min, Terminal::skip});
    const auto call = [&] { schedule_from_nodes(noise, t, o); };
    switch (s.below(5)) {
        case 0: t[s.below(t.size())] = kNan; return refused("t", call);
        case 1: t.front() = s.one_in(2) ? kInfinity : s.scale(1.01, 1e300); return refused("t", call);
        case 2: t.back() = s.one_in(2) ? -kInfinity : low - s.scale(1e-6, 1e300); return refused("t", call);
        case 3: break_order(s, t); return refused("t[", call);
        default: t.resize(o.terminal == Terminal::zero ? 0 : s.below(2)); return refused("t", call);
    }
}

void nodes_with_options(Caller& c) {
    const NoiseSchedule noise = NoiseSchedule::flow();
    const std::vector<double> t = {0.9, 0.5, 0.1};
    Options o;
    const char* const name = spoil(c.source, o);
    if (c.source.one_in(2)) return refused(name, [&] { schedule_from_nodes(noise, t, o); });
    Error error;
    require(!try_schedule_from_nodes(noise, t, o, c.schedule, error) &&
                std::string_view(error.message).find(name) != std::string_view::npos,
            "try_schedule_from_nodes refuses by name");
}

void without_exceptions(Caller& c) {
    Source& s = c.source;
    Error error;
    std::vector<double> bad = {0.9, not_positive(s)}, in(2, kNan), out(2);
    if (bad[1] == 0.0) bad[1] = kNan;  // zero terminal SNR is allowed
    bool done = true;
    switch (s.below(8)) {
        case 0: done = try_from_alphas_cumprod(bad, error).has_value(); break;
        case 1: done = try_from_betas(bad, error).has_value(); break;
        case 2: done = try_vp_linear(not_positive(s), 20.0, error).has_value(); break;
        case 3: done = try_vp_cosine(not_positive(s), error).has_value(); break;
        case 4: done = try_flow(not_positive(s), error) || try_edm(1.0, s.pick({kNan, 0.5}), error); break;
        case 5: done = try_from_table(bad, bad, bad, 1000.0, error).has_value(); break;
        case 6: done = try_power_proxy(negative(s), error) || try_table_proxy(bad, bad, error); break;
        default: {
            const NoiseSchedule noise = NoiseSchedule::edm();
            done = try_lambda(noise, in, out, error) || try_t(noise, in, out, error) || try_alpha(noise, in, out, error) ||
                   try_sigma(noise, in, out, error) || try_timestep(noise, in, out, error);
        }
    }
    require(!done && error.code == ErrorCode::invalid_argument && *error.message != '\0', "refused with a code and a message");
}

void chains(Caller& c) {
    Source& s = c.source;
    const std::size_t count = 2 + s.below(8);
    std::vector<double> cost(count * count, 1.0), ends(count, 0.0), t = rising(s, count, 0.0, 1.0);
    std::reverse(t.begin(), t.end());
    ChainPoints points{count};
    std::size_t edges = 3;
    double discount = 1.0;
    const char* name = "";
    switch (s.below(10)) {
        case 0:
            points.count = s.below(2);
            name = "points";
            break;
        case 1:
            edges = s.pick({std::size_t{0}, std::size_t{10001}, ~std::size_t{0}});
            name = "max_edges";
            break;
        case 2:
            discount = not_positive(s);
            name = "discount";
            break;
        case 3:
            cost.resize(s.below(cost.size()));
            name = "cost";
            break;
        case 4: {
            const std::size_t i = s.below(count - 1);
            cost[i * count + i + 1 + s.below(count - i - 1)] = s.pick({kNan, -kInfinity});
            name = "cost[";
            break;
        }
        case 5:
            any_of(s, ends) = s.pick({kNan, -kInfinity});
            points.start = ends;
            name = "start";
            break;
        case 6:
            ends.pop_back();
            points.end = ends;
            name = "end";
            break;
        case 7:
            points.spacing = negative(s);
            points.t = t;
            name = "spacing";
            break;
        case 8:
            break_order(s, t);
            points.t = t;
            points.spacing = 0.1;
            name = "t[";
            break;
        default:
            any_of(s, t) = kNan;
            points.t = t;
            points.spacing = 0.1;
            name = "t[";
            break;
    }
    if (s.one_in(2)) return refused(name, [&] { shortest_chains(points, cost, edges, discount); });
    const bool in_cost = std::string_view(name).starts_with("cost");
    refused(in_cost ? "first" : name, [&] {
        shortest_chains_with_memory(
            points, cost, [](std::size_t, std::size_t, std::span<double> out) { std::fill(out.begin(), out.end(), 1.0); }, edges,
            discount);
    });
}

void measurements(Caller& c) {
    Source& s = c.source;
    Model m = valid_model(s);
    Measurements& data = m.measurements;
    struct Column {
        const char* name;
        std::vector<double>* values;
    };
    const Column columns[] = {{"lambdas", &data.lambdas},
                              {"x0", &data.x0},
                              {"states", &data.states},
                              {"eps", &data.eps},
                              {"probe_lambdas", &data.probe_lambdas},
                              {"probe_errors", &data.probe_errors},
                              {"probe_responses", &data.probe_responses}};
    const Column column = columns[s.below(std::size(columns))];
    const char* name = column.name;
    switch (s.below(6)) {
        case 0:
        case 1: any_of(s, *column.values) = not_finite(s); break;
        case 2:
            if (column.values == &data.lambdas) data.lambdas.resize(s.below(4));
            else column.values->resize(column.values == &data.probe_lambdas ? 0 : s.below(column.values->size()));
            break;
        case 3:
            data.rank = 0;
            name = "rank";
            break;
        case 4:
            break_order(s, data.lambdas);
            name = "lambdas[";
            break;
        default:
            any_of(s, data.probe_lambdas) = s.pick({-4.6, 4.1, 1e300});
            name = "probe_lambdas[";
            break;
    }
    refused(name, [&] { ErrorModel(m.noise, data); });
}

void model_arguments(Caller& c) {
    Source& s = c.source;
    Model m = valid_model(s);
    const ErrorModel model(m.noise, m.measurements);
    std::vector<double> x = {-4.0, -1.0, 2.0};
    Solver solver;
    Terminal terminal = Terminal::zero;
    double gain = 1.0;
    const auto measure = [&] { model.error(x, solver, terminal, gain); };
    ErrorModel::Search search;
    search.first = {-4.5, -3.5};
    search.last = {1.0, 3.0};
    const auto improve = [&] { model.improve(x, search); };
    switch (s.below(13)) {
        case 0: any_of(s, x) = not_finite(s); return refused("lambda", measure);
        case 1: break_order(s, x); return refused("lambdas[", measure);
        case 2: x.clear(); return refused("lambdas", measure);
        case 3: gain = not_finite(s); return refused("gain", measure);
        case 4: solver.order = s.pick({0, -1, 2, 77}); return refused("order", measure);
        case 5: solver.kind = no_enumerator<Solver::Kind>(s); return refused("kind", measure);
        case 6: terminal = no_enumerator<Terminal>(s); return refused("terminal", measure);
        case 7:
            search.least_gap = s.one_in(2) ? s.pick({kNan, -kInfinity, 0.0, -1.0}) : s.pick({100.0, kInfinity});
            return refused("least_gap", improve);
        case 8: search.caution = negative(s); return refused("caution", improve);
        case 9: search.first = s.one_in(2) ? std::pair(kNan, 1.0) : std::pair(50.0, 60.0); return refused("first", improve);
        case 10: search.last = s.one_in(2) ? std::pair(1.0, kNan) : std::pair(2.0, -60.0); return refused("last", improve);
        case 11: search.max_iterations = s.pick({-1, std::numeric_limits<int>::min()}); return refused("max_iterations", improve);
        default: {
            const auto carried = s.pick({ErrorModel::Carried::no, ErrorModel::Carried::x0});
            if (s.one_in(2)) break_order(s, x);
            else any_of(s, x) = not_finite(s);
            return refused("lambda", [&] { s.one_in(2) ? model.jumps(x, carried) : model.late_starts(x, carried); });
        }
    }
}

constexpr CallKind kKinds[] = {
    {"from_alphas_cumprod, betas", 15, discrete_noise},
    {"continuous families", 15, continuous_noise},
    {"from_table", 15, table_noise},
    {"evaluation", 20, evaluation},
    {"error proxy", 10, proxy},
    {"objectives", 20, objective},
    {"spacing and start", 10, spacing_and_start},
    {"optimize, options", 40, options},
    {"optimize, problem", 15, problem},
    {"schedule_from_nodes, nodes", 10, nodes},
    {"schedule_from_nodes, options", 10, nodes_with_options},
    {"try_ functions", 10, without_exceptions},
    {"chains", 10, chains},
    {"ErrorModel, measurements", 4, measurements},
    {"ErrorModel, arguments", 2, model_arguments},
};

}  // namespace

std::span<const CallKind> invalid_calls() { return kKinds; }

}  // namespace hso::test

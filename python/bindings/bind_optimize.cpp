#include <array>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>

#include <hso/optimize.hpp>

#include "numpy.hpp"
#include "signals.hpp"

namespace hso::bindings {

namespace {

using Range = std::pair<double, double>;

/// The value with this name; the message of the error lists the known ones.
template <class Enum, std::size_t n>
Enum parse(std::string_view argument, const std::string& name, const std::array<Enum, n>& values) {
    std::string known;
    for (Enum value : values) {
        if (to_string(value) == name) return value;
        known.append(known.empty() ? "'" : ", '").append(to_string(value)).append("'");
    }
    throw std::invalid_argument(std::string(argument) + " must be one of " + known + ", got '" + name + "'");
}

Terminal parse_terminal(const std::string& name) {
    return parse("terminal", name, std::array{Terminal::zero, Terminal::t_min, Terminal::skip});
}

LowerObjective parse_objective(const std::string& name) {
    return parse("objective", name, std::array{LowerObjective::mep, LowerObjective::dm_nonuni});
}

/// Whether a search is over before another thread would have woken up to take the GIL: handing it over twice costs more than
/// there is to gain (bench/python/bench_threads.py). The usual ones of few nodes are: 2 us a node. Steeper proxies and a
/// soft spacing may take a millisecond.
bool takes_microseconds(const std::vector<int>& nfe, const ErrorProxy& proxy, const Options& options) {
    const bool exact = options.objective == LowerObjective::mep && options.search.value_or(Search::exact) == Search::exact;
    const bool usual = proxy.is_power() && proxy.p() <= 2.0 && !options.gamma;
    return exact && usual && std::isinf(options.gap) && nfe.size() == 1 && nfe.front() <= 12;
}

template <auto member>
auto array_property() {
    return [](const Schedule& schedule) { return to_array(schedule.*member); };
}

}  // namespace

void bind_optimize(py::module_& module) {
    py::class_<Schedule>(module, "Schedule")
        .def_property_readonly("t", array_property<&Schedule::t>())
        .def_property_readonly("lambdas", array_property<&Schedule::lambdas>())
        .def_property_readonly("sigmas", array_property<&Schedule::sigmas>())
        .def_property_readonly("timesteps", array_property<&Schedule::timesteps>())
        .def_readonly("nfe", &Schedule::nfe)
        .def_property_readonly("terminal", [](const Schedule& schedule) { return to_string(schedule.terminal); })
        .def_readonly("mep", &Schedule::mep)
        .def_readonly("penalty", &Schedule::penalty)
        .def_readonly("fitness", &Schedule::fitness)
        .def_property_readonly("psi", [](const Schedule& s) { return std::tuple(s.psi.rho, s.psi.t_min, s.psi.t_max); })
        .def_readonly("lower_bound", &Schedule::lower_bound)
        .def_readonly("gap", &Schedule::gap)
        .def_readonly("min_spacing", &Schedule::min_spacing)
        .def_readonly("d_min", &Schedule::d_min)
        .def_readonly("evaluations", &Schedule::evaluations)
        .def_readonly("generations", &Schedule::generations)
        .def_readonly("elapsed", &Schedule::elapsed)
        .def_property_readonly("status", [](const Schedule& schedule) { return to_string(schedule.status); });

    module.def(
        "optimize",
        [](const NoiseSchedule& noise, const std::vector<int>& nfe, const std::string& terminal,
           const std::optional<std::string>& search, const std::optional<std::string>& local, const std::string& objective,
           const ErrorProxy& proxy, std::optional<double> gamma, double gap, const std::optional<std::string>& limits,
           std::optional<double> least, const Range& rho, const std::optional<Range>& t_min, const std::optional<Range>& t_max,
           std::uint64_t seed, int threads) {
            Options options;
            options.terminal = parse_terminal(terminal);
            if (search) options.search = parse("search", *search, std::array{Search::exact, Search::bilevel, Search::paper});
            if (local) options.local = parse("local", *local, std::array{LocalSolver::newton, LocalSolver::slsqp});
            options.objective = parse_objective(objective);
            options.proxy = proxy;
            options.gamma = gamma;
            options.gap = gap;
            if (limits) options.limits = parse("limits", *limits, std::array{Limits::measured, Limits::published});
            options.d_min = least;
            options.rho = rho;
            options.t_min = t_min;
            options.t_max = t_max;
            options.seed = seed;
            options.threads = threads;
            if (takes_microseconds(nfe, proxy, options)) return optimize(noise, std::span(nfe), options);
            options.should_stop = signals();
            const py::gil_scoped_release release;
            return optimize(noise, std::span(nfe), options);
        },
        py::arg("noise"), py::arg("nfe"), py::arg("terminal"), py::arg("search"), py::arg("local"), py::arg("objective"),
        py::arg("proxy"), py::arg("gamma"), py::arg("gap"), py::arg("limits"), py::arg("d_min"), py::arg("rho"), py::arg("t_min"),
        py::arg("t_max"), py::arg("seed"), py::arg("threads"));
    module.def(
        "schedule_from_nodes",
        [](const NoiseSchedule& noise, const Array& t, const std::string& terminal, const std::string& objective,
           const ErrorProxy& proxy, double gamma, std::optional<double> least) {
            Options options;
            options.terminal = parse_terminal(terminal);
            options.objective = parse_objective(objective);
            options.proxy = proxy;
            options.gamma = gamma;
            options.d_min = least;
            return schedule_from_nodes(noise, view(t), options);
        },
        py::arg("noise"), py::arg("t"), py::arg("terminal"), py::arg("objective"), py::arg("proxy"), py::arg("gamma"),
        py::arg("d_min"));
}

}  // namespace hso::bindings

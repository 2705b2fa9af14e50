#include <cmath>
#include <string>

#include <hso/error_model.hpp>

#include "numpy.hpp"
#include "signals.hpp"

namespace hso::bindings {

namespace {

using Range = std::pair<double, double>;

std::vector<double> to_vector(const Array& array) { return {array.data(), array.data() + array.size()}; }

Solver solver_of(const std::string& name, int order) {
    for (const auto& [known, kind] :
         {std::pair{"ddim", Solver::Kind::ddim}, {"dpm-solver++", Solver::Kind::dpm_solver_pp}, {"unipc", Solver::Kind::unipc}})
        if (name == known) return {kind, order};
    throw std::invalid_argument("solver must be 'ddim', 'dpm-solver++' or 'unipc', got '" + name + "'");
}

Terminal terminal_of(const std::string& name) {
    if (name == "zero") return Terminal::zero;
    if (name == "t_min") return Terminal::t_min;
    if (name == "skip") return Terminal::skip;
    throw std::invalid_argument("terminal must be 'zero', 't_min' or 'skip', got '" + name + "'");
}

ErrorModel::Carried carried_of(const std::string& name) {
    if (name == "no") return ErrorModel::Carried::no;
    if (name == "x0") return ErrorModel::Carried::x0;
    if (name == "to_zero") return ErrorModel::Carried::to_zero;
    throw std::invalid_argument("carried must be 'no', 'x0' or 'to_zero', got '" + name + "'");
}

}  // namespace

void bind_error_model(py::module_& module) {
    py::class_<ErrorModel>(module, "ErrorModel")
        .def(py::init([](const NoiseSchedule& noise, const Array& lambdas, const Array& x0, const Array& states, const Array& eps,
                         const Array& probe_lambdas, const Array& probe_errors, const Array& probe_responses) {
                 Measurements measurements{.rank = static_cast<std::size_t>(eps.size()),
                                           .lambdas = to_vector(lambdas),
                                           .x0 = to_vector(x0),
                                           .states = to_vector(states),
                                           .eps = to_vector(eps),
                                           .probe_lambdas = to_vector(probe_lambdas),
                                           .probe_errors = to_vector(probe_errors),
                                           .probe_responses = to_vector(probe_responses)};
                 const ShouldStop should_stop = signals();
                 const py::gil_scoped_release release;
                 return ErrorModel(noise, std::move(measurements), should_stop);
             }),
             py::arg("noise"), py::arg("lambdas"), py::arg("x0"), py::arg("states"), py::arg("eps"), py::arg("probe_lambdas"),
             py::arg("probe_errors"), py::arg("probe_responses"))
        .def(
            "error",
            [](const ErrorModel& model, const Array& lambdas, const std::string& solver, int order, const std::string& terminal,
               double gain) { return model.error(view(lambdas), solver_of(solver, order), terminal_of(terminal), gain); },
            py::arg("lambdas"), py::arg("solver"), py::arg("order"), py::arg("terminal"), py::arg("gain"))
        .def(
            "best_gain",
            [](const ErrorModel& model, const Array& lambdas, const std::string& solver, int order, const std::string& terminal) {
                return model.best_gain(view(lambdas), solver_of(solver, order), terminal_of(terminal));
            },
            py::arg("lambdas"), py::arg("solver"), py::arg("order"), py::arg("terminal"))
        .def(
            "jumps",
            [](const ErrorModel& model, const Array& lambdas, const std::string& carried) {
                const auto costs = [&, should_stop = signals()] {
                    const py::gil_scoped_release release;
                    return model.jumps(view(lambdas), carried_of(carried), should_stop);
                }();
                return Array({lambdas.size(), lambdas.size() + 1}, costs.data());
            },
            py::arg("lambdas"), py::arg("carried"))
        .def(
            "late_starts",
            [](const ErrorModel& model, const Array& lambdas, const std::string& carried) {
                const auto costs = [&, should_stop = signals()] {
                    const py::gil_scoped_release release;
                    return model.late_starts(view(lambdas), carried_of(carried), should_stop);
                }();
                return to_array(costs);
            },
            py::arg("lambdas"), py::arg("carried"))
        .def(
            "improve",
            [](const ErrorModel& model, const Array& start, const std::string& solver, int order, const std::string& terminal,
               Range first, Range last, double caution, int max_iterations) {
                const auto found = [&, should_stop = signals()] {
                    const py::gil_scoped_release release;
                    return model.improve(view(start), {.solver = solver_of(solver, order),
                                                       .terminal = terminal_of(terminal),
                                                       .first = first,
                                                       .last = last,
                                                       .caution = caution,
                                                       .max_iterations = max_iterations,
                                                       .should_stop = should_stop});
                }();
                return py::make_tuple(to_array(found.lambdas), found.error, found.evaluations);
            },
            py::arg("start"), py::arg("solver"), py::arg("order"), py::arg("terminal"), py::arg("first"), py::arg("last"),
            py::arg("caution"), py::arg("max_iterations"));
}

}  // namespace hso::bindings

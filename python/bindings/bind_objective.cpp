#include <hso/objective.hpp>
#include <hso/spacing.hpp>
#include <hso/start.hpp>

#include "numpy.hpp"
#include "signals.hpp"

namespace hso::bindings {

namespace {

using Gradient = double (*)(const NoiseSchedule&, std::span<const double>, const ErrorProxy&, std::span<double>);

template <Gradient function>
std::pair<double, Array> with_gradient(const NoiseSchedule& noise, const Array& lambdas, const ErrorProxy& proxy) {
    Array gradient = like(lambdas);
    const double value = function(noise, view(lambdas), proxy, mutable_view(gradient));
    return {value, gradient};
}

/// Rows are the last axis, and there is one value for each combination of the others.
Array values_like(const Array& lambdas) {
    return Array(std::vector<py::ssize_t>(lambdas.shape(), lambdas.shape() + lambdas.ndim() - 1));
}

std::size_t row_size(const Array& lambdas) { return static_cast<std::size_t>(lambdas.shape(lambdas.ndim() - 1)); }

}  // namespace

void bind_objective(py::module_& module) {
    py::class_<ErrorProxy>(module, "ErrorProxy")
        .def_static("power", &ErrorProxy::power, py::arg("p"))
        .def_static("standard", &ErrorProxy::standard, py::arg("noise"))
        .def_static(
            "table",
            [](const Array& lambda, const Array& value) {
                const ShouldStop should_stop = signals();
                const py::gil_scoped_release release;
                return ErrorProxy::table(view(lambda), view(value), should_stop);
            },
            py::arg("lam"), py::arg("value"))
        .def(
            "value",
            [](const ErrorProxy& proxy, const NoiseSchedule& noise, const Array& lambdas) {
                Array out = like(lambdas);
                in_parts(view(lambdas).size(),
                         [&, in = view(lambdas), values = mutable_view(out)](std::size_t first, std::size_t count) {
                             for (std::size_t i = first; i < first + count; ++i) values[i] = proxy.value(noise, in[i]);
                         });
                return out;
            },
            py::arg("noise"), py::arg("lam"));

    module.def(
        "mep",
        [](const NoiseSchedule& noise, const Array& lambdas, const ErrorProxy& proxy) {
            return mep(noise, view(lambdas), proxy);
        },
        py::arg("noise"), py::arg("lam"), py::arg("proxy"));
    module.def("mep_gradient", &with_gradient<mep_gradient>, py::arg("noise"), py::arg("lam"), py::arg("proxy"));
    module.def(
        "mep_batch",
        [](const NoiseSchedule& noise, const Array& lambdas, const ErrorProxy& proxy) {
            Array values = values_like(lambdas);
            mep_batch(noise, view(lambdas), row_size(lambdas), proxy, mutable_view(values));
            return values;
        },
        py::arg("noise"), py::arg("lam"), py::arg("proxy"));
    module.def(
        "mep_gradient_batch",
        [](const NoiseSchedule& noise, const Array& lambdas, const ErrorProxy& proxy) {
            Array values = values_like(lambdas), gradients = like(lambdas);
            mep_gradient_batch(noise, view(lambdas), row_size(lambdas), proxy, mutable_view(values), mutable_view(gradients));
            return py::make_tuple(values, gradients);
        },
        py::arg("noise"), py::arg("lam"), py::arg("proxy"));
    module.def(
        "mep_hessian",
        [](const NoiseSchedule& noise, const Array& lambdas, const ErrorProxy& proxy) {
            Array gradient = like(lambdas), diagonal = like(lambdas);
            Array off_diagonal(std::max<py::ssize_t>(lambdas.size(), 1) - 1);
            const double value = mep_hessian(noise, view(lambdas), proxy, mutable_view(gradient), mutable_view(diagonal),
                                             mutable_view(off_diagonal));
            return py::make_tuple(value, gradient, diagonal, off_diagonal);
        },
        py::arg("noise"), py::arg("lam"), py::arg("proxy"));
    module.def(
        "dm_nonuni",
        [](const NoiseSchedule& noise, const Array& lambdas, const ErrorProxy& proxy) {
            return dm_nonuni(noise, view(lambdas), proxy);
        },
        py::arg("noise"), py::arg("lam"), py::arg("proxy"));
    module.def("dm_nonuni_gradient", &with_gradient<dm_nonuni_gradient>, py::arg("noise"), py::arg("lam"), py::arg("proxy"));
    module.def(
        "spf",
        [](const NoiseSchedule& noise, const Array& lambdas, double least, double gamma, const ErrorProxy& proxy) {
            return spf(noise, view(lambdas), least, gamma, proxy);
        },
        py::arg("noise"), py::arg("lam"), py::arg("d_min"), py::arg("gamma"), py::arg("proxy"));
    module.def("d_min", &d_min, py::arg("nfe"));
    module.def(
        "karras_start",
        [](const NoiseSchedule& noise, py::ssize_t nodes, double rho, double t_min, double t_max) {
            Array lambdas(std::max<py::ssize_t>(nodes, 0));
            karras_start(noise, {.rho = rho, .t_min = t_min, .t_max = t_max}, mutable_view(lambdas));
            return lambdas;
        },
        py::arg("noise"), py::arg("nodes"), py::arg("rho"), py::arg("t_min"), py::arg("t_max"));
}

}  // namespace hso::bindings

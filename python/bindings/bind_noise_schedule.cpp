#include <hso/noise_schedule.hpp>
#include <hso/schedule.hpp>

#include "numpy.hpp"
#include "signals.hpp"

namespace hso::bindings {

namespace {

using Map = void (NoiseSchedule::*)(std::span<const double>, std::span<double>) const;

template <Map map>
Array apply(const NoiseSchedule& noise, const Array& x) {
    Array out = like(x);
    in_parts(view(x).size(), [&, in = view(x), to = mutable_view(out)](std::size_t first, std::size_t count) {
        (noise.*map)(in.subspan(first, count), to.subspan(first, count));
    });
    return out;
}

}  // namespace

void bind_noise_schedule(py::module_& module) {
    py::class_<NoiseSchedule>(module, "NoiseSchedule")
        .def_static(
            "from_alphas_cumprod",
            [](const Array& a) {
                const ShouldStop should_stop = signals();
                const py::gil_scoped_release release;
                return NoiseSchedule::from_alphas_cumprod(view(a), should_stop);
            },
            py::arg("alphas_cumprod"))
        .def_static(
            "from_betas",
            [](const Array& b) {
                const ShouldStop should_stop = signals();
                const py::gil_scoped_release release;
                return NoiseSchedule::from_betas(view(b), should_stop);
            },
            py::arg("betas"))
        .def_static("vp_linear", &NoiseSchedule::vp_linear, py::arg("beta_min"), py::arg("beta_max"))
        .def_static("vp_cosine", &NoiseSchedule::vp_cosine, py::arg("s"))
        .def_static("flow", &NoiseSchedule::flow, py::arg("shift"))
        .def_static("edm", &NoiseSchedule::edm, py::arg("sigma_min"), py::arg("sigma_max"))
        .def_static(
            "from_table",
            [](const Array& t, const Array& alpha, const Array& sigma, double n) {
                const ShouldStop should_stop = signals();
                const py::gil_scoped_release release;
                return NoiseSchedule::from_table(view(t), view(alpha), view(sigma), n, should_stop);
            },
            py::arg("t"), py::arg("alpha"), py::arg("sigma"), py::arg("num_train_timesteps"))
        .def("lam", &apply<static_cast<Map>(&NoiseSchedule::lambda)>, py::arg("t"))
        .def("t", &apply<static_cast<Map>(&NoiseSchedule::t)>, py::arg("lam"))
        .def("alpha", &apply<static_cast<Map>(&NoiseSchedule::alpha)>, py::arg("lam"))
        .def("sigma", &apply<static_cast<Map>(&NoiseSchedule::sigma)>, py::arg("lam"))
        .def("timestep", &apply<static_cast<Map>(&NoiseSchedule::timestep)>, py::arg("lam"))
        .def("shifted", &NoiseSchedule::shifted, py::arg("u"))
        .def_property_readonly("family", [](const NoiseSchedule& noise) { return to_string(noise.family()); })
        .def_property_readonly("num_train_timesteps", &NoiseSchedule::num_train_timesteps)
        .def_property_readonly("shift", &NoiseSchedule::shift)
        .def_property_readonly("t_range", &NoiseSchedule::t_range)
        .def_property_readonly("lambda_range", &NoiseSchedule::lambda_range)
        .def_property_readonly("fingerprint", &NoiseSchedule::fingerprint);
}

}  // namespace hso::bindings

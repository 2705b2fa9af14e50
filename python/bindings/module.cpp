#include <hso/version.hpp>

#include "numpy.hpp"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
    m.doc() = "The C++ library behind hso. Private: use the package's own names.";
    m.attr("__version__") = HSO_VERSION;
    hso::bindings::bind_chain(m);
    hso::bindings::bind_noise_schedule(m);
    hso::bindings::bind_objective(m);
    hso::bindings::bind_error_model(m);
    hso::bindings::bind_optimize(m);
}

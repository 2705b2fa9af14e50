#pragma once

// The only place that includes pybind11, so that every translation unit sees the same type casters.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <span>
#include <vector>

namespace hso::bindings {

namespace py = pybind11;

/// Any real array-like, converted to contiguous float64.
using Array = py::array_t<double, py::array::c_style | py::array::forcecast>;

inline std::span<const double> view(const Array& array) { return {array.data(), static_cast<std::size_t>(array.size())}; }

inline std::span<double> mutable_view(Array& array) { return {array.mutable_data(), static_cast<std::size_t>(array.size())}; }

inline Array to_array(const std::vector<double>& values) { return Array(static_cast<py::ssize_t>(values.size()), values.data()); }

/// An uninitialized array of the same shape.
inline Array like(const Array& array) { return Array(std::vector<py::ssize_t>(array.shape(), array.shape() + array.ndim())); }

void bind_chain(py::module_& module);
void bind_error_model(py::module_& module);
void bind_noise_schedule(py::module_& module);
void bind_objective(py::module_& module);
void bind_optimize(py::module_& module);

}  // namespace hso::bindings

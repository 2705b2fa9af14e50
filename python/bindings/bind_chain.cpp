#include <algorithm>
#include <cstdint>

#include <hso/chain.hpp>

#include "numpy.hpp"
#include "signals.hpp"

namespace hso::bindings {

namespace {

/// An empty array stands for none.
ChainPoints points_of(py::ssize_t count, const Array& start, const Array& end, const Array& t, double spacing) {
    return {.count = static_cast<std::size_t>(count), .start = view(start), .end = view(end), .t = view(t), .spacing = spacing};
}

py::list to_list(const std::vector<ChainPath>& paths) {
    py::list list;
    for (const auto& [nodes, cost] : paths) {
        py::array_t<std::int64_t> array(static_cast<py::ssize_t>(nodes.size()));
        std::copy(nodes.begin(), nodes.end(), array.mutable_data());
        list.append(py::make_tuple(array, cost));
    }
    return list;
}

}  // namespace

void bind_chain(py::module_& module) {
    module.def(
        "shortest_chains",
        [](const Array& cost, std::size_t max_edges, const Array& start, const Array& end, const Array& t, double spacing,
           double discount) {
            const auto points = points_of(cost.shape(0), start, end, t, spacing);
            const auto paths = [&, should_stop = signals()] {
                const py::gil_scoped_release release;
                return shortest_chains(points, view(cost), max_edges, discount, should_stop);
            }();
            return to_list(paths);
        },
        py::arg("cost"), py::arg("max_edges"), py::arg("start"), py::arg("end"), py::arg("t"), py::arg("spacing"),
        py::arg("discount"));
    module.def(
        "shortest_chains_with_memory",
        [](const Array& cost, const Array& first, std::size_t max_edges, const Array& start, const Array& end, const Array& t,
           double spacing, double discount) {
            const auto points = points_of(first.shape(0), start, end, t, spacing);
            const CostWithMemory row = [costs = view(cost), n = points.count](std::size_t i, std::size_t j,
                                                                              std::span<double> out) {
                const auto known = costs.subspan((i * n + j) * n + j + 1, out.size());
                std::copy(known.begin(), known.end(), out.begin());
            };
            const auto paths = [&, should_stop = signals()] {
                const py::gil_scoped_release release;
                return shortest_chains_with_memory(points, view(first), row, max_edges, discount, should_stop);
            }();
            return to_list(paths);
        },
        py::arg("cost"), py::arg("first"), py::arg("max_edges"), py::arg("start"), py::arg("end"), py::arg("t"),
        py::arg("spacing"), py::arg("discount"));
}

}  // namespace hso::bindings

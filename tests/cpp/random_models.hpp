#pragma once

#include <cmath>
#include <utility>

#include <hso/error_model.hpp>

#include "noises.hpp"

namespace hso::test {

/// What an ErrorModel is made of.
struct Model {
    NoiseSchedule noise;
    Measurements measurements;
};

/// A small model of random numbers.
inline Model valid_model(fuzz::Source& source) {
    Model m{NoiseSchedule::vp_linear(), {}};
    const std::size_t rank = 1 + source.below(3), nodes = 4 + source.below(4), probes = 1 + source.below(6);
    const auto numbers = [&](std::size_t n) {
        std::vector<double> values(n);
        for (double& v : values) v = source.uniform(0.1, 1.0);
        return values;
    };
    m.measurements.rank = rank;
    m.measurements.lambdas = fuzz::rising(source, nodes, -4.5, 4.0);
    m.measurements.x0 = numbers(nodes * rank);
    m.measurements.states = numbers(nodes * rank);
    m.measurements.eps = numbers(rank);
    for (std::size_t i = 0; i < probes; ++i) m.measurements.probe_lambdas.push_back(source.uniform(-4.5, 4.0));
    m.measurements.probe_errors = numbers(probes * rank);
    m.measurements.probe_responses = numbers(probes * rank);
    return m;
}

}  // namespace hso::test

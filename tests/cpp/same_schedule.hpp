#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include <hso/schedule.hpp>

namespace hso::test {

inline std::vector<std::uint64_t> bits_of(const std::vector<double>& values) {
    std::vector<std::uint64_t> bits;
    for (double value : values) bits.push_back(std::bit_cast<std::uint64_t>(value));
    return bits;
}

/// Everything but the time it took, NaN equal to NaN.
inline bool same(const Schedule& a, const Schedule& b) {
    const auto numbers = [](const Schedule& s) {
        return bits_of(
            {s.mep, s.penalty, s.fitness, s.psi.rho, s.psi.t_min, s.psi.t_max, s.lower_bound, s.gap, s.min_spacing, s.d_min});
    };
    return bits_of(a.t) == bits_of(b.t) && bits_of(a.lambdas) == bits_of(b.lambdas) && bits_of(a.sigmas) == bits_of(b.sigmas) &&
           bits_of(a.timesteps) == bits_of(b.timesteps) && numbers(a) == numbers(b) && a.nfe == b.nfe &&
           a.terminal == b.terminal && a.evaluations == b.evaluations && a.generations == b.generations && a.status == b.status;
}

}  // namespace hso::test

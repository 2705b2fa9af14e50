#pragma once

#include <cstddef>
#include <cstdint>

namespace hso::detail {

/// A counter-based random stream: its numbers depend on (seed, generation, index) alone, not on who draws them or when,
/// so a search gives the same result on any number of threads. SplitMix64 (Steele, Lea and Flood 2014).
class RandomStream {
  public:
    RandomStream(std::uint64_t seed, std::uint64_t generation, std::uint64_t index)
        : state_(mix(mix(mix(seed + kGamma) + generation * kGamma) + index * kGamma)) {}

    std::uint64_t next() { return mix(state_ += kGamma); }

    /// Uniform in [0, 1), 53 bits: the standard's distributions differ between implementations.
    double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

    /// Uniform in 0..n-1, for n far below 2^53.
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(uniform() * static_cast<double>(n)); }

  private:
    static constexpr std::uint64_t kGamma = 0x9e3779b97f4a7c15u;

    static std::uint64_t mix(std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    std::uint64_t state_;
};

}  // namespace hso::detail

#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace hso::fuzz {

/// Where choices and numbers are drawn from: a fuzzer's bytes (zeros once they are spent), or a seed (without an end).
class Source {
  public:
    explicit Source(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
    explicit Source(std::uint64_t seed) : endless_(true), state_(seed) {}

    /// A number of `bytes` <= 8 bytes.
    std::uint64_t word(int bytes) {
        if (endless_) {
            std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;  // splitmix64
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
            z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
            return (z ^ (z >> 31)) >> (64 - 8 * bytes);
        }
        std::uint64_t value = 0;
        for (int i = 0; i < bytes && used_ < bytes_.size(); ++i) value |= std::uint64_t{bytes_[used_++]} << (8 * i);
        return value;
    }

    /// 0..n - 1.
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(word(n <= 256 ? 1 : 4) % n); }
    int between(int low, int high) { return low + static_cast<int>(below(static_cast<std::size_t>(high - low) + 1)); }
    bool one_in(std::size_t n) { return below(n) == n - 1; }  // zeros, what a spent input gives, are the usual case

    /// In [0, 1].
    double unit() { return static_cast<double>(word(4)) / 4294967295.0; }
    double uniform(double low, double high) {
        return std::clamp(low + (high - low) * unit(), std::min(low, high), std::max(low, high));
    }
    /// Any magnitude between two positive numbers is as likely.
    double scale(double low, double high) { return std::clamp(std::exp(uniform(std::log(low), std::log(high))), low, high); }

    template <class T>
    T pick(std::initializer_list<T> values) {
        return values.begin()[below(values.size())];
    }

    /// Any number: special ones, any bits, any magnitude.
    double wild() {
        using Limits = std::numeric_limits<double>;
        constexpr std::array special = {Limits::quiet_NaN(),
                                        Limits::infinity(),
                                        -Limits::infinity(),
                                        0.0,
                                        -0.0,
                                        1.0,
                                        -1.0,
                                        0.5,
                                        2.0,
                                        Limits::denorm_min(),
                                        -Limits::denorm_min(),
                                        Limits::min(),
                                        Limits::max(),
                                        Limits::lowest(),
                                        Limits::epsilon(),
                                        1.0 - 0x1p-53,
                                        1.0 + 0x1p-52,
                                        1e-12,
                                        1e-9,
                                        1e-6,
                                        1e6,
                                        1e12,
                                        1e150,
                                        1e-150};
        switch (below(4)) {
            case 0: return special[below(special.size())];
            case 1: return std::bit_cast<double>(word(8));
            case 2: return scale(1e-300, 1e300);
            default: return uniform(-2.0, 2.0);
        }
    }

    /// Mostly `usual`, else any number.
    double mostly(double usual) { return one_in(16) ? wild() : usual; }

    int wild_int() {
        return one_in(4) ? std::bit_cast<std::int32_t>(static_cast<std::uint32_t>(word(4)))
                         : pick({0, -1, 1, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()});
    }

    bool spent() const { return !endless_ && used_ >= bytes_.size(); }

  private:
    std::span<const std::uint8_t> bytes_ = {};
    std::size_t used_ = 0;
    bool endless_ = false;
    std::uint64_t state_ = 0;
};

/// A gap to ask for, of any kind but those above 0 and small: a certificate that comes close at most spends seconds.
inline double wild_gap(Source& source) {
    const double gap = source.wild();
    return gap > 0.0 && gap < 0.01 ? 0.2 : gap;
}

}  // namespace hso::fuzz

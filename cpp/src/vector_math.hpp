#pragma once

#include <bit>
#include <cstdint>

namespace hso::detail {

// Exponential and power without branches, tables or calls, for the compiler to vectorize in the caller's loop. Nothing
// but additions, multiplications and divisions in a fixed order makes the results (no contraction into FMA: see
// CMakeLists.txt), so they are the same bits in every vector width. An argument out of range gives garbage.

/// Inlined into clones for other instruction sets, and before their loops are vectorized.
#if defined(__GNUC__)
#define HSO_VECTOR_INLINE [[gnu::always_inline]] inline
#else
#define HSO_VECTOR_INLINE inline
#endif

/// A double with a whole number below 2^51 in size added to this holds the number in its lowest bits.
constexpr double kRounder = 0x1.8p52;

/// e^r 2^n for |r| <= ln(2)/2, where `rounded` is kRounder + n; within 1 ulp.
HSO_VECTOR_INLINE double scaled_exp(double r, double rounded) {
    // e^r = 1 + r + r^2 q(r), q minimax: 4e-18 relative
    const double r2 = r * r, r4 = r2 * r2;
    const double q01 = 0x1.000000000000ap-1 + 0x1.55555555554f9p-3 * r;
    const double q23 = 0x1.555555555083fp-5 + 0x1.1111111127d1dp-7 * r;
    const double q45 = 0x1.6c16c18438922p-10 + 0x1.a01a012a09cb2p-13 * r;
    const double q67 = 0x1.a01999e2aa3d5p-16 + 0x1.71df25bffb6e5p-19 * r;
    const double q89 = 0x1.28ad9b4c379f2p-22 + 0x1.ad7f298b3b9adp-26 * r;
    const double q = q01 + r2 * q23 + r4 * (q45 + r2 * q67 + r4 * q89);
    const double exp_r = 1.0 + (r + r2 * q);
    return std::bit_cast<double>(std::bit_cast<std::uint64_t>(exp_r) + (std::bit_cast<std::uint64_t>(rounded) << 52));
}

/// e^x for |x| <= 700, within 1 ulp.
HSO_VECTOR_INLINE double vector_exp(double x) {
    constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;  // n ln2_high is exact
    const double rounded = x * 0x1.71547652b82fep+0 + kRounder, n = rounded - kRounder;
    return scaled_exp((x - n * ln2_high) - n * ln2_low, rounded);
}

/// y^exponent for many y >= 1. The relative error is that of y times the exponent, and 1e-16 (2 + |exponent|).
class VectorPower {
  public:
    /// Not a constructor: Clang (16, 19) does not emit one that only functions with clones call.
    HSO_VECTOR_INLINE static VectorPower of(double exponent) {
        VectorPower power;
        power.exponent_ = exponent;
        // 40 bits: times a power of two's exponent below 2^12 it is exact
        power.high_ = std::bit_cast<double>(std::bit_cast<std::uint64_t>(exponent) & ~std::uint64_t{0x1fff});
        power.low_ = exponent - power.high_;
        return power;
    }

    /// y >= 1 with |exponent| log(y) <= 700.
    HSO_VECTOR_INLINE double operator()(double y) const {
        // y = 2^k z, sqrt(1/2) <= z < sqrt(2)
        constexpr std::uint64_t sqrt_half = 0x3fe6a09e667f3bcd;
        constexpr double integer = 0x1p52;
        const std::uint64_t bits = std::bit_cast<std::uint64_t>(y), above = bits - sqrt_half;
        const double k = std::bit_cast<double>((above >> 52) | std::bit_cast<std::uint64_t>(integer)) - integer;
        const double f = std::bit_cast<double>(bits - (above >> 52 << 52)) - 1.0;

        // log(1 + f) = 2 atanh(s) = f - (f^2/2 - s (f^2/2 + R(s^2))), R minimax: 3e-19 absolute
        const double s = f / (2.0 + f), s2 = s * s, s4 = s2 * s2;
        const double r01 = 0x1.55555555555d7p-1 + 0x1.999999996e001p-2 * s2;
        const double r23 = 0x1.2492494f3822ap-2 + 0x1.c71c4894c36a8p-3 * s2;
        const double r45 = 0x1.7467fdd66c6c5p-3 + 0x1.397871ae8ef0ep-3 * s2;
        const double r = s2 * (r01 + s4 * (r23 + s4 * (r45 + s4 * 0x1.3087b7893a36fp-3)));
        const double half_f2 = 0.5 * f * f;
        const double log2_z = 0x1.71547652b82fep+0 * (f - (half_f2 - s * (half_f2 + r)));

        // y^exponent = 2^(exponent k + exponent log2(z)): whole part and the rest of the exponent
        const double large = high_ * k, small = exponent_ * log2_z + low_ * k;
        const double rounded = (large + small) + kRounder, n = rounded - kRounder;
        return scaled_exp(0x1.62e42fefa39efp-1 * ((large - n) + small), rounded);
    }

  private:
    double exponent_, high_, low_;
};

}  // namespace hso::detail

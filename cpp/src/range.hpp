#pragma once

#include <algorithm>

namespace hso::detail {

/// A closed interval of real numbers; its arithmetic is not rounded outwards.
struct Range {
    double low, high;

    friend Range operator+(const Range& a, const Range& b) { return {a.low + b.low, a.high + b.high}; }
    friend Range operator*(const Range& a, const Range& b) {
        const auto [least, most] = std::minmax({a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
        return {least, most};
    }
    friend Range operator*(double factor, const Range& a) {
        return factor < 0.0 ? Range{factor * a.high, factor * a.low} : Range{factor * a.low, factor * a.high};
    }
};

}  // namespace hso::detail

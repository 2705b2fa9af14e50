#include "monotone_cubic.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace hso::detail {

namespace {

constexpr std::size_t kCopyWork = 4, kSlopeWork = 15;  ///< nanoseconds or so for an entry

double end_slope(double h0, double h1, double d0, double d1) {
    const double slope = ((2.0 * h0 + h1) * d0 - h0 * d1) / (h0 + h1);
    if (slope * d0 <= 0.0) return 0.0;
    if (d0 * d1 <= 0.0 && std::abs(slope) > 3.0 * std::abs(d0)) return 3.0 * d0;
    return slope;
}

}  // namespace

MonotoneCubic::MonotoneCubic(std::span<const double> x, std::span<const double> y, Checkpoint& checkpoint) {
    const std::size_t n = x.size();
    x_.assign(x.begin(), x.end());
    checkpoint.pass(kCopyWork * n);
    y_.assign(y.begin(), y.end());
    checkpoint.pass(kCopyWork * n);
    slope_.resize(n);
    checkpoint.pass(kCopyWork * n);
    const auto h = [&](std::size_t i) { return x_[i + 1] - x_[i]; };
    const auto d = [&](std::size_t i) { return (y_[i + 1] - y_[i]) / h(i); };
    if (n == 2) {
        slope_[0] = slope_[1] = d(0);
        return;
    }
    for (std::size_t i = 1; i + 1 < n; ++i) {
        checkpoint.pass(kSlopeWork);
        const double before = d(i - 1), after = d(i);
        if (before * after <= 0.0) continue;  // a local extremum of the data stays one: slope 0
        const double w1 = 2.0 * h(i) + h(i - 1), w2 = h(i) + 2.0 * h(i - 1);
        slope_[i] = (w1 + w2) / (w1 / before + w2 / after);
    }
    slope_[0] = end_slope(h(0), h(1), d(0), d(1));
    slope_[n - 1] = end_slope(h(n - 2), h(n - 3), d(n - 2), d(n - 3));
}

MonotoneCubic::Point MonotoneCubic::operator()(double x) const {
    if (x <= x_.front()) return {y_.front() + slope_.front() * (x - x_.front()), slope_.front(), 0.0};
    if (!(x < x_.back())) return {y_.back() + slope_.back() * (x - x_.back()), slope_.back(), 0.0};  // NaN as well
    const auto above = std::upper_bound(x_.begin(), x_.end(), x);
    const auto i = static_cast<std::size_t>(above - x_.begin()) - 1;
    const double s = x - x_[i];
    const auto [c2, c3] = piece(i);
    return {y_[i] + s * (slope_[i] + s * (c2 + s * c3)), slope_[i] + s * (2.0 * c2 + 3.0 * s * c3), 2.0 * c2 + 6.0 * s * c3};
}

MonotoneCubic::Piece MonotoneCubic::piece(std::size_t i) const {
    const double h = x_[i + 1] - x_[i], d = (y_[i + 1] - y_[i]) / h;
    return {(3.0 * d - 2.0 * slope_[i] - slope_[i + 1]) / h, (slope_[i] + slope_[i + 1] - 2.0 * d) / (h * h)};
}

MonotoneCubic::Slopes MonotoneCubic::range(double low, double high) const {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    Slopes all{{infinity, -infinity}, {infinity, -infinity}};
    const auto add = [](Range& range, double value) { range = {std::min(range.low, value), std::max(range.high, value)}; };
    const auto beyond = [&](double slope) {
        add(all.d1, slope);
        add(all.d2, 0.0);
    };
    if (low <= x_.front()) beyond(slope_.front());
    if (high >= x_.back()) beyond(slope_.back());
    const auto above = std::upper_bound(x_.begin(), x_.end(), low);
    for (std::size_t i = above == x_.begin() ? 0 : static_cast<std::size_t>(above - x_.begin()) - 1;
         i + 1 < x_.size() && x_[i] <= high; ++i) {
        const auto [c2, c3] = piece(i);
        const double from = std::clamp(low, x_[i], x_[i + 1]) - x_[i], to = std::clamp(high, x_[i], x_[i + 1]) - x_[i];
        const auto d1 = [&, c2 = c2, c3 = c3](double s) { return slope_[i] + s * (2.0 * c2 + 3.0 * s * c3); };
        const double vertex = -c2 / (3.0 * c3);  // infinite or NaN for a parabola: not inside
        for (double s : {from, to}) {
            add(all.d1, d1(s));
            add(all.d2, 2.0 * c2 + 6.0 * s * c3);
        }
        if (vertex > from && vertex < to) add(all.d1, d1(vertex));
    }
    return all;
}

}  // namespace hso::detail

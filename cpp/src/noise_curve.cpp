#include "noise_curve.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "noise_table.hpp"

namespace hso::detail {

namespace {

using Table = NoiseSchedule::Table;

/// lambda and its derivatives with respect to y, the family's own coordinate.
LambdaCurve curve_of_y(const Table& table, double y) {
    switch (table.family) {
        case Family::vp: {  // lambda = y - log(1 - e^{2y})/2
            const double sigma2 = -std::expm1(2.0 * y), inverse = 1.0 / sigma2;
            return {y - 0.5 * std::log(sigma2), inverse, 2.0 * (1.0 - sigma2) * inverse * inverse};
        }
        case Family::flow: {  // lambda = log(1 + y) - log(-y)
            const double alpha = 1.0 / (1.0 + y), sigma = 1.0 / y;
            return {std::log1p(y) - std::log(-y), alpha - sigma, sigma * sigma - alpha * alpha};
        }
        case Family::ve:
        case Family::general: return {y, 1.0, 0.0};
    }
    return {y, 1.0, 0.0};
}

/// d^2 y/dt^2 of the clocks that are no tables.
double d2y_dt2(const Table& table, double t) {
    switch (table.clock) {
        case Clock::vp_linear: return -0.5 * (table.b - table.a);
        case Clock::vp_cosine: {
            const double speed = 0.5 * std::numbers::pi / (1.0 + table.a), s = speed / std::sin(table.cosine_rest(t));
            return -s * s;
        }
        case Clock::table:
        case Clock::identity:
        case Clock::affine: return 0.0;
    }
    return 0.0;
}

LambdaCurve chain(const LambdaCurve& in_y, double slope, double curvature) {
    return {in_y.lambda, in_y.d1 * slope, in_y.d2 * slope * slope + in_y.d1 * curvature};
}

}  // namespace

LambdaCurve lambda_curve(const NoiseSchedule& noise, double t) {
    const Table& table = noise.table();
    if (table.clock != Clock::table) return lambda_curve(noise, t, 0);
    const std::size_t i = table.segment_of_t(t), last = table.ts.size() - 2;
    const std::size_t before = i > 0 ? i - 1 : 0, after = std::min(i + 1, last);
    const double slope = table.piece_slope(i);
    // between the middles of the neighbouring pieces
    const double width = 0.5 * (table.ts[after + 1] + table.ts[after] - table.ts[before + 1] - table.ts[before]);
    const double curvature = after > before ? (table.piece_slope(after) - table.piece_slope(before)) / width : 0.0;
    return chain(curve_of_y(table, table.ys[i] + (t - table.ts[i]) * slope), slope, curvature);
}

std::size_t pieces(const NoiseSchedule& noise) {
    const Table& table = noise.table();
    return table.clock == Clock::table ? table.ts.size() - 1 : 1;
}

std::size_t piece_of(const NoiseSchedule& noise, double t) {
    const Table& table = noise.table();
    return table.clock == Clock::table ? table.segment_of_t(t) : 0;
}

std::pair<double, double> piece_range(const NoiseSchedule& noise, std::size_t piece) {
    const Table& table = noise.table();
    return table.clock == Clock::table ? std::pair(table.ts[piece], table.ts[piece + 1]) : std::pair(table.t_low, table.t_high);
}

LambdaCurve lambda_curve(const NoiseSchedule& noise, double t, std::size_t piece) {
    const Table& table = noise.table();
    if (table.clock != Clock::table) return chain(curve_of_y(table, table.y_of_t(t)), table.dy_dt(t), d2y_dt2(table, t));
    const double slope = table.piece_slope(piece);
    return chain(curve_of_y(table, table.ys[piece] + (t - table.ts[piece]) * slope), slope, 0.0);
}

TimeEdge time_edge(const NoiseSchedule& noise, double lambda) {
    const Table& table = noise.table();
    const double y = table.y_of_lambda(std::clamp(lambda, table.lambda_low, table.lambda_high));
    TimeEdge edge{.t = 0.0, .dlambda_dy = table.dlambda_dy(y), .dy_dt = 0.0, .y = y, .piece = 0};
    if (table.clock == Clock::table) {
        edge.piece = table.segment_of_y(y);
        edge.dy_dt = table.piece_slope(edge.piece);
        edge.t = table.ts[edge.piece] + (y - table.ys[edge.piece]) / edge.dy_dt;
    } else {
        edge.t = table.t_of_y(y);
        edge.dy_dt = table.dy_dt(std::clamp(edge.t, table.t_low, table.t_high));
    }
    edge.t = std::clamp(edge.t, table.t_low, table.t_high);
    return edge;
}

std::pair<double, double> dt_dlambda_range(const NoiseSchedule& noise, const TimeEdge& low, const TimeEdge& high) {
    const Table& table = noise.table();
    // dlambda/dy is monotone for vp (1/sigma^2), constant for ve and general; flow's 1/(alpha sigma) is least at y = -1/2
    auto [in_y_low, in_y_high] = std::minmax({low.dlambda_dy, high.dlambda_dy});
    if (table.family == Family::flow && low.y < -0.5 && high.y > -0.5) in_y_low = 4.0;
    // dy/dt is monotone for every clock but a table's
    auto [in_t_low, in_t_high] = std::minmax({low.dy_dt, high.dy_dt});
    for (std::size_t i = high.piece + 1; i < low.piece; ++i) {
        in_t_low = std::min(in_t_low, table.piece_slope(i));
        in_t_high = std::max(in_t_high, table.piece_slope(i));
    }
    // dt/dlambda = 1/(dlambda/dy dy/dt), where dy/dt < 0
    return {1.0 / (in_y_low * in_t_high), 1.0 / (in_y_high * in_t_low)};
}

}  // namespace hso::detail

#pragma once

#include <cstddef>
#include <utility>

#include <hso/noise_schedule.hpp>

namespace hso::detail {

/// lambda(t) and its first two derivatives in t.
struct LambdaCurve {
    double lambda, d1, d2;
};

/// From the right at a table's entries. A table is piecewise smooth; here d2 counts the change of slope from piece to piece
/// as if it were spread over them, which is what a Newton step that crosses pieces needs. t within the noise schedule.
LambdaCurve lambda_curve(const NoiseSchedule& noise, double t);

/// A piece is an interval of t on which lambda(t) is smooth: between two entries of a table, the whole range otherwise.
std::size_t pieces(const NoiseSchedule& noise);
std::size_t piece_of(const NoiseSchedule& noise, double t);  ///< the right one at a table's entry
std::pair<double, double> piece_range(const NoiseSchedule& noise, std::size_t piece);

/// On one piece, its ends included: t is taken to lie in it.
LambdaCurve lambda_curve(const NoiseSchedule& noise, double t, std::size_t piece);

/// What dt_dlambda_range needs to know about one end of its interval; t is the time there.
struct TimeEdge {
    double t, dlambda_dy, dy_dt;
    double y;
    std::size_t piece;
};
/// At lambda, cut to the noise schedule's range.
TimeEdge time_edge(const NoiseSchedule& noise, double lambda);

/// Bounds of dt/dlambda (which is negative) between two edges, `low` the one with the lower lambda.
std::pair<double, double> dt_dlambda_range(const NoiseSchedule& noise, const TimeEdge& low, const TimeEdge& high);

}  // namespace hso::detail

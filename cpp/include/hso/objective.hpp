#pragma once

#include <cstddef>
#include <span>

#include <hso/export.h>
#include <hso/error_proxy.hpp>
#include <hso/noise_schedule.hpp>

namespace hso {

/// MEP (paper eq. 8): J = sum_i eps~(m_i) (e^{lambda_{i+1}} - e^{lambda_i}), m_i the midpoint of lambda_i, lambda_{i+1};
/// computed as sum_i 2 G(m_i) sinh(h_i/2). `lambdas`: n >= 1 finite nodes, any order (the published search sorts).
HSO_EXPORT double mep(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy);
HSO_EXPORT double mep(const NoiseSchedule& noise,
                      std::span<const double> lambdas);  ///< with ErrorProxy::standard, as the next ones

/// MEP and its gradient; `gradient` has the nodes' size.
HSO_EXPORT double mep_gradient(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy,
                               std::span<double> gradient);

/// MEP of many schedules: `lambdas` holds rows of `nodes` >= 1 nodes each, one row after the other, and `values` gets
/// one value for each row (any number of rows, none included). Several times faster than mep() row by row; allocates no
/// memory. For |lambda| <= 40 a row's value agrees with mep()'s to 1e-14 relative, its gradient to 1e-13 of the largest
/// entry. They depend on that row alone, neither on the batch nor, for VP, flow and VE with a power proxy and
/// (1 + |p - 1|) |lambda| <= 680, on the processor. (Other rows are mep()'s work, at its speed.)
HSO_EXPORT void mep_batch(const NoiseSchedule& noise, std::span<const double> lambdas, std::size_t nodes, const ErrorProxy& proxy,
                          std::span<double> values);

/// The same with the gradients, which have the nodes' size. No output may overlap `lambdas`.
HSO_EXPORT void mep_gradient_batch(const NoiseSchedule& noise, std::span<const double> lambdas, std::size_t nodes,
                                   const ErrorProxy& proxy, std::span<double> values, std::span<double> gradients);

/// MEP, gradient and tridiagonal Hessian: `diagonal` has the nodes' size n, `off_diagonal` n-1 entries (i, i+1).
HSO_EXPORT double mep_hessian(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy,
                              std::span<double> gradient, std::span<double> diagonal, std::span<double> off_diagonal);

/// DM-NonUni's bound for UniPC-like multistep solvers (Xue et al. 2024, eq. 25): orders 1, 2, 3, ..., 3, 2, 1;
/// sum_i eps~(lambda_i) |sum of the weights of node i|, with the published rule that for N <= 7 intervals the first
/// three steps add the root of their squares instead. `lambdas`: n >= 1 strictly increasing nodes. The last node is
/// no evaluation point.
HSO_EXPORT double dm_nonuni(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy);
HSO_EXPORT double dm_nonuni(const NoiseSchedule& noise, std::span<const double> lambdas);  ///< with ErrorProxy::standard

/// The same with its gradient. The bound has kinks where a node's weight changes sign; there the gradient is one-sided.
HSO_EXPORT double dm_nonuni_gradient(const NoiseSchedule& noise, std::span<const double> lambdas, const ErrorProxy& proxy,
                                     std::span<double> gradient);

/// SPF (paper eq. 9, 10): MEP + gamma sum_i max(0, d_min - |t_{i+1} - t_i|)^2.
HSO_EXPORT double spf(const NoiseSchedule& noise, std::span<const double> lambdas, double d_min, double gamma,
                      const ErrorProxy& proxy);
/// The same with ErrorProxy::standard.
HSO_EXPORT double spf(const NoiseSchedule& noise, std::span<const double> lambdas, double d_min, double gamma = 1e9);

}  // namespace hso

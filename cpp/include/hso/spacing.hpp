#pragma once

#include <span>

#include <hso/export.h>

namespace hso {

/// The paper's least spacing in t: linear in nfe from 0.15 at 4 to 0.01 at 20, constant outside. nfe >= 1.
HSO_EXPORT double d_min(int nfe);

/// gamma * sum_i max(0, d_min - |t_{i+1} - t_i|)^2 (paper eq. 10).
HSO_EXPORT double spacing_penalty(std::span<const double> t, double d_min, double gamma);

/// The smallest |t_{i+1} - t_i|; infinity for fewer than two nodes.
HSO_EXPORT double min_spacing(std::span<const double> t);

}  // namespace hso

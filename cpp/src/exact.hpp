#pragma once

#include <optional>
#include <utility>

#include <hso/options.hpp>

#include "lattice_path.hpp"
#include "problem.hpp"
#include "search.hpp"

namespace hso::detail {

/// The global optimum: a shortest path over a lattice, polished by Newton's method, then a certificate. Problems that differ
/// in nfe, spacing and ends alone may be run one after the other on one object, and share the lattice where the ends agree.
class ExactSearch {
  public:
    SearchResult run(const Problem& problem, const Options& options);

  private:
    const Lattice& lattice_for(const Problem& problem);

    std::optional<Lattice> lattice_;
    std::pair<double, double> t_min_, t_max_;  ///< of the lattice
};

}  // namespace hso::detail

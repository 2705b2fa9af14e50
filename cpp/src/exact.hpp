#pragma once

#include <optional>

#include <hso/options.hpp>

#include "lattice_path.hpp"
#include "problem.hpp"
#include "search.hpp"

namespace hso::detail {

/// The global optimum: a shortest path over a lattice, polished by Newton's method, then a certificate. Problems that differ
/// in nfe and spacing alone may be run one after the other on one object, and share the lattice.
class ExactSearch {
  public:
    SearchResult run(const Problem& problem, const Options& options);

  private:
    const Lattice& lattice_for(const Problem& problem);

    std::optional<Lattice> lattice_;
};

}  // namespace hso::detail

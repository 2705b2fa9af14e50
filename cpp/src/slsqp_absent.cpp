// In place of slsqp.cpp where the library is built without NLopt. check_solvers() refuses such searches at the door.
#include "slsqp.hpp"

#include <stdexcept>

namespace hso::detail {

LocalResult minimize_slsqp(std::span<double>, FunctionRef<double(std::span<const double>, std::span<double>)>,
                           const LinearConstraints&, const LocalBudget&) {
    throw std::invalid_argument("SLSQP needs NLopt, and this library was built without it");
}

LocalResult minimize_subplex(std::span<double>, std::span<const double>, std::span<const double>,
                             FunctionRef<double(std::span<const double>)>, const LocalBudget&) {
    throw std::invalid_argument("subplex needs NLopt, and this library was built without it");
}

}  // namespace hso::detail

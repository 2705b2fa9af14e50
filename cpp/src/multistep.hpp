#pragma once

#include <span>
#include <vector>

#include <hso/error_model.hpp>

#include "function_ref.hpp"

namespace hso::detail {

/// The prediction of x0 at lambda for the state y = x / alpha, written into the last argument.
using Predict = FunctionRef<void(double, std::span<const double>, std::span<double>)>;

/// Runs a solver in y = x / alpha, where its formulas do not depend on the noise schedule's family: y' = e^-h y + (1 - e^-h) times
/// a combination of predictions. One object may be used for many runs on vectors of one size.
class Multistep {
  public:
    Multistep(Solver solver, std::size_t size);

    /// Takes `y` from the first of `lambdas` to the last, or, `to_zero`, from the last of them on to sigma 0. The last step is of
    /// order 1 if it goes there, or there are fewer than 15 (diffusers' lower_order_final), always for UniPC.
    ///
    /// With `from` > 0 the run before is taken up at that node: it must have had the same nodes below `from`, and as many; what
    /// `y` holds is of no matter then.
    void run(std::span<const double> lambdas, bool to_zero, Predict predict, std::span<double> y, std::size_t from = 0);

  private:
    /// The order that UniPC predicts step i with.
    int order(std::size_t i, std::size_t steps) const;
    /// From node i, whose prediction is known, to the next.
    void step(std::span<const double> lambdas, std::size_t i, std::size_t steps, std::span<double> y) const;
    /// UniPC's step from node i with `order` predictions up to it, and the one at its end if `corrected`.
    void unipc_step(std::span<const double> lambdas, std::size_t i, int order, bool corrected, std::span<double> y) const;
    std::span<double> prediction(std::size_t i) { return {&predictions_[i * size_], size_}; }
    std::span<const double> prediction(std::size_t i) const { return {&predictions_[i * size_], size_}; }
    std::span<double> base(std::size_t i) { return {&bases_[i * size_], size_}; }

    Solver solver_;
    std::size_t size_;
    std::vector<double> predictions_;  ///< at each node
    std::vector<double> bases_;        ///< what the step from each node starts from
};

}  // namespace hso::detail

#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <hso/export.h>
#include <hso/noise_schedule.hpp>
#include <hso/options.hpp>
#include <hso/stop.hpp>

namespace hso {

namespace detail {
class Checkpoint;
class Multistep;
}  // namespace detail

/// A linear multistep solver of the sampling ODE, as diffusers runs it.
struct Solver {
    /// Its family.
    enum class Kind {
        ddim,           ///< DDIM; Euler's method in VE coordinates (order 1)
        dpm_solver_pp,  ///< DPM-Solver++ (Lu et al. 2022): order 1, 2 (2M)
        unipc,          ///< UniPC with B_2 and its corrector (Zhao et al. 2023): order 1, 2, 3
    };
    Kind kind = Kind::ddim;  ///< the family
    int order = 1;           ///< of accuracy, as its family has it
};

/// What was measured of a model: rows of numbers, `rank` to a row, whose inner products are the averages over samples of the
/// inner products of the images that they stand for. So the length of a row is the RMS of what it stands for.
struct Measurements {
    std::size_t rank = 0;                 ///< numbers in a row, at least 1
    std::vector<double> lambdas;          ///< M >= 4 teacher nodes, strictly increasing, the first at the most noise
    std::vector<double> x0;               ///< M rows: the network's predictions on the teacher's trajectories
    std::vector<double> states;           ///< M rows: y = x / alpha there
    std::vector<double> eps;              ///< 1 row: the standard normal noise that sampling starts from
    std::vector<double> probe_lambdas;    ///< P >= 1 levels, each in the teacher's range, at which the network was asked off it
    std::vector<double> probe_errors;     ///< P rows: y - the trajectory's y
    std::vector<double> probe_responses;  ///< P rows: the prediction there - the trajectory's prediction
};

/// A model of the error that a solver makes with a schedule on one diffusion model, from measurements of it: no network is
/// called. Off the trajectory the prediction is D(lambda) + A(lambda) e, e the distance from it in y; the linear map A is fitted to the
/// probes near lambda (docs/calibration.md). The solver is run on that, in as many dimensions as the measurements have rank.
///
/// Immutable: safe to use from any number of threads.
class ErrorModel {
  public:
    /// Throws std::invalid_argument for sizes that do not fit, values that are not finite, nodes out of order or outside the
    /// noise schedule's range.
    HSO_EXPORT ErrorModel(NoiseSchedule noise, Measurements measurements, const ShouldStop& should_stop = {});

    /// Numbers in a row of the measurements.
    std::size_t rank() const { return rank_; }
    /// The noise schedule that was given.
    const NoiseSchedule& noise() const { return noise_; }

    /// The RMS error of the image that a schedule gives, against the teacher's. `lambdas`: N nodes for Terminal::zero and
    /// skip (without the last), N + 1 for t_min; strictly increasing, within the noise schedule's range. `gain` multiplies the initial noise.
    HSO_EXPORT double error(std::span<const double> lambdas, Solver solver, Terminal terminal, double gain = 1.0) const;

    /// The gain with the least error.
    HSO_EXPORT double best_gain(std::span<const double> lambdas, Solver solver, Terminal terminal) const;

    /// How the error of a single step is measured.
    enum class Carried {
        no,       ///< in y, where it is made
        x0,       ///< by what it changes in the next prediction of x0
        to_zero,  ///< by what arrives of it at sigma 0, along the trajectory
    };
    /// The RMS error of one DDIM step from the teacher's state at lambdas[i] to lambdas[j]: row-major (K, K + 1) for K strictly
    /// increasing lambdas (at most 10,000), the last column for the step to sigma 0; 0 where j <= i.
    HSO_EXPORT std::vector<double> jumps(std::span<const double> lambdas, Carried carried,
                                         const ShouldStop& should_stop = {}) const;

    /// The RMS error of starting at each of lambdas from eps, rather than from the teacher's state.
    HSO_EXPORT std::vector<double> late_starts(std::span<const double> lambdas, Carried carried,
                                               const ShouldStop& should_stop = {}) const;

    /// Where to look for a schedule.
    struct Search {
        Solver solver = {};                  ///< that will run the schedule
        Terminal terminal = Terminal::zero;  ///< where its last step ends
        std::pair<double, double> first;     ///< range of the first node's lambda
        std::pair<double, double> last;      ///< of the last node's
        double least_gap = 0.02;             ///< between nodes, in lambda; multistep solvers do not run on much less
        /// What is minimized is error^2 + (caution * error of the start)^2 * sum over intervals of log(h / h of the start)^2: a schedule far
        /// from the start has to be so much better. The model is fitted to few samples, and 20 nodes can exploit that.
        double caution = 0.0;
        int max_iterations = 60;      ///< of Levenberg and Marquardt's method
        ShouldStop should_stop = {};  ///< ends a search that takes too long
    };
    /// What improve() found.
    struct Found {
        std::vector<double> lambdas;  ///< nodes, strictly increasing
        double error = 0.0;           ///< error() of them
        int evaluations = 0;          ///< of error() that it took
    };
    /// A local minimum of error(), with the caution asked for, near `start` (at most 1000 strictly increasing nodes), by Levenberg and Marquardt's method.
    HSO_EXPORT Found improve(std::span<const double> start, const Search& search) const;

  private:
    /// Natural cubic splines through the rows of a matrix.
    struct Rows {
        std::vector<double> values, curvatures;
    };
    /// A(lambda) at one level: e -> scale e + answer (project e).
    struct Response {
        double scale;
        std::vector<double> project;  ///< rank x kNear
        std::vector<double> answer;   ///< kNear x rank
    };

    void check(const Measurements& measurements) const;
    void check(std::string_view name, std::span<const double> lambdas, Solver solver, Terminal terminal) const;
    Rows splines(std::vector<double> values) const;
    void interpolate(const Rows& rows, double lambda, std::span<double> out) const;
    void prediction(double lambda, std::span<double> out) const;
    void state(double lambda, std::span<double> out) const;
    void fit_responses(const Measurements& measurements, detail::Checkpoint& checkpoint);
    void respond(double lambda, std::span<const double> error, std::span<double> out) const;
    void start(double lambda, double gain, std::span<double> y) const;
    /// `run` keeps what a later call needs that starts `from` another node than the first.
    void residual(detail::Multistep& run, std::span<const double> lambdas, Terminal terminal, double gain, std::span<double> out,
                  std::size_t from = 0) const;
    void carry(double lambda, std::span<double> error, detail::Checkpoint& checkpoint) const;

    NoiseSchedule noise_;
    std::size_t rank_;
    std::vector<double> lambdas_;
    Rows x0_, scaled_states_;
    std::vector<double> eps_;
    std::vector<Response> responses_;  ///< at kLevels levels, evenly between the first and the last node
};

}  // namespace hso

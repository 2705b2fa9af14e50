#include <hso/hso.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <hso/optimize.hpp>
#include <hso/try.hpp>
#include <hso/version.hpp>

#include "guarded.hpp"
#include "invalid.hpp"

struct hso_noise {
    hso::NoiseSchedule schedule;
};

struct hso_workspace {
    hso::Workspace workspace;
    hso::Schedule schedule;
};

namespace {

using hso::detail::throw_invalid;

// The C constants are the C++ enumerators, one higher where 0 is "default".
static_assert(HSO_OK == static_cast<int>(hso::ErrorCode::none) &&
              HSO_INVALID_ARGUMENT == static_cast<int>(hso::ErrorCode::invalid_argument) &&
              HSO_OUT_OF_MEMORY == static_cast<int>(hso::ErrorCode::out_of_memory) &&
              HSO_SYSTEM == static_cast<int>(hso::ErrorCode::system) && HSO_OTHER == static_cast<int>(hso::ErrorCode::other) &&
              HSO_STOPPED == static_cast<int>(hso::ErrorCode::stopped));
static_assert(HSO_TERMINAL_ZERO == static_cast<int>(hso::Terminal::zero) &&
              HSO_TERMINAL_T_MIN == static_cast<int>(hso::Terminal::t_min) &&
              HSO_TERMINAL_SKIP == static_cast<int>(hso::Terminal::skip));
static_assert(HSO_SEARCH_EXACT == static_cast<int>(hso::Search::exact) + 1 &&
              HSO_SEARCH_BILEVEL == static_cast<int>(hso::Search::bilevel) + 1 &&
              HSO_SEARCH_PAPER == static_cast<int>(hso::Search::paper) + 1);
static_assert(HSO_LOCAL_NEWTON == static_cast<int>(hso::LocalSolver::newton) + 1 &&
              HSO_LOCAL_SLSQP == static_cast<int>(hso::LocalSolver::slsqp) + 1);
static_assert(HSO_OBJECTIVE_MEP == static_cast<int>(hso::LowerObjective::mep) &&
              HSO_OBJECTIVE_DM_NONUNI == static_cast<int>(hso::LowerObjective::dm_nonuni));
static_assert(HSO_LIMITS_MEASURED == static_cast<int>(hso::Limits::measured) + 1 &&
              HSO_LIMITS_PUBLISHED == static_cast<int>(hso::Limits::published) + 1);
static_assert(HSO_STATUS_CONVERGED == static_cast<int>(hso::Status::converged) &&
              HSO_STATUS_MAX_GENERATIONS == static_cast<int>(hso::Status::max_generations) &&
              HSO_STATUS_UNCERTIFIED == static_cast<int>(hso::Status::uncertified) &&
              HSO_STATUS_COLLAPSED == static_cast<int>(hso::Status::collapsed) &&
              HSO_STATUS_GIVEN == static_cast<int>(hso::Status::given));
static_assert(sizeof(hso_error::message) == sizeof(hso::Error::message) && sizeof(hso_error) == sizeof(hso::Error));

/// A larger `size` than this is no size: an uninitialized struct.
constexpr std::size_t kMostSize = 4096;

template <class Work>
hso_code run(hso_error* out, Work work) noexcept {
    hso::Error error;
    hso::detail::guarded(error, work);
    if (out) {
        out->code = static_cast<hso_code>(error.code);
        std::memcpy(out->message, error.message, sizeof out->message);
    }
    return static_cast<hso_code>(error.code);
}

template <class Pointer>
Pointer& present(std::string_view name, Pointer* pointer) {
    if (!pointer) throw_invalid(name, "NULL", "given");
    return *pointer;
}

template <class Number>
std::span<Number> numbers(std::string_view name, Number* values, std::uint64_t count) {
    if (!values && count > 0) throw_invalid(name, "NULL", "an array of " + std::to_string(count) + " numbers");
    if (count > std::numeric_limits<std::size_t>::max() / (2 * sizeof(double)))
        throw_invalid("count", std::to_string(count), "an array's length");
    return {values, static_cast<std::size_t>(count)};
}

template <class Make>
hso_code make_noise(hso_noise** noise, hso_error* error, Make make) noexcept {
    if (noise) *noise = nullptr;
    return run(error, [&] {
        hso_noise*& out = present("noise", noise);
        out = new hso_noise{make()};
    });
}

template <class Map>
hso_code map(const hso_noise* noise, std::string_view name, const double* in, double* out, std::size_t count, hso_error* error,
             Map call) noexcept {
    return run(error, [&] {
        const hso::NoiseSchedule& schedule = present("noise", noise).schedule;
        const auto from = numbers(name, in, count);
        call(schedule, from, numbers("out", out, count));
    });
}

/// The C++ enumerator for a C constant of which there are `count`; nothing where the constant stands for "default".
template <class Enum>
Enum enumerator(std::string_view name, int32_t value, int count) {
    if (value < 0 || value >= count)
        throw_invalid(name, std::to_string(value), "one of its constants, 0 to " + std::to_string(count - 1));
    return static_cast<Enum>(value);
}

template <class Enum>
std::optional<Enum> enumerator_or_default(std::string_view name, int32_t value, int count) {
    if (value == 0) return std::nullopt;
    return static_cast<Enum>(static_cast<int>(enumerator<Enum>(name, value, count)) - 1);
}

std::optional<double> given(double value) {
    if (value == HSO_DEFAULT) return std::nullopt;
    return value;
}

std::optional<std::pair<double, double>> given(double low, double high) {
    if (low == HSO_DEFAULT && high == HSO_DEFAULT) return std::nullopt;
    return std::pair(low, high);
}

/// hso_options as the first version with this HSO_ABI_VERSION had it: without what came at its end.
constexpr std::size_t kFirstOptions = offsetof(hso_options, should_stop);

template <class Struct>
std::size_t checked_size(std::string_view name, std::size_t size, std::size_t least) {
    if (size < least || size > kMostSize)
        throw_invalid(name, std::to_string(size),
                      "sizeof of the struct (" + std::to_string(sizeof(Struct)) + " in this version)");
    return size;
}

std::size_t checked_options_size(std::string_view name, std::size_t size) {
    if (size == kFirstOptions) return size;
    return checked_size<hso_options>(name, size, sizeof(hso_options));
}

/// What the caller knows of the options; the rest asks for nothing.
hso_options known(const hso_options& given_options) {
    const std::size_t size = checked_options_size("options->size", given_options.size);
    const auto* bytes = reinterpret_cast<const unsigned char*>(&given_options);
    // a newer caller's members, at 0 or not set, ask for nothing; others cannot be served
    if (size > sizeof(hso_options) &&
        std::any_of(bytes + sizeof(hso_options), bytes + size, [](unsigned char byte) { return byte != 0; }))
        throw_invalid("options", "options that this version does not know",
                      "of at most " + std::to_string(sizeof(hso_options)) + " bytes");
    hso_options options = {};
    std::memcpy(&options, bytes, std::min(size, sizeof(hso_options)));
    return options;
}

hso::Options to_options(const hso_options* given_options) {
    hso::Options options;
    if (!given_options) return options;
    const hso_options from = known(*given_options);
    options.terminal = enumerator<hso::Terminal>("terminal", from.terminal, 3);
    options.search = enumerator_or_default<hso::Search>("search", from.search, 4);
    options.local = enumerator_or_default<hso::LocalSolver>("local", from.local, 3);
    options.objective = enumerator<hso::LowerObjective>("objective", from.objective, 2);
    options.limits = enumerator_or_default<hso::Limits>("limits", from.limits, 3);
    options.threads = from.threads;
    options.local_iterations = from.local_iterations;
    options.seed = from.seed;
    if (from.proxy_count > 0 || from.proxy_lambda || from.proxy_value) {
        if (given(from.p)) throw_invalid("p", *given(from.p), "HSO_DEFAULT where a table of eps~ is given");
        const auto lambda = numbers("proxy_lambda", from.proxy_lambda, from.proxy_count);
        options.proxy = hso::ErrorProxy::table(lambda, numbers("proxy_value", from.proxy_value, from.proxy_count));
    } else if (const auto p = given(from.p)) {
        options.proxy = hso::ErrorProxy::power(*p);
    }
    options.gamma = given(from.gamma);
    options.gap = from.gap;
    options.d_min = given(from.d_min);
    options.rho = {from.rho_low, from.rho_high};
    options.t_min = given(from.t_min_low, from.t_min_high);
    options.t_max = given(from.t_max_low, from.t_max_high);
    if (from.should_stop) options.should_stop = [ask = from.should_stop, data = from.should_stop_data] { return ask(data) != 0; };
    return options;
}

/// Before the work: whether `out` has room for a schedule of `nfe` calls.
void check_room(const hso_schedule* out, std::size_t nfe) {
    const hso_schedule& schedule = present("schedule", out);
    checked_size<hso_schedule>("schedule->size", schedule.size, sizeof(hso_schedule));
    if (schedule.capacity <= nfe)
        throw_invalid("schedule->capacity", std::to_string(schedule.capacity), "at least nfe + 1 = " + std::to_string(nfe + 1));
}

void write(const hso::Schedule& from, hso_schedule& out) noexcept {
    for (const auto& [values, array] : {std::pair(&from.t, out.t), std::pair(&from.lambdas, out.lambdas),
                                        std::pair(&from.sigmas, out.sigmas), std::pair(&from.timesteps, out.timesteps)})
        if (array) std::copy(values->begin(), values->end(), array);
    out.nfe = from.nfe;
    out.terminal = static_cast<int32_t>(from.terminal);
    out.status = static_cast<int32_t>(from.status);
    out.generations = from.generations;
    out.evaluations = from.evaluations;
    out.mep = from.mep;
    out.penalty = from.penalty;
    out.fitness = from.fitness;
    out.rho = from.psi.rho;
    out.t_min = from.psi.t_min;
    out.t_max = from.psi.t_max;
    out.lower_bound = from.lower_bound;
    out.gap = from.gap;
    out.min_spacing = from.min_spacing;
    out.d_min = from.d_min;
    out.elapsed = from.elapsed;
}

}  // namespace

const char* hso_version() { return HSO_VERSION; }

uint32_t hso_abi_version() { return HSO_ABI_VERSION; }

int32_t hso_has_nlopt() { return hso::has_nlopt() ? 1 : 0; }

hso_code hso_noise_from_alphas_cumprod(const double* alphas_cumprod, size_t count, hso_noise** noise, hso_error* error) {
    return make_noise(noise, error,
                      [&] { return hso::NoiseSchedule::from_alphas_cumprod(numbers("alphas_cumprod", alphas_cumprod, count)); });
}

hso_code hso_noise_from_betas(const double* betas, size_t count, hso_noise** noise, hso_error* error) {
    return make_noise(noise, error, [&] { return hso::NoiseSchedule::from_betas(numbers("betas", betas, count)); });
}

hso_code hso_noise_vp_linear(double beta_min, double beta_max, hso_noise** noise, hso_error* error) {
    return make_noise(noise, error, [&] { return hso::NoiseSchedule::vp_linear(beta_min, beta_max); });
}

hso_code hso_noise_vp_cosine(double s, hso_noise** noise, hso_error* error) {
    return make_noise(noise, error, [&] { return hso::NoiseSchedule::vp_cosine(s); });
}

hso_code hso_noise_flow(double shift, hso_noise** noise, hso_error* error) {
    return make_noise(noise, error, [&] { return hso::NoiseSchedule::flow(shift); });
}

hso_code hso_noise_edm(double sigma_min, double sigma_max, hso_noise** noise, hso_error* error) {
    return make_noise(noise, error, [&] { return hso::NoiseSchedule::edm(sigma_min, sigma_max); });
}

hso_code hso_noise_from_table(const double* t, const double* alpha, const double* sigma, size_t count, double num_train_timesteps,
                              hso_noise** noise, hso_error* error) {
    return make_noise(noise, error, [&] {
        const auto ts = numbers("t", t, count), alphas = numbers("alpha", alpha, count);  // in order: the first fault is reported
        return hso::NoiseSchedule::from_table(ts, alphas, numbers("sigma", sigma, count), num_train_timesteps);
    });
}

void hso_noise_free(hso_noise* noise) { delete noise; }

hso_code hso_noise_lambda(const hso_noise* noise, const double* t, double* out, size_t count, hso_error* error) {
    return map(noise, "t", t, out, count, error, [](const auto& schedule, auto in, auto to) { schedule.lambda(in, to); });
}

hso_code hso_noise_t(const hso_noise* noise, const double* lambda, double* out, size_t count, hso_error* error) {
    return map(noise, "lambda", lambda, out, count, error, [](const auto& schedule, auto in, auto to) { schedule.t(in, to); });
}

hso_code hso_noise_alpha(const hso_noise* noise, const double* lambda, double* out, size_t count, hso_error* error) {
    return map(noise, "lambda", lambda, out, count, error,
               [](const auto& schedule, auto in, auto to) { schedule.alpha(in, to); });
}

hso_code hso_noise_sigma(const hso_noise* noise, const double* lambda, double* out, size_t count, hso_error* error) {
    return map(noise, "lambda", lambda, out, count, error,
               [](const auto& schedule, auto in, auto to) { schedule.sigma(in, to); });
}

hso_code hso_noise_timestep(const hso_noise* noise, const double* lambda, double* out, size_t count, hso_error* error) {
    return map(noise, "lambda", lambda, out, count, error,
               [](const auto& schedule, auto in, auto to) { schedule.timestep(in, to); });
}

hso_code hso_noise_t_range(const hso_noise* noise, double* low, double* high, hso_error* error) {
    return run(error, [&] {
        const auto [lowest, highest] = present("noise", noise).schedule.t_range();
        double& low_out = present("low", low);
        present("high", high) = highest;
        low_out = lowest;
    });
}

hso_code hso_options_init(hso_options* options, size_t size, hso_error* error) {
    return run(error, [&] {
        present("options", options);
        checked_options_size("size", size);
        std::memset(options, 0, size);  // what a newer caller knows and this version does not asks for nothing
        const hso::Options defaults;
        options->size = static_cast<uint32_t>(size);
        options->terminal = static_cast<int32_t>(defaults.terminal);
        options->objective = static_cast<int32_t>(defaults.objective);
        options->threads = defaults.threads;
        options->local_iterations = defaults.local_iterations;
        options->seed = defaults.seed;
        options->gap = defaults.gap;
        options->rho_low = defaults.rho.first;
        options->rho_high = defaults.rho.second;
        for (double* number : {&options->p, &options->gamma, &options->d_min, &options->t_min_low, &options->t_min_high,
                               &options->t_max_low, &options->t_max_high})
            *number = HSO_DEFAULT;
    });
}

hso_code hso_workspace_create(hso_workspace** workspace, hso_error* error) {
    if (workspace) *workspace = nullptr;
    return run(error, [&] {
        hso_workspace*& out = present("workspace", workspace);
        out = new hso_workspace;
    });
}

void hso_workspace_free(hso_workspace* workspace) { delete workspace; }

hso_code hso_optimize(const hso_noise* noise, int32_t nfe, const hso_options* options, hso_workspace* workspace,
                      hso_schedule* schedule, hso_error* error) {
    return run(error, [&] {
        const hso::NoiseSchedule& from = present("noise", noise).schedule;
        hso_workspace& work = present("workspace", workspace);
        check_room(schedule, nfe > 0 ? static_cast<std::size_t>(nfe) : 0);
        hso::optimize(from, nfe, to_options(options), work.workspace, work.schedule);
        write(work.schedule, *schedule);
    });
}

hso_code hso_schedule_from_nodes(const hso_noise* noise, const double* t, size_t count, const hso_options* options,
                                 hso_schedule* schedule, hso_error* error) {
    return run(error, [&] {
        const hso::NoiseSchedule& from = present("noise", noise).schedule;
        const hso::Options chosen = to_options(options);
        const std::size_t extra = chosen.terminal == hso::Terminal::zero ? 0 : 1;
        check_room(schedule, count > extra ? count - extra : 0);
        write(hso::schedule_from_nodes(from, numbers("t", t, count), chosen), *schedule);
    });
}

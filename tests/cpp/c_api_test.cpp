// The C interface against the C++ one, bitwise.
#include <hso/hso.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <hso/hso.hpp>

#include "c_api_layout.h"
#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Free {
    void operator()(hso_noise* noise) const { hso_noise_free(noise); }
    void operator()(hso_workspace* workspace) const { hso_workspace_free(workspace); }
};
using Noise = std::unique_ptr<hso_noise, Free>;
using Work = std::unique_ptr<hso_workspace, Free>;

hso_error stale() {
    hso_error error = {HSO_OTHER, "stale"};
    return error;
}

bool is_clear(const hso_error& error) { return error.code == HSO_OK && error.message[0] == '\0'; }

/// Calls make(hso_noise**, hso_error*), which must succeed.
template <class Make>
Noise made(Make make) {
    hso_noise* noise = nullptr;
    hso_error error = stale();
    REQUIRE(make(&noise, &error) == HSO_OK);
    CHECK(is_clear(error));
    REQUIRE(noise != nullptr);
    return Noise(noise);
}

Noise flow(double shift) {
    return made([=](hso_noise** noise, hso_error* error) { return hso_noise_flow(shift, noise, error); });
}

Work workspace() {
    hso_workspace* made = nullptr;
    REQUIRE(hso_workspace_create(&made, nullptr) == HSO_OK);
    return Work(made);
}

hso_options defaults() {
    hso_options options;
    REQUIRE(hso_options_init(&options, sizeof options, nullptr) == HSO_OK);
    return options;
}

/// An hso_schedule with its arrays.
struct Arrays {
    explicit Arrays(std::size_t nfe) : t(nfe + 1), lambdas(nfe + 1), sigmas(nfe + 1), timesteps(nfe + 1, kNaN) {
        schedule.size = sizeof schedule;
        schedule.capacity = static_cast<uint32_t>(nfe + 1);
        schedule.t = t.data();
        schedule.lambdas = lambdas.data();
        schedule.sigmas = sigmas.data();
        schedule.timesteps = timesteps.data();
    }
    std::vector<double> t, lambdas, sigmas, timesteps;
    hso_schedule schedule = {};
};

bool same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

/// All but the time it took.
void check_same(const Arrays& c, const Schedule& cpp) {
    const std::size_t nfe = cpp.timesteps.size();
    CHECK(c.t == cpp.t);
    CHECK(c.lambdas == cpp.lambdas);
    CHECK(c.sigmas == cpp.sigmas);
    CHECK(std::vector(c.timesteps.begin(), c.timesteps.begin() + static_cast<std::ptrdiff_t>(nfe)) == cpp.timesteps);
    CHECK(std::isnan(c.timesteps[nfe]));  // not written
    CHECK(c.schedule.nfe == cpp.nfe);
    CHECK(c.schedule.terminal == static_cast<int>(cpp.terminal));
    CHECK(c.schedule.status == static_cast<int>(cpp.status));
    CHECK(c.schedule.generations == cpp.generations);
    CHECK(c.schedule.evaluations == cpp.evaluations);
    const std::pair<double, double> figures[] = {
        {c.schedule.mep, cpp.mep},         {c.schedule.penalty, cpp.penalty},
        {c.schedule.fitness, cpp.fitness}, {c.schedule.rho, cpp.psi.rho},
        {c.schedule.t_min, cpp.psi.t_min}, {c.schedule.t_max, cpp.psi.t_max},
        {c.schedule.gap, cpp.gap},         {c.schedule.lower_bound, cpp.lower_bound},
        {c.schedule.d_min, cpp.d_min},     {c.schedule.min_spacing, cpp.min_spacing},
    };
    for (const auto& [ours, expected] : figures) CHECK((same(ours, expected) || (std::isnan(ours) && std::isnan(expected))));
}

/// The call must be refused with this beginning of the message.
template <class Call>
void check_refused(std::string_view beginning, Call call) {
    hso_error error = {HSO_OK, ""};
    CHECK(call(&error) == HSO_INVALID_ARGUMENT);
    CHECK(error.code == HSO_INVALID_ARGUMENT);
    CAPTURE(error.message);
    CHECK(std::string_view(error.message).starts_with(beginning));
    CHECK(call(nullptr) == HSO_INVALID_ARGUMENT);
}

}  // namespace

TEST_CASE("C: the structs lie where they always did") {
    // 64-bit platforms; a member's place never changes, new ones come before the struct's size
    const std::pair<std::string_view, std::size_t> expected[] = {
        {"hso_error.code", 0},
        {"hso_error.message", 4},
        {"hso_error", 512},
        {"hso_options.size", 0},
        {"hso_options.terminal", 4},
        {"hso_options.search", 8},
        {"hso_options.local", 12},
        {"hso_options.objective", 16},
        {"hso_options.limits", 20},
        {"hso_options.threads", 24},
        {"hso_options.local_iterations", 28},
        {"hso_options.seed", 32},
        {"hso_options.p", 40},
        {"hso_options.proxy_lambda", 48},
        {"hso_options.proxy_value", 56},
        {"hso_options.proxy_count", 64},
        {"hso_options.gamma", 72},
        {"hso_options.gap", 80},
        {"hso_options.d_min", 88},
        {"hso_options.rho_low", 96},
        {"hso_options.rho_high", 104},
        {"hso_options.t_min_low", 112},
        {"hso_options.t_min_high", 120},
        {"hso_options.t_max_low", 128},
        {"hso_options.t_max_high", 136},
        {"hso_options.should_stop", 144},
        {"hso_options.should_stop_data", 152},
        {"hso_options", 160},
        {"hso_schedule.size", 0},
        {"hso_schedule.capacity", 4},
        {"hso_schedule.t", 8},
        {"hso_schedule.lambdas", 16},
        {"hso_schedule.sigmas", 24},
        {"hso_schedule.timesteps", 32},
        {"hso_schedule.nfe", 40},
        {"hso_schedule.terminal", 44},
        {"hso_schedule.status", 48},
        {"hso_schedule.generations", 52},
        {"hso_schedule.evaluations", 56},
        {"hso_schedule.mep", 64},
        {"hso_schedule.penalty", 72},
        {"hso_schedule.fitness", 80},
        {"hso_schedule.rho", 88},
        {"hso_schedule.t_min", 96},
        {"hso_schedule.t_max", 104},
        {"hso_schedule.lower_bound", 112},
        {"hso_schedule.gap", 120},
        {"hso_schedule.min_spacing", 128},
        {"hso_schedule.d_min", 136},
        {"hso_schedule.elapsed", 144},
        {"hso_schedule", 152},
    };
    REQUIRE(layout_entries == std::size(expected));
    if constexpr (sizeof(void*) == 8)
        for (std::size_t i = 0; i < layout_entries; ++i) {
            CHECK(layout[i].name == expected[i].first);
            CHECK(layout[i].offset == expected[i].second);
        }
    // and C++ agrees with C
    CHECK(offsetof(hso_options, should_stop_data) == layout[26].offset);
    CHECK(sizeof(hso_options) == layout[27].offset);
    CHECK(sizeof(hso_schedule) == layout[layout_entries - 1].offset);
}

TEST_CASE("C: versions") {
    CHECK(std::string_view(hso_version()) == HSO_VERSION);
    CHECK(hso_abi_version() == HSO_ABI_VERSION);
    CHECK((hso_has_nlopt() == 1) == has_nlopt());
}

TEST_CASE("C: noise schedules are C++'s, and so are their maps") {
    const std::vector<double> betas = golden_betas("ddpm_linear"), alphas_cumprod = {0.9, 0.5, 0.1};
    const std::vector<double> t = {0.1, 0.5, 1.0}, alpha = {0.9, 0.5, 0.1}, sigma = {0.2, 0.5, 2.0};
    std::vector<std::pair<Noise, NoiseSchedule>> pairs;
    pairs.emplace_back(
        made([&](auto noise, auto error) { return hso_noise_from_betas(betas.data(), betas.size(), noise, error); }),
        NoiseSchedule::from_betas(betas));
    pairs.emplace_back(
        made([&](auto noise, auto error) { return hso_noise_from_alphas_cumprod(alphas_cumprod.data(), 3, noise, error); }),
        NoiseSchedule::from_alphas_cumprod(alphas_cumprod));
    pairs.emplace_back(made([](auto noise, auto error) { return hso_noise_vp_linear(0.2, 10.0, noise, error); }),
                       NoiseSchedule::vp_linear(0.2, 10.0));
    pairs.emplace_back(made([](auto noise, auto error) { return hso_noise_vp_cosine(0.01, noise, error); }),
                       NoiseSchedule::vp_cosine(0.01));
    pairs.emplace_back(flow(3.0), NoiseSchedule::flow(3.0));
    pairs.emplace_back(made([](auto noise, auto error) { return hso_noise_edm(0.01, 50.0, noise, error); }),
                       NoiseSchedule::edm(0.01, 50.0));
    pairs.emplace_back(made([&](auto noise, auto error) {
                           return hso_noise_from_table(t.data(), alpha.data(), sigma.data(), 3, 500.0, noise, error);
                       }),
                       NoiseSchedule::from_table(t, alpha, sigma, 500.0));
    for (const auto& [c, cpp] : pairs) {
        double low = 0.0, high = 0.0;
        REQUIRE(hso_noise_t_range(c.get(), &low, &high, nullptr) == HSO_OK);
        CHECK(std::pair(low, high) == cpp.t_range());
        const std::vector<double> at = {low, 0.6 * low + 0.4 * high, high};
        std::vector<double> lambda(3), out(3), expected(3);
        hso_error error = stale();
        REQUIRE(hso_noise_lambda(c.get(), at.data(), lambda.data(), 3, &error) == HSO_OK);
        CHECK(is_clear(error));
        cpp.lambda(at, expected);
        CHECK(lambda == expected);
        REQUIRE(hso_noise_t(c.get(), lambda.data(), out.data(), 3, &error) == HSO_OK);
        cpp.t(lambda, expected);
        CHECK(out == expected);
        REQUIRE(hso_noise_alpha(c.get(), lambda.data(), out.data(), 3, &error) == HSO_OK);
        cpp.alpha(lambda, expected);
        CHECK(out == expected);
        REQUIRE(hso_noise_sigma(c.get(), lambda.data(), out.data(), 3, &error) == HSO_OK);
        cpp.sigma(lambda, expected);
        CHECK(out == expected);
        REQUIRE(hso_noise_timestep(c.get(), lambda.data(), out.data(), 3, &error) == HSO_OK);
        cpp.timestep(lambda, expected);
        CHECK(out == expected);
        // in place
        REQUIRE(hso_noise_timestep(c.get(), lambda.data(), lambda.data(), 3, &error) == HSO_OK);
        CHECK(lambda == expected);
        CHECK(hso_noise_lambda(c.get(), nullptr, nullptr, 0, &error) == HSO_OK);
    }
}

TEST_CASE("C: optimize gives C++'s schedules, bitwise, with any options") {
    const std::vector<double> lambda = {-4.0, 0.0, 4.0}, value = {2.0, 1.0, 0.3};
    const auto c_noise = flow(3.0);
    const auto noise = NoiseSchedule::flow(3.0);
    const auto work = workspace();
    const auto check = [&](const hso_options* c_options, const Options& options) {
        for (int nfe : {1, 5, 9}) {
            Arrays out(static_cast<std::size_t>(nfe));
            hso_error error = stale();
            REQUIRE(hso_optimize(c_noise.get(), nfe, c_options, work.get(), &out.schedule, &error) == HSO_OK);
            CHECK(is_clear(error));
            check_same(out, optimize(noise, nfe, options));
        }
    };
    check(nullptr, {});
    hso_options options = defaults();
    check(&options, {});
    options.terminal = HSO_TERMINAL_SKIP;
    options.search = HSO_SEARCH_EXACT;
    options.limits = HSO_LIMITS_MEASURED;
    options.p = 1.5;
    options.gamma = 100.0;
    options.gap = std::numeric_limits<double>::infinity();
    check(&options, {.terminal = Terminal::skip,
                     .search = Search::exact,
                     .proxy = ErrorProxy::power(1.5),
                     .gamma = 100.0,
                     .gap = std::numeric_limits<double>::infinity(),
                     .limits = Limits::measured});
    options = defaults();
    options.terminal = HSO_TERMINAL_T_MIN;
    options.search = HSO_SEARCH_BILEVEL;
    options.local = HSO_LOCAL_NEWTON;
    options.objective = HSO_OBJECTIVE_MEP;
    options.limits = HSO_LIMITS_PUBLISHED;
    options.threads = 2;
    options.local_iterations = 40;
    options.seed = 7;
    options.d_min = 0.03;
    options.rho_low = 5.0;
    options.rho_high = 9.0;
    options.t_min_low = 0.02;
    options.t_min_high = 0.05;
    options.t_max_low = 0.9;
    options.t_max_high = 0.98;
    options.proxy_lambda = lambda.data();
    options.proxy_value = value.data();
    options.proxy_count = 3;
    check(&options, {.terminal = Terminal::t_min,
                     .search = Search::bilevel,
                     .local = LocalSolver::newton,
                     .proxy = ErrorProxy::table(lambda, value),
                     .limits = Limits::published,
                     .d_min = 0.03,
                     .rho = {5.0, 9.0},
                     .t_min = std::pair(0.02, 0.05),
                     .t_max = std::pair(0.9, 0.98),
                     .seed = 7,
                     .threads = 1,
                     .local_iterations = 40});
}

TEST_CASE("C: what needs NLopt gives C++'s schedule, or is refused without it") {
    const auto c_noise = flow(3.0);
    const auto work = workspace();
    hso_options paper = defaults(), dm_nonuni = defaults(), slsqp = defaults();
    paper.search = HSO_SEARCH_PAPER;
    dm_nonuni.objective = HSO_OBJECTIVE_DM_NONUNI;
    slsqp.search = HSO_SEARCH_BILEVEL;
    slsqp.local = HSO_LOCAL_SLSQP;
    const std::pair<hso_options, Options> pairs[] = {
        {paper, {.search = Search::paper}},
        {dm_nonuni, {.objective = LowerObjective::dm_nonuni}},
        {slsqp, {.search = Search::bilevel, .local = LocalSolver::slsqp}},
    };
    for (const auto& [c_options, options] : pairs) {
        Arrays out(4);
        const hso_code code = hso_optimize(c_noise.get(), 4, &c_options, work.get(), &out.schedule, nullptr);
        CHECK(code == (has_nlopt() ? HSO_OK : HSO_INVALID_ARGUMENT));
        if (has_nlopt()) check_same(out, optimize(NoiseSchedule::flow(3.0), 4, options));
    }
}

TEST_CASE("C: a schedule from nodes is C++'s") {
    const auto c_noise = flow(3.0);
    const std::vector<double> t = {0.95, 0.6, 0.2};
    hso_options options = defaults();
    for (auto [terminal, nfe] :
         {std::pair(HSO_TERMINAL_ZERO, 3), std::pair(HSO_TERMINAL_T_MIN, 2), std::pair(HSO_TERMINAL_SKIP, 2)}) {
        options.terminal = terminal;
        options.d_min = 0.3;
        Arrays out(static_cast<std::size_t>(nfe));
        REQUIRE(hso_schedule_from_nodes(c_noise.get(), t.data(), t.size(), &options, &out.schedule, nullptr) == HSO_OK);
        check_same(out,
                   schedule_from_nodes(NoiseSchedule::flow(3.0), t, {.terminal = static_cast<Terminal>(terminal), .d_min = 0.3}));
    }
    Arrays out(3);
    REQUIRE(hso_schedule_from_nodes(c_noise.get(), t.data(), t.size(), nullptr, &out.schedule, nullptr) == HSO_OK);
    check_same(out, schedule_from_nodes(NoiseSchedule::flow(3.0), t));
}

TEST_CASE("C: arrays may be left out, and larger ones are written as far as needed") {
    const auto c_noise = flow(3.0);
    const auto work = workspace();
    Arrays all(5), some(5), large(20);
    some.schedule.t = some.schedule.lambdas = some.schedule.timesteps = nullptr;
    large.sigmas.assign(21, -7.0);
    large.schedule.sigmas = large.sigmas.data();
    for (Arrays* out : {&all, &some, &large})
        REQUIRE(hso_optimize(c_noise.get(), 5, nullptr, work.get(), &out->schedule, nullptr) == HSO_OK);
    CHECK(some.sigmas == all.sigmas);
    CHECK(some.t == std::vector<double>(6));
    for (std::size_t i = 0; i < 21; ++i) CHECK(large.sigmas[i] == (i < 6 ? all.sigmas[i] : -7.0));
}

TEST_CASE("C: bad noise schedules are refused, and no handle is given") {
    int anything = 0;
    hso_noise* const before = reinterpret_cast<hso_noise*>(&anything);  // a pointer that is not NULL
    hso_noise* noise = before;
    const auto refused = [&](std::string_view beginning, auto call) {
        noise = before;
        check_refused(beginning, call);
        CHECK(noise == nullptr);
    };
    const std::vector<double> values = {0.9, kNaN};
    refused("shift", [&](hso_error* error) { return hso_noise_flow(-1.0, &noise, error); });
    refused("beta_min", [&](hso_error* error) { return hso_noise_vp_linear(0.0, 1.0, &noise, error); });
    refused("s ", [&](hso_error* error) { return hso_noise_vp_cosine(kNaN, &noise, error); });
    refused("sigma_max", [&](hso_error* error) { return hso_noise_edm(1.0, 1.0, &noise, error); });
    refused("betas[1]", [&](hso_error* error) { return hso_noise_from_betas(values.data(), 2, &noise, error); });
    refused("betas", [&](hso_error* error) { return hso_noise_from_betas(nullptr, 2, &noise, error); });
    refused("betas", [&](hso_error* error) { return hso_noise_from_betas(nullptr, 0, &noise, error); });
    refused("count", [&](hso_error* error) { return hso_noise_from_betas(values.data(), SIZE_MAX, &noise, error); });
    refused("alphas_cumprod", [&](hso_error* error) { return hso_noise_from_alphas_cumprod(values.data(), 2, &noise, error); });
    refused("sigma", [&](hso_error* error) {
        return hso_noise_from_table(values.data(), values.data(), nullptr, 2, 1000.0, &noise, error);
    });
    check_refused("noise must be given", [](hso_error* error) { return hso_noise_flow(1.0, nullptr, error); });
}

TEST_CASE("C: bad calls are refused, and the caller's memory stays as it was") {
    const auto c_noise = flow(3.0);
    const auto work = workspace();
    Arrays out(5);
    out.sigmas.assign(6, -7.0);
    out.schedule.fitness = -7.0;
    const auto refused = [&](std::string_view beginning, int nfe, auto change) {
        hso_options options = defaults();
        change(options);
        check_refused(beginning, [&](hso_error* error) {
            return hso_optimize(c_noise.get(), nfe, &options, work.get(), &out.schedule, error);
        });
    };
    const auto nothing = [](hso_options&) {};
    refused("nfe", 0, nothing);
    refused("nfe", -5, nothing);
    refused("schedule->capacity must be at least nfe + 1 = 7, got 6", 6, nothing);
    refused("schedule->capacity", std::numeric_limits<int>::max(), nothing);
    refused("options->size", 5, [](hso_options& options) { options.size = sizeof options - 1; });
    refused("options->size", 5, [](hso_options& options) { options.size = 0xdeadbeef; });
    refused("terminal", 5, [](hso_options& options) { options.terminal = 3; });
    refused("terminal", 5, [](hso_options& options) { options.terminal = -1; });
    refused("search", 5, [](hso_options& options) { options.search = 4; });
    refused("search", 5, [](hso_options& options) { options.search = std::numeric_limits<int32_t>::min(); });
    refused("local", 5, [](hso_options& options) { options.local = 3; });
    refused("objective", 5, [](hso_options& options) { options.objective = 2; });
    refused("limits", 5, [](hso_options& options) { options.limits = 3; });
    refused("threads", 5, [](hso_options& options) { options.threads = -1; });
    refused("p ", 5, [](hso_options& options) { options.p = -2.0; });
    refused("p ", 5, [](hso_options& options) { options.p = kNaN; });
    refused("gamma", 5, [](hso_options& options) { options.gamma = -0.5; });
    refused("gap", 5, [](hso_options& options) { options.gap = 0.0; });
    refused("d_min", 5, [](hso_options& options) { options.d_min = kNaN; });
    refused("d_min", 5, [](hso_options& options) { options.d_min = 0.9; });
    refused("rho", 5, [](hso_options& options) { options.rho_low = 20.0; });
    refused("t_min", 5, [](hso_options& options) { options.t_min_high = 0.1; });  // one end alone
    refused("t_max", 5, [](hso_options& options) { options.t_max_low = 0.5; });
    refused("proxy_lambda must be an array", 5, [](hso_options& options) { options.proxy_count = 2; });
    refused("count", 5, [&](hso_options& options) {
        options.proxy_lambda = options.proxy_value = out.t.data();
        options.proxy_count = std::numeric_limits<uint64_t>::max();
    });
    refused("p ", 5, [&](hso_options& options) {
        options.p = 2.0;
        options.proxy_lambda = out.t.data();
    });
    hso_schedule wrong = out.schedule;
    wrong.size = 0;
    const auto optimize_with = [&](const hso_noise* noise, hso_workspace* with, hso_schedule* schedule) {
        return [=](hso_error* error) { return hso_optimize(noise, 5, nullptr, with, schedule, error); };
    };
    check_refused("schedule->size", optimize_with(c_noise.get(), work.get(), &wrong));
    check_refused("noise must be given", optimize_with(nullptr, work.get(), &out.schedule));
    check_refused("workspace must be given", optimize_with(c_noise.get(), nullptr, &out.schedule));
    check_refused("schedule must be given", optimize_with(c_noise.get(), work.get(), nullptr));
    const std::vector<double> rising = {0.1, 0.5};
    const auto from_nodes = [&](const double* t, std::size_t count) {
        return [=, &c_noise, &out](hso_error* error) {
            return hso_schedule_from_nodes(c_noise.get(), t, count, nullptr, &out.schedule, error);
        };
    };
    check_refused("t[1]", from_nodes(rising.data(), 2));
    check_refused("t must be", from_nodes(rising.data(), 0));
    check_refused("t must be an array", from_nodes(nullptr, 2));
    check_refused("schedule->capacity", from_nodes(rising.data(), SIZE_MAX));
    CHECK(out.sigmas == std::vector<double>(6, -7.0));
    CHECK(out.schedule.fitness == -7.0);

    double number = 0.0, outside = 2.0;
    check_refused("t must be", [&](hso_error* error) { return hso_noise_lambda(c_noise.get(), &outside, &number, 1, error); });
    check_refused("out must be", [&](hso_error* error) { return hso_noise_t(c_noise.get(), &number, nullptr, 1, error); });
    check_refused("noise", [&](hso_error* error) { return hso_noise_sigma(nullptr, &number, &number, 1, error); });
    check_refused("high", [&](hso_error* error) { return hso_noise_t_range(c_noise.get(), &number, nullptr, error); });
    check_refused("low", [&](hso_error* error) { return hso_noise_t_range(c_noise.get(), nullptr, &number, error); });
    check_refused("options", [](hso_error* error) { return hso_options_init(nullptr, sizeof(hso_options), error); });
    check_refused("workspace", [](hso_error* error) { return hso_workspace_create(nullptr, error); });
    hso_noise_free(nullptr);
    hso_workspace_free(nullptr);
}

TEST_CASE("C: a newer caller's larger options are served as far as they ask for nothing new") {
    struct Newer {
        hso_options options;
        double more;
    } newer;
    std::memset(&newer, 0xff, sizeof newer);
    REQUIRE(hso_options_init(&newer.options, sizeof newer, nullptr) == HSO_OK);
    CHECK(newer.options.size == sizeof newer);
    CHECK(newer.more == 0.0);
    const auto c_noise = flow(3.0);
    const auto work = workspace();
    Arrays out(5);
    REQUIRE(hso_optimize(c_noise.get(), 5, &newer.options, work.get(), &out.schedule, nullptr) == HSO_OK);
    check_same(out, optimize(NoiseSchedule::flow(3.0), 5));
    newer.more = 1.0;
    check_refused("options", [&](hso_error* error) {
        return hso_optimize(c_noise.get(), 5, &newer.options, work.get(), &out.schedule, error);
    });
    check_refused("size", [&](hso_error* error) { return hso_options_init(&newer.options, sizeof(hso_options) - 8, error); });
    check_refused("size", [&](hso_error* error) { return hso_options_init(&newer.options, 100000, error); });
}

TEST_CASE("C: a caller of the first version, whose options end before should_stop, is served") {
    constexpr std::size_t first = offsetof(hso_options, should_stop);
    hso_options options;
    std::memset(&options, 0xff, sizeof options);  // what follows is not the caller's to set, nor ours to read
    REQUIRE(hso_options_init(&options, first, nullptr) == HSO_OK);
    CHECK(options.size == first);
    const auto* behind = reinterpret_cast<const unsigned char*>(&options) + first;
    for (std::size_t i = 0; i < sizeof options - first; ++i) REQUIRE(behind[i] == 0xff);
    options.gap = 1e-3;
    const auto c_noise = flow(3.0);
    const auto work = workspace();
    Arrays out(5);
    REQUIRE(hso_optimize(c_noise.get(), 5, &options, work.get(), &out.schedule, nullptr) == HSO_OK);
    check_same(out, optimize(NoiseSchedule::flow(3.0), 5, {.gap = 1e-3}));
    options.size = static_cast<uint32_t>(first - 8);
    check_refused("options->size",
                  [&](hso_error* error) { return hso_optimize(c_noise.get(), 5, &options, work.get(), &out.schedule, error); });
}

TEST_CASE("C: should_stop ends a search, with its data and on the calling thread") {
    struct Asked {
        int times = 0, stop_at = 0;
        std::thread::id thread = {};
    } asked;
    hso_options options = defaults();
    CHECK((options.should_stop == nullptr));
    options.should_stop_data = &asked;
    options.should_stop = [](void* data) -> int32_t {
        auto& of = *static_cast<Asked*>(data);
        of.thread = std::this_thread::get_id();
        return ++of.times == of.stop_at ? -1 : 0;
    };
    const auto c_noise = flow(3.0);
    const auto work = workspace();
    Arrays out(5);
    const auto run = [&](int nfe) {
        hso_error error = stale();
        const hso_code code = hso_optimize(c_noise.get(), nfe, &options, work.get(), &out.schedule, &error);
        CHECK(error.code == code);
        CHECK(std::string_view(error.message) == (code == HSO_STOPPED ? "stopped by the caller" : ""));
        return code;
    };
    CHECK(run(5) == HSO_OK);
    CHECK(asked.times >= 1);
    CHECK(asked.thread == std::this_thread::get_id());
    const Schedule expected = optimize(NoiseSchedule::flow(3.0), 5);
    check_same(out, expected);
    asked = {.times = 0, .stop_at = 1};
    CHECK(run(5) == HSO_STOPPED);
    check_same(out, expected);
    asked = {};
    CHECK(run(5) == HSO_OK);  // the workspace serves again
    check_same(out, expected);
}

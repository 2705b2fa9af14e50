#include <hso/try.hpp>

#include <cmath>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <doctest/doctest.h>

#include <hso/objective.hpp>
#include <hso/optimize.hpp>

#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Error stale() { return {.code = ErrorCode::other, .message = "stale"}; }

bool is_clear(const Error& error) { return error.code == ErrorCode::none && error.message[0] == '\0'; }

/// What `call` throws must be what `attempt` reports.
template <class Call, class Attempt>
void check_same_refusal(Call call, Attempt attempt) {
    const std::string message = invalid_message(call);
    REQUIRE_FALSE(message.empty());
    Error error;
    CHECK_FALSE(attempt(error));
    CHECK(error.code == ErrorCode::invalid_argument);
    CHECK(message == error.message);
}

/// `attempt` must succeed and give the noise schedule `expected`.
template <class Attempt>
void check_same_noise(const NoiseSchedule& expected, Attempt attempt) {
    Error error = stale();
    const std::optional<NoiseSchedule> noise = attempt(error);
    REQUIRE(noise);
    CHECK(is_clear(error));
    CHECK(noise->fingerprint() == expected.fingerprint());
}

void check_same(const Schedule& a, const Schedule& b) {
    CHECK(a.t == b.t);
    CHECK(a.lambdas == b.lambdas);
    CHECK(a.sigmas == b.sigmas);
    CHECK(a.timesteps == b.timesteps);
    CHECK(a.fitness == b.fitness);
    CHECK(a.status == b.status);
}

}  // namespace

static_assert(noexcept(try_optimize(std::declval<const NoiseSchedule&>(), 1, std::declval<const Options&>(),
                                    std::declval<Workspace&>(), std::declval<Schedule&>(), std::declval<Error&>())));

TEST_CASE("every noise schedule can be made without exceptions, and refused") {
    const std::vector<double> betas = golden_betas("sd_scaled_linear"), bad = {0.5, kNaN}, short_one = {0.5};
    const std::vector<double> t = {0.1, 0.5, 1.0}, alpha = {0.9, 0.5, 0.1}, sigma = {0.1, 0.5, 0.9};
    const std::vector<double> alphas_cumprod = {0.9, 0.5, 0.1};
    check_same_noise(NoiseSchedule::from_betas(betas), [&](Error& e) { return try_from_betas(betas, e); });
    check_same_noise(NoiseSchedule::from_alphas_cumprod(alphas_cumprod),
                     [&](Error& e) { return try_from_alphas_cumprod(alphas_cumprod, e); });
    check_same_noise(NoiseSchedule::vp_linear(0.2, 10.0), [&](Error& e) { return try_vp_linear(0.2, 10.0, e); });
    check_same_noise(NoiseSchedule::vp_cosine(0.01), [&](Error& e) { return try_vp_cosine(0.01, e); });
    check_same_noise(NoiseSchedule::flow(3.0), [&](Error& e) { return try_flow(3.0, e); });
    check_same_noise(NoiseSchedule::edm(0.01, 50.0), [&](Error& e) { return try_edm(0.01, 50.0, e); });
    check_same_noise(NoiseSchedule::from_table(t, alpha, sigma, 500.0),
                     [&](Error& e) { return try_from_table(t, alpha, sigma, 500.0, e); });

    check_same_refusal([&] { NoiseSchedule::from_betas(bad); }, [&](Error& e) { return try_from_betas(bad, e); });
    check_same_refusal([&] { NoiseSchedule::from_alphas_cumprod(short_one); },
                       [&](Error& e) { return try_from_alphas_cumprod(short_one, e); });
    check_same_refusal([&] { NoiseSchedule::vp_linear(-1.0, 2.0); }, [&](Error& e) { return try_vp_linear(-1.0, 2.0, e); });
    check_same_refusal([&] { NoiseSchedule::vp_cosine(2.0); }, [&](Error& e) { return try_vp_cosine(2.0, e); });
    check_same_refusal([&] { NoiseSchedule::flow(kNaN); }, [&](Error& e) { return try_flow(kNaN, e); });
    check_same_refusal([&] { NoiseSchedule::edm(80.0, 0.002); }, [&](Error& e) { return try_edm(80.0, 0.002, e); });
    check_same_refusal([&] { NoiseSchedule::from_table(t, alpha, short_one); },
                       [&](Error& e) { return try_from_table(t, alpha, short_one, 1000.0, e); });
}

TEST_CASE("a noise schedule's maps without exceptions are those with") {
    const auto noise = sd_noise();
    const std::vector<double> t = {0.1, 0.4, 0.9}, outside = {0.1, 2.0, 0.9};
    std::vector<double> lambda(3), out(3), expected(3);
    Error error = stale();
    REQUIRE(try_lambda(noise, t, lambda, error));
    CHECK(is_clear(error));
    noise.lambda(t, expected);
    CHECK(lambda == expected);
    const auto check_map = [&](auto attempt, auto map) {
        error = stale();
        REQUIRE(attempt(noise, lambda, out, error));
        CHECK(is_clear(error));
        map(expected);
        CHECK(out == expected);
        check_same_refusal(
            [&] {
                std::vector bad = {0.0, kNaN, 1.0};
                map(bad, out);
            },
            [&](Error& e) {
                const std::vector bad = {0.0, kNaN, 1.0};
                return attempt(noise, bad, out, e);
            });
    };
    const auto with = [&](auto member) {
        return [&, member](auto&&... arguments) {
            if constexpr (sizeof...(arguments) == 1) (member(lambda, arguments), ...);
            else member(arguments...);
        };
    };
    check_map(try_t, with([&](std::span<const double> in, std::span<double> to) { noise.t(in, to); }));
    check_map(try_alpha, with([&](std::span<const double> in, std::span<double> to) { noise.alpha(in, to); }));
    check_map(try_sigma, with([&](std::span<const double> in, std::span<double> to) { noise.sigma(in, to); }));
    check_map(try_timestep, with([&](std::span<const double> in, std::span<double> to) { noise.timestep(in, to); }));
    check_same_refusal([&] { noise.lambda(outside, out); }, [&](Error& e) { return try_lambda(noise, outside, out, e); });
}

TEST_CASE("error proxies without exceptions are those with") {
    const auto noise = sd_noise();
    const std::vector<double> lambda = {-4.0, 0.0, 4.0}, value = {2.0, 1.0, 0.3}, bad = {2.0, -1.0, 0.3};
    Error error = stale();
    CHECK(try_power_proxy(1.5, error)->value(noise, 0.3) == ErrorProxy::power(1.5).value(noise, 0.3));
    CHECK(is_clear(error));
    CHECK(try_table_proxy(lambda, value, error)->value(noise, 0.3) == ErrorProxy::table(lambda, value).value(noise, 0.3));
    check_same_refusal([] { ErrorProxy::power(-1.0); }, [](Error& e) { return try_power_proxy(-1.0, e); });
    check_same_refusal([&] { ErrorProxy::table(lambda, bad); }, [&](Error& e) { return try_table_proxy(lambda, bad, e); });
}

TEST_CASE("optimize without exceptions gives the same schedule, and refuses as it does") {
    Workspace workspace;
    Schedule out;
    for (const auto& noise : {sd_noise(), NoiseSchedule::flow(3.0), NoiseSchedule::edm()})
        for (Terminal terminal : {Terminal::zero, Terminal::t_min, Terminal::skip})
            for (int nfe : {1, 4, 9}) {
                const Options options = {.terminal = terminal};
                Error error = stale();
                REQUIRE(try_optimize(noise, nfe, options, workspace, out, error));
                CHECK(is_clear(error));
                check_same(out, optimize(noise, nfe, options));
            }
    const Schedule before = out;
    const auto noise = sd_noise();
    for (const Options& options : {Options{.d_min = 0.9}, Options{.gap = kNaN}, Options{.threads = -1}})
        check_same_refusal([&] { optimize(noise, 5, options); },
                           [&](Error& e) { return try_optimize(noise, 5, options, workspace, out, e); });
    check_same_refusal([&] { optimize(noise, 0); }, [&](Error& e) { return try_optimize(noise, 0, {}, workspace, out, e); });
    check_same(out, before);  // as it was
    Error error;
    CHECK(try_optimize(noise, 5, {}, workspace, out, error));  // and the workspace still serves
    check_same(out, optimize(noise, 5));
}

TEST_CASE("a schedule from nodes without exceptions is the same, and refused alike") {
    const auto noise = sd_noise();
    const std::vector<double> t = {0.9, 0.5, 0.1}, rising = {0.1, 0.5};
    Schedule out;
    Error error = stale();
    REQUIRE(try_schedule_from_nodes(noise, t, {}, out, error));
    CHECK(is_clear(error));
    check_same(out, schedule_from_nodes(noise, t));
    check_same_refusal([&] { schedule_from_nodes(noise, rising); },
                       [&](Error& e) { return try_schedule_from_nodes(noise, rising, {}, out, e); });
    check_same(out, schedule_from_nodes(noise, t));
}

TEST_CASE("whatever a callback throws is reported, cut where it is too long") {
    const auto noise = sd_noise();
    Workspace workspace;
    Schedule out;
    const auto reported = [&](auto thrower) {
        const Options options = {.search = Search::bilevel, .local = LocalSolver::newton, .should_stop = thrower};
        Error error;
        CHECK_FALSE(try_optimize(noise, 5, options, workspace, out, error));
        return error;
    };
    const auto check = [](const Error& error, ErrorCode code, std::string_view message) {
        CHECK(error.code == code);
        CHECK(error.message == message);
    };
    check(reported([]() -> bool { throw std::runtime_error("enough"); }), ErrorCode::other, "enough");
    check(reported([]() -> bool { throw 7; }), ErrorCode::other, "an exception that is no std::exception");
    check(reported([]() -> bool { throw std::bad_alloc(); }), ErrorCode::out_of_memory, "out of memory");
    check(reported([]() -> bool { throw std::length_error("vector"); }), ErrorCode::out_of_memory, "out of memory");
    CHECK(reported([]() -> bool {
              throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
          }).code == ErrorCode::system);
    const std::string text(2000, 'x');
    check(reported([&]() -> bool { throw std::runtime_error(text); }), ErrorCode::other, std::string_view(text).substr(0, 507));
    check(reported([] { return true; }), ErrorCode::stopped, "stopped by the caller");
}

TEST_CASE("a workspace that is at work is refused, and goes on with its work") {
    const auto noise = sd_noise();
    Workspace workspace;
    Schedule out, inner;
    Error error, inner_error;
    bool started = true;
    Options options = {.search = Search::bilevel, .local = LocalSolver::newton};
    const Schedule expected = optimize(noise, 5, options);
    options.should_stop = [&] {
        started = try_optimize(noise, 4, {}, workspace, inner, inner_error);
        return false;
    };
    REQUIRE(try_optimize(noise, 5, options, workspace, out, error));
    CHECK_FALSE(started);
    CHECK(inner_error.code == ErrorCode::invalid_argument);
    CHECK(std::string_view(inner_error.message).find("workspace") != std::string_view::npos);
    check_same(out, expected);
}

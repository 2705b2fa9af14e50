#include <hso/error_proxy.hpp>

#include <doctest/doctest.h>

#include "reference.hpp"
#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

/// Checks log_weight, weight and value against `proxy` = eps~ at `lambda`.
void check_proxy(const ErrorProxy& proxy, const NoiseSchedule& noise, const RealFunction& expected, double lambda) {
    CAPTURE(lambda);
    const RealFunction log_weight = [&](Real l) { return std::log(expected(l)) + l; };
    const RealFunction weight = [&](Real l) { return expected(l) * std::exp(l); };
    const auto log_d = differences(log_weight, lambda, 1e-4L), d = differences(weight, lambda, 1e-4L);
    const auto log = proxy.log_weight(noise, lambda);
    const auto w = proxy.weight(noise, lambda);
    REQUIRE(std::abs(log.value - static_cast<double>(log_weight(lambda))) < 1e-12 * (1.0 + std::abs(log.value)));
    REQUIRE(std::abs(log.d1 - static_cast<double>(log_d[0])) < 1e-9 * (1.0 + std::abs(log.d1)));
    REQUIRE(std::abs(log.d2 - static_cast<double>(log_d[1])) < 1e-8 * (1.0 + std::abs(log.d2)));
    REQUIRE(relative_error(w.g, weight(lambda)) < 1e-12);
    REQUIRE(std::abs(w.d1 - static_cast<double>(d[0])) < 1e-9 * (w.g + std::abs(w.d1)));
    REQUIRE(std::abs(w.d2 - static_cast<double>(d[1])) < 1e-8 * (w.g + std::abs(w.d1) + std::abs(w.d2)));
    REQUIRE(relative_error(proxy.value(noise, lambda), expected(lambda)) < 1e-12);
    REQUIRE(w.g > 0.0);
    REQUIRE(proxy.value(noise, lambda) > 0.0);
}

}  // namespace

TEST_CASE("the power proxy is sigma^p / alpha, with its derivatives") {
    Random random(21);
    for (const auto& noise : {sd_noise(), NoiseSchedule::flow(), NoiseSchedule::edm()})
        for (double p : {0.0, 0.5, 1.0, 2.0, 3.0, 4.5}) {
            CAPTURE(p);
            const auto proxy = ErrorProxy::power(p);
            CHECK(proxy.is_power());
            CHECK(proxy.p() == p);
            for (int i = 0; i < 50; ++i) check_proxy(proxy, noise, reference_proxy(noise.family(), p), random.uniform(-8.0, 8.0));
        }
    CHECK(ErrorProxy::power(2.0).p() == 2.0);
}

TEST_CASE("a table proxy is the monotone cubic of log(value), with its derivatives") {
    Random random(22);
    const auto noise = sd_noise();
    for (std::size_t n : {2, 3, 5, 12}) {
        CAPTURE(n);
        const auto lambda = random_increasing(random, n, -4.0, 4.0);
        std::vector<double> value(n);
        std::vector<Real> log_value;
        for (double& v : value) {
            v = std::exp(random.uniform(-3.0, 3.0));
            log_value.push_back(std::log(static_cast<Real>(v)));
        }
        const auto proxy = ErrorProxy::table(lambda, value);
        CHECK_FALSE(proxy.is_power());
        CHECK(std::isnan(proxy.p()));
        const ReferenceCubic cubic(to_real(lambda), log_value);
        for (int i = 0; i < 100; ++i) {
            const double at = random.uniform(-7.0, 7.0);
            if (!cubic.near_node(at, 3e-3))
                check_proxy(
                    proxy, noise, [&](Real l) { return std::exp(cubic(l)); }, at);
        }
        for (std::size_t i = 0; i < n; ++i) CHECK(relative_error(proxy.value(noise, lambda[i]), value[i]) < 1e-14);
    }
}

TEST_CASE("a table proxy of falling values falls and stays positive") {
    Random random(23);
    const auto noise = sd_noise();
    for (int repeat = 0; repeat < 20; ++repeat) {
        const std::size_t n = 2 + random.below(15);
        const auto lambda = random_increasing(random, n, -4.0, 4.0);
        std::vector<double> value(n, 100.0);
        for (std::size_t i = 1; i < n; ++i) value[i] = value[i - 1] * std::exp(-std::exp(random.uniform(-6.0, 2.0)));
        const auto proxy = ErrorProxy::table(lambda, value);
        double previous = proxy.value(noise, -4.5);
        for (double at = -4.49; at < 4.5; at += 0.01) {
            const double now = proxy.value(noise, at);
            REQUIRE(now > 0.0);
            REQUIRE(now <= previous * (1.0 + 1e-13));
            previous = now;
        }
    }
}

TEST_CASE("proxies that are none are refused by name") {
    for (double p : {-0.1, std::nan(""), HUGE_VAL}) CHECK(refuses("p must", [=] { ErrorProxy::power(p); }));
    using Table = std::vector<double>;
    const auto table = [](const Table& lambda, const Table& value) { return [=] { ErrorProxy::table(lambda, value); }; };
    CHECK(refuses("proxy lambda must", table({}, {})));
    CHECK(refuses("proxy lambda must", table({1.0}, {1.0})));
    CHECK(refuses("proxy value must", table({0.0, 1.0}, {1.0})));
    CHECK(refuses("proxy lambda[1]", table({0.0, 0.0}, {1.0, 1.0})));
    CHECK(refuses("proxy lambda[1]", table({0.0, -1.0}, {1.0, 1.0})));
    CHECK(refuses("proxy lambda[1]", table({0.0, HUGE_VAL}, {1.0, 1.0})));
    CHECK(refuses("proxy lambda[0]", table({std::nan(""), 1.0}, {1.0, 1.0})));
    CHECK(refuses("proxy value[0]", table({0.0, 1.0}, {0.0, 1.0})));
    CHECK(refuses("proxy value[1]", table({0.0, 1.0}, {1.0, -1.0})));
    CHECK(refuses("proxy value[1]", table({0.0, 1.0}, {1.0, std::nan("")})));
    CHECK(refuses("proxy value[1]", table({0.0, 1.0}, {1.0, HUGE_VAL})));
}

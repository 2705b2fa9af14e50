#include <hso/objective.hpp>
#include <hso/spacing.hpp>

#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace hso;
using namespace hso::test;

TEST_CASE("d_min falls linearly from 0.15 at 4 calls to 0.01 at 20") {
    CHECK(d_min(1) == 0.15);
    CHECK(d_min(4) == 0.15);
    CHECK(d_min(5) == doctest::Approx(0.14125).epsilon(1e-14));
    CHECK(d_min(6) == doctest::Approx(0.1325).epsilon(1e-14));
    CHECK(d_min(12) == doctest::Approx(0.08).epsilon(1e-14));
    CHECK(d_min(20) == doctest::Approx(0.01).epsilon(1e-12));
    CHECK(d_min(21) == 0.01);
    CHECK(d_min(10000) == 0.01);
    CHECK(refuses("nfe", [] { d_min(0); }));
    CHECK(refuses("nfe", [] { d_min(-3); }));
}

TEST_CASE("the penalty counts what is missing, squared, whichever way t runs") {
    const std::vector down = {0.9, 0.8, 0.5, 0.45}, up = {0.45, 0.5, 0.8, 0.9};
    const double expected = 10.0 * (0.05 * 0.05 + 0.1 * 0.1);
    CHECK(spacing_penalty(down, 0.15, 10.0) == doctest::Approx(expected).epsilon(1e-13));
    CHECK(spacing_penalty(up, 0.15, 10.0) == doctest::Approx(expected).epsilon(1e-13));
    CHECK(spacing_penalty(down, 0.04, 1e9) == 0.0);
    CHECK(spacing_penalty(down, 0.15, 0.0) == 0.0);
    CHECK(min_spacing(down) == doctest::Approx(0.05).epsilon(1e-13));
    CHECK(min_spacing(up) == doctest::Approx(0.05).epsilon(1e-13));
    CHECK(std::isinf(min_spacing(std::vector{0.5})));
}

TEST_CASE("SPF agrees with the golden values") {
    for (std::string_view name : kGoldenTables) {
        const auto noise = golden_noise(name);
        for (const auto& entry : golden()["tables"][std::string(name)]["spf"]) {
            CAPTURE(name);
            const auto t = entry["t"].get<std::vector<double>>();
            std::vector<double> lambdas(t.size());
            noise.lambda(t, lambdas);
            const double p = entry["p"], d = entry["d_min"], gamma = entry["gamma"];
            CHECK(d_min(entry["nfe"].get<int>()) == doctest::Approx(d).epsilon(1e-14));
            CHECK(relative_error(spf(noise, lambdas, d, gamma, ErrorProxy::power(p)), entry["spf"].get<double>()) < 1e-9);
            CHECK(relative_error(spf(noise, lambdas, d, 0.0, ErrorProxy::power(p)), entry["mep"].get<double>()) < 1e-9);
        }
    }
}

TEST_CASE("SPF refuses what makes no sense") {
    const auto noise = sd_noise();
    const std::vector lambdas = {-1.0, 0.0, 1.0};
    const auto proxy = ErrorProxy::power(2.0);
    for (double bad : {-1.0, std::nan(""), HUGE_VAL}) {
        CHECK(refuses("d_min", [&] { spf(noise, lambdas, bad, 1.0, proxy); }));
        CHECK(refuses("gamma", [&] { spf(noise, lambdas, 0.1, bad, proxy); }));
    }
    CHECK(refuses("lambda", [&] { spf(noise, std::vector{-1.0, 100.0}, 0.1, 1.0, proxy); }));
    CHECK(refuses("lambdas", [&] { spf(noise, std::vector<double>{}, 0.1, 1.0, proxy); }));
}

TEST_CASE("spacings and nodes that are no numbers are refused by name") {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
    const std::vector<double> t = {0.9, 0.5, 0.1};
    for (double bad : {nan, infinity, -1.0}) {
        CHECK(refuses("d_min", [&] { spacing_penalty(t, bad, 1.0); }));
        CHECK(refuses("gamma", [&] { spacing_penalty(t, 0.1, bad); }));
    }
    for (double bad : {nan, infinity}) {
        CHECK(refuses("t[1]", [&] { spacing_penalty(std::vector{0.9, bad, 0.1}, 0.1, 1.0); }));
        CHECK(refuses("t[1]", [&] { min_spacing(std::vector{0.9, bad, 0.1}); }));
    }
}

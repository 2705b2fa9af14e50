#include <hso/start.hpp>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace hso;
using namespace hso::test;

TEST_CASE("the Karras start is linear in sigma^(1/rho) between the ends") {
    Random random(5);
    for (const auto& [name, noise] : every_schedule()) {
        CAPTURE(name);
        const auto [low, high] = noise.t_range();
        for (double rho : {0.7, 1.0, 3.0, 7.0, 16.0, 200.0}) {
            const double t_min = low + (high - low) * random.uniform(0.001, 0.3);
            const double t_max = low + (high - low) * random.uniform(0.5, 1.0);
            const std::size_t n = 2 + random.below(20);
            std::vector<double> lambdas(n);
            karras_start(noise, {.rho = rho, .t_min = t_min, .t_max = t_max}, lambdas);
            CHECK(lambdas.front() == noise.lambda(t_max));
            CHECK(lambdas.back() == noise.lambda(t_min));
            const long double r = rho, first = lambdas.front(), last = lambdas.back();
            for (std::size_t i = 0; i < n; ++i) {
                if (i > 0) REQUIRE(lambdas[i] > lambdas[i - 1]);
                const long double share = static_cast<long double>(i) / static_cast<long double>(n - 1);
                const long double a = std::exp(-first / r), b = std::exp(-last / r);
                const long double sigma = std::pow(a + share * (b - a), r);
                REQUIRE(std::abs(lambdas[i] + static_cast<double>(std::log(sigma))) < 1e-11);
            }
        }
    }
}

TEST_CASE("the Karras start refuses what makes no sense") {
    const auto noise = sd_noise();
    std::vector<double> lambdas(4), one(1);
    CHECK(refuses("lambdas", [&] { karras_start(noise, {7.0, 0.1, 0.9}, one); }));
    for (double rho : {0.0, -1.0, std::nan(""), HUGE_VAL})
        CHECK(refuses("rho", [&] { karras_start(noise, {rho, 0.1, 0.9}, lambdas); }));
    CHECK(refuses("t_min", [&] { karras_start(noise, {7.0, 0.9, 0.9}, lambdas); }));
    CHECK(refuses("t_min", [&] { karras_start(noise, {7.0, std::nan(""), 0.9}, lambdas); }));
    CHECK(refuses("t", [&] { karras_start(noise, {7.0, 0.0001, 0.9}, lambdas); }));
    CHECK(refuses("t", [&] { karras_start(noise, {7.0, 0.1, 1.1}, lambdas); }));
}

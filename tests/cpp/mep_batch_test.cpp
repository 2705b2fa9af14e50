#include <hso/objective.hpp>
#include <hso/schedule.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>

#include <doctest/doctest.h>

#include "reference.hpp"
#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

struct Batch {
    std::vector<double> values, gradients;
    bool operator==(const Batch&) const = default;
};

/// Both entry points, which have to give the same values.
Batch evaluate(const NoiseSchedule& noise, std::span<const double> lambdas, std::size_t nodes, const ErrorProxy& proxy) {
    Batch batch{std::vector<double>(lambdas.size() / nodes), std::vector<double>(lambdas.size())};
    mep_gradient_batch(noise, lambdas, nodes, proxy, batch.values, batch.gradients);
    std::vector<double> values(batch.values.size());
    mep_batch(noise, lambdas, nodes, proxy, values);
    REQUIRE(values == batch.values);
    return batch;
}

/// Each row against mep_gradient().
void check_rows(const NoiseSchedule& noise, std::span<const double> lambdas, std::size_t nodes, const ErrorProxy& proxy,
                double value_tolerance = 1e-14) {
    const auto batch = evaluate(noise, lambdas, nodes, proxy);
    std::vector<double> gradient(nodes);
    for (std::size_t row = 0; row < batch.values.size(); ++row) {
        CAPTURE(row);
        const double value = mep_gradient(noise, lambdas.subspan(row * nodes, nodes), proxy, gradient);
        REQUIRE(relative_error(batch.values[row], value) < value_tolerance);
        REQUIRE(relative_error(std::span(batch.gradients).subspan(row * nodes, nodes), gradient) < 1e-13);
    }
}

std::vector<double> random_rows(Random& random, std::size_t rows, std::size_t nodes, double low, double high) {
    std::vector<double> lambdas;
    for (std::size_t row = 0; row < rows; ++row) {
        const auto [a, b] = std::minmax({random.uniform(low, high), random.uniform(low, high)});
        const auto added = nodes > 1 ? random_increasing(random, nodes, a, b) : std::vector{a};
        lambdas.insert(lambdas.end(), added.begin(), added.end());
    }
    return lambdas;
}

const std::vector<NoiseSchedule>& power_families() {
    static const std::vector<NoiseSchedule> all = {sd_noise(), NoiseSchedule::flow(), NoiseSchedule::edm()};
    return all;
}

ErrorProxy table_proxy() { return ErrorProxy::table(std::vector{-3.0, -1.0, 0.2, 2.0}, std::vector{9.0, 3.0, 2.9, 0.2}); }

constexpr double kPowers[] = {0.0, 0.5, 1.0, 2.0, 2.5, 2.7, 3.0};
constexpr std::size_t kRows[] = {0, 1, 3, 4, 7, 64}, kNodes[] = {1, 2, 11, 101};

}  // namespace

TEST_CASE("a batch agrees with MEP row by row") {
    Random random(51);
    const auto check = [&](const NoiseSchedule& noise, const ErrorProxy& proxy) {
        for (std::size_t rows : kRows)
            for (std::size_t nodes : kNodes) {
                CAPTURE(to_string(noise.family()));
                CAPTURE(proxy.p());
                CAPTURE(rows);
                CAPTURE(nodes);
                check_rows(noise, random_rows(random, rows, nodes, -6.0, 6.0), nodes, proxy);
                check_rows(noise, random_rows(random, rows, nodes, -40.0, 40.0), nodes, proxy);
            }
    };
    const auto general = NoiseSchedule::from_table(std::vector{0.1, 0.4, 0.7, 1.0}, std::vector{0.99, 0.8, 0.5, 0.2},
                                                   std::vector{0.05, 0.7, 1.5, 3.0});
    REQUIRE(general.family() == Family::general);
    for (const auto& noise : power_families()) {
        for (double p : kPowers) check(noise, ErrorProxy::power(p));
        check(noise, table_proxy());
    }
    check(general, ErrorProxy::power(2.5));
}

TEST_CASE("a batch agrees with eq. 8 in long double") {
    Random random(52);
    for (const auto& noise : power_families())
        for (double p : kPowers)
            for (double limit : {6.0, 40.0}) {
                CAPTURE(to_string(noise.family()));
                CAPTURE(p);
                CAPTURE(limit);
                const auto reference = reference_proxy(noise.family(), p);
                // exp(x) of a rounded x errs by the size of x, for VE up to 120
                const double tolerance = noise.family() == Family::ve ? 3e-14 : 2e-15;
                constexpr std::size_t nodes = 11;
                const auto lambdas = random_rows(random, 40, nodes, -limit, limit);
                const auto batch = evaluate(noise, lambdas, nodes, ErrorProxy::power(p));
                for (std::size_t row = 0; row < batch.values.size(); ++row) {
                    const auto row_lambdas = to_real(std::span(lambdas).subspan(row * nodes, nodes));
                    REQUIRE(relative_error(batch.values[row], reference_mep(row_lambdas, reference)) < tolerance);
                }
            }
}

TEST_CASE("a batch does not cancel as intervals shrink") {
    Random random(53);
    for (const auto& noise : power_families())
        for (double p : kPowers) {
            CAPTURE(to_string(noise.family()));
            CAPTURE(p);
            std::vector<double> lambdas;
            for (double h = 1e-12; h < 1.2; h *= 1.13) {
                const double a = random.uniform(-5.0, 5.0), b = a + h;
                lambdas.insert(lambdas.end(), {a, b, b, a});  // the second row turns the first around
            }
            const auto batch = evaluate(noise, lambdas, 2, ErrorProxy::power(p));
            const auto reference = reference_proxy(noise.family(), p);
            for (std::size_t row = 0; row < batch.values.size(); ++row) {
                const auto pair = std::span<const double>(lambdas).subspan(2 * row, 2);
                CAPTURE(pair[1] - pair[0]);
                REQUIRE(relative_error(batch.values[row], reference_mep(to_real(pair), reference)) < 1e-14);
            }
            check_rows(noise, lambdas, 2, ErrorProxy::power(p));
        }
}

TEST_CASE("a batch's numbers stay finite and right up to |lambda| = 170") {
    Random random(54);
    for (const auto& noise : power_families())
        for (double p : {0.0, 0.5, 1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 20.0}) {
            CAPTURE(to_string(noise.family()));
            CAPTURE(p);
            if (noise.family() == Family::ve && p > 4.0) continue;  // e^{p 170} is no double
            const auto proxy = ErrorProxy::power(p);
            auto lambdas = random_rows(random, 20, 4, -170.0, 170.0);
            lambdas.insert(lambdas.end(), {-170.0, -169.9, -169.0, -100.0, 100.0, 169.0, 169.9, 170.0});
            lambdas.insert(lambdas.end(), {-170.0, -1.0, 1.0, 170.0, -0.5, 0.1, 0.6, 2.0});
            for (double x : evaluate(noise, lambdas, 4, proxy).gradients) REQUIRE(std::isfinite(x));
            check_rows(noise, lambdas, 4, proxy, 1e-13);
        }
}

TEST_CASE("a row's numbers are the same bits whatever the batch") {
    Random random(55);
    for (const auto& noise : power_families())
        for (double p : {2.0, 2.5, 20.0}) {
            const auto proxy = ErrorProxy::power(p);
            for (std::size_t nodes : kNodes) {
                CAPTURE(to_string(noise.family()));
                CAPTURE(p);
                CAPTURE(nodes);
                const auto lambdas = random_rows(random, 64, nodes, -35.0, 35.0);  // p = 20: mep() beyond 34
                const auto all = evaluate(noise, lambdas, nodes, proxy);
                for (std::size_t rows : {1, 3, 4, 7}) {
                    Batch parts;
                    for (std::size_t row = 0; row < 64; row += rows) {
                        const std::size_t size = std::min<std::size_t>(rows, 64 - row) * nodes;
                        const auto part = evaluate(noise, std::span(lambdas).subspan(row * nodes, size), nodes, proxy);
                        parts.values.insert(parts.values.end(), part.values.begin(), part.values.end());
                        parts.gradients.insert(parts.gradients.end(), part.gradients.begin(), part.gradients.end());
                    }
                    REQUIRE(parts == all);
                }
            }
        }
}

TEST_CASE("a batch's numbers are the same bits on every processor") {
    // Random and the nodes made of it use no mathematical function, nor do these batches
    Random random(56);
    std::vector<double> lambdas(50 * 11);
    for (double& lambda : lambdas) lambda = random.uniform(-20.0, 20.0);
    std::uint64_t hash = 14695981039346656037u;  // FNV-1a
    const auto add = [&](double x) { hash = (hash ^ std::bit_cast<std::uint64_t>(x)) * 1099511628211u; };
    for (const auto& noise : power_families())
        for (double p : kPowers) {
            const auto batch = evaluate(noise, lambdas, 11, ErrorProxy::power(p));
            for (double x : batch.values) add(x);
            for (double x : batch.gradients) add(x);
        }
    CHECK(hash == 0x5737400292181310u);
}

TEST_CASE("a batch refuses what makes no sense") {
    const auto noise = sd_noise();
    const auto proxy = ErrorProxy::power(2.0);
    const std::vector<double> lambdas(12, 0.5);
    std::vector<double> three(3), four(4), twelve(12);
    const auto message = [&](std::span<const double> rows, std::size_t nodes, std::span<double> values,
                             std::span<double> gradients) {
        return invalid_message([&] { mep_gradient_batch(noise, rows, nodes, proxy, values, gradients); });
    };
    CHECK(message(lambdas, 4, three, twelve).empty());
    CHECK(message(lambdas, 0, three, twelve) == "nodes must be at least 1, got 0");
    CHECK(message(lambdas, 5, three, twelve) == "lambdas must be a multiple of nodes = 5 long, got 12 entries");
    CHECK(message(lambdas, 4, four, twelve) == "values must be 3 long, got 4 entries");
    CHECK(message(lambdas, 4, three, four) == "gradients must be 12 long, got 4 entries");
    CHECK(message(lambdas, 4, three, {}) == "gradients must be 12 long, got 0 entries");
    CHECK(refuses("values must be 3", [&] { mep_batch(noise, lambdas, 4, proxy, four); }));
    for (const auto& any : {proxy, table_proxy()})
        for (double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL, 170.1, -170.1}) {
            auto rows = lambdas;
            rows[6] = bad;
            CHECK(refuses("lambdas[1][2] must be within [-170, 170], got ", [&] { mep_batch(noise, rows, 4, any, three); }));
        }
}

#include "random.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <doctest/doctest.h>

using hso::detail::RandomStream;

// A changed stream changes every published result: these numbers come from another implementation (Python).
TEST_CASE("random stream begins with the known numbers") {
    struct Known {
        std::uint64_t seed, generation, index;
        std::array<std::uint64_t, 3> values;
    };
    constexpr Known known[] = {
        {0, 0, 0, {0x2ce809ae01cab7d7, 0x7924ac0fed68cb52, 0xa76cddfb84fbeed0}},
        {0, 0, 1, {0x5db5f55f07a31351, 0x43992c087541db86, 0x39ae7c7cc7e08c7b}},
        {0, 1, 0, {0xc4adcb372d915a98, 0x8a0d0fb949939f90, 0x2adce70632f1aebc}},
        {1, 0, 0, {0x5f47167dab1e6f33, 0x5ade0988162dfdc3, 0x5e0af42cc0be3fca}},
        {42, 7, 11, {0xcc1e6e2df0bd53a7, 0xd706e9b2b91894bb, 0x2c10df96746ab90c}},
    };
    for (const auto& [seed, generation, index, values] : known) {
        RandomStream random(seed, generation, index);
        for (std::uint64_t value : values) CHECK(random.next() == value);
    }
    CHECK(RandomStream(0, 0, 0).uniform() == static_cast<double>(0x2ce809ae01cab7d7u >> 11) / 9007199254740992.0);
}

TEST_CASE("random numbers are uniform") {
    constexpr int bins = 64, draws = 64000;
    std::array<int, bins> count = {};
    RandomStream random(7, 3, 5);
    double least = 1.0, most = 0.0, mean = 0.0;
    for (int i = 0; i < draws; ++i) {
        const double u = random.uniform();
        REQUIRE(u >= 0.0);
        REQUIRE(u < 1.0);
        least = std::min(least, u);
        most = std::max(most, u);
        mean += u / draws;
        ++count[static_cast<std::size_t>(u * bins)];
    }
    CHECK(least < 1e-3);
    CHECK(most > 1.0 - 1e-3);
    CHECK(mean == doctest::Approx(0.5).epsilon(0.01));
    double chi_squared = 0.0;
    for (int n : count) chi_squared += (n - draws / bins) * (n - draws / bins) / static_cast<double>(draws / bins);
    CHECK(chi_squared > 30.0);  // 63 degrees of freedom: within about five standard deviations on either side
    CHECK(chi_squared < 125.0);
}

TEST_CASE("below(n) covers 0..n-1 and nothing else") {
    RandomStream random(1, 2, 3);
    for (std::size_t n : {1u, 2u, 7u, 60u}) {
        std::set<std::size_t> seen;
        for (int i = 0; i < 2000; ++i) seen.insert(random.below(n));
        CHECK(seen.size() == n);
        CHECK(*seen.rbegin() == n - 1);
    }
}

TEST_CASE("streams of different seed, generation or index differ") {
    std::set<std::uint64_t> first;
    for (std::uint64_t seed = 0; seed < 20; ++seed)
        for (std::uint64_t generation = 0; generation < 20; ++generation)
            for (std::uint64_t index = 0; index < 20; ++index) {
                RandomStream random(seed, generation, index);
                for (int i = 0; i < 3; ++i) first.insert(random.next());
            }
    CHECK(first.size() == 20 * 20 * 20 * 3);  // no stream is another one shifted, either
}

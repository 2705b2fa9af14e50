#include "parallel.hpp"

#include <atomic>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

using hso::detail::Checkpoint;
using hso::detail::ThreadTeam;

TEST_CASE("a team runs every index once, time after time") {
    for (int threads : {1, 2, 7}) {
        CAPTURE(threads);
        ThreadTeam team(threads);
        Checkpoint unasked;
        REQUIRE(team.size() == static_cast<std::size_t>(threads));
        for (std::size_t count : {0, 1, 2, 6, 7, 8, 1000}) {
            for (int repeat = 0; repeat < 20; ++repeat) {
                std::vector<std::atomic<int>> runs(count);
                std::vector<std::atomic<int>> inside(team.size());
                std::atomic<bool> good_worker = true, exclusive = true;
                team.run(
                    count,
                    [&](std::size_t worker, std::size_t i) {
                        if (worker >= inside.size()) {
                            good_worker = false;
                            return;
                        }
                        if (++inside[worker] != 1) exclusive = false;
                        ++runs[i];
                        --inside[worker];
                    },
                    unasked);
                REQUIRE(good_worker);
                REQUIRE(exclusive);  // no two threads share a workspace
                for (const auto& n : runs) REQUIRE(n == 1);
            }
        }
    }
}

TEST_CASE("0 threads means one per processor") {
    ThreadTeam team(0);
    Checkpoint unasked;
    CHECK(team.size() >= 1);
    std::atomic<int> sum = 0;
    team.run(
        100, [&](std::size_t, std::size_t i) { sum += static_cast<int>(i); }, unasked);
    CHECK(sum == 4950);
}

TEST_CASE("all threads of a team take part") {
    ThreadTeam team(3);
    Checkpoint unasked;
    std::atomic<std::size_t> waiting = 0;
    // ends only if three threads are inside at once
    team.run(
        3,
        [&](std::size_t, std::size_t) {
            ++waiting;
            while (waiting < 3) std::this_thread::yield();
        },
        unasked);
    CHECK(waiting == 3);
}

TEST_CASE("the exception of the lowest index arrives and the team lives on") {
    for (int threads : {1, 2, 7}) {
        CAPTURE(threads);
        ThreadTeam team(threads);
        Checkpoint unasked;
        for (int repeat = 0; repeat < 50; ++repeat) {
            std::string message;
            try {
                team.run(
                    40,
                    [](std::size_t, std::size_t i) {
                        if (i % 10 == 3) throw std::runtime_error("at " + std::to_string(i));
                    },
                    unasked);
            } catch (const std::runtime_error& error) {
                message = error.what();
            }
            REQUIRE(message == "at 3");
            std::atomic<int> runs = 0;
            team.run(
                10, [&](std::size_t, std::size_t) { ++runs; }, unasked);
            REQUIRE(runs == 10);
        }
    }
}

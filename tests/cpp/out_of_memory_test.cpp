// What callers see when memory runs out, wherever it does: a program of its own, since it replaces operator new.
#include <hso/hso.h>
#include <hso/try.hpp>

#include <array>
#include <cstdlib>
#include <limits>
#include <new>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include <hso/optimize.hpp>

namespace {

constexpr long long kNever = std::numeric_limits<long long>::max();
long long until_failure = kNever;  ///< the allocations that still succeed
long long living = 0;              ///< blocks that are allocated

void* counted(std::size_t size) noexcept {
    if (until_failure != kNever && until_failure-- <= 0) return nullptr;
    void* block = std::malloc(size > 0 ? size : 1);
    if (block) ++living;
    return block;
}

void* counted_or_throw(std::size_t size) {
    void* block = counted(size);
    if (!block) throw std::bad_alloc();
    return block;
}

void release(void* block) noexcept {
    if (block) --living;
    std::free(block);
}

}  // namespace

void* operator new(std::size_t size) { return counted_or_throw(size); }
void* operator new[](std::size_t size) { return counted_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* block) noexcept { release(block); }
void operator delete[](void* block) noexcept { release(block); }
void operator delete(void* block, std::size_t) noexcept { release(block); }
void operator delete[](void* block, std::size_t) noexcept { release(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { release(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { release(block); }

using namespace hso;

namespace {

/// Runs `attempt` with memory for 0, 1, 2, ... allocations, until it succeeds. What it returns is whether it did. Each
/// failure has to be reported, and to leave no memory behind. Returns the number of failures.
template <class Attempt, class Code, class Value>
int fail_everywhere(Attempt attempt, const Code& code, Value out_of_memory, const char* message) {
    for (int enough = 0;; ++enough) {
        const long long before = living;
        until_failure = enough;
        const bool succeeded = attempt();
        until_failure = kNever;
        if (succeeded) return enough;
        REQUIRE(code == out_of_memory);
        REQUIRE(std::string_view(message) == "out of memory");
        REQUIRE(living == before);
        REQUIRE(enough < 100000);
    }
}

}  // namespace

TEST_CASE("C++: running out of memory anywhere is an error code, and nothing leaks") {
    Error error;
    const std::vector<double> betas(100, 0.05);
    const auto everywhere = [&](auto attempt) {
        return fail_everywhere(attempt, error.code, ErrorCode::out_of_memory, error.message);
    };
    CHECK(everywhere([&] { return try_flow(3.0, error).has_value(); }) > 0);
    CHECK(everywhere([&] { return try_from_betas(betas, error).has_value(); }) > 0);
    CHECK(everywhere([&] {
              return try_table_proxy(std::array{-4.0, 0.0, 4.0}, std::array{2.0, 1.0, 0.3}, error).has_value();
          }) > 0);
    const auto noise = NoiseSchedule::flow(3.0);
    for (const Options& options : {Options{}, Options{.search = Search::bilevel, .local = LocalSolver::newton}}) {
        const int failures = everywhere([&] {
            Workspace workspace;
            Schedule out;
            return try_optimize(noise, 5, options, workspace, out, error);
        });
        CHECK(failures > 5);
    }
    const std::vector t = {0.9, 0.5, 0.1};
    CHECK(everywhere([&] {
              Schedule out;
              return try_schedule_from_nodes(noise, t, {}, out, error);
          }) > 0);
}

TEST_CASE("C++: a workspace that ran out of memory serves again, with the same answer") {
    const auto noise = NoiseSchedule::flow(3.0);
    const Schedule expected = optimize(noise, 6);
    for (int enough = 0; enough < 60; enough += 3) {
        Workspace workspace;
        Schedule out;
        Error error;
        until_failure = enough;
        (void)try_optimize(noise, 6, {}, workspace, out, error);
        until_failure = kNever;
        REQUIRE(try_optimize(noise, 6, {}, workspace, out, error));
        CHECK(out.t == expected.t);
        CHECK(out.fitness == expected.fitness);
    }
}

TEST_CASE("C: running out of memory anywhere is an error code, and nothing leaks") {
    hso_error error;
    const std::vector<double> betas(100, 0.05);
    const auto everywhere = [&](auto attempt) { return fail_everywhere(attempt, error.code, HSO_OUT_OF_MEMORY, error.message); };
    CHECK(everywhere([&] {
              hso_noise* noise;
              const bool made = hso_noise_from_betas(betas.data(), betas.size(), &noise, &error) == HSO_OK;
              hso_noise_free(noise);
              return made;
          }) > 0);
    hso_noise* noise = nullptr;
    REQUIRE(hso_noise_flow(3.0, &noise, nullptr) == HSO_OK);
    CHECK(everywhere([&] {
              hso_workspace* workspace;
              std::array<double, 7> sigmas;
              hso_schedule schedule = {};
              schedule.size = sizeof schedule;
              schedule.capacity = sigmas.size();
              schedule.sigmas = sigmas.data();
              const bool found = hso_workspace_create(&workspace, &error) == HSO_OK &&
                                 hso_optimize(noise, 6, nullptr, workspace, &schedule, &error) == HSO_OK;
              hso_workspace_free(workspace);
              return found;
          }) > 5);
    hso_noise_free(noise);
}

TEST_CASE("C: repeated calls need no memory") {
    hso_noise* noise = nullptr;
    hso_workspace* workspace = nullptr;
    REQUIRE(hso_noise_flow(3.0, &noise, nullptr) == HSO_OK);
    REQUIRE(hso_workspace_create(&workspace, nullptr) == HSO_OK);
    std::array<double, 7> first, second;
    hso_schedule schedule = {};
    schedule.size = sizeof schedule;
    schedule.capacity = first.size();
    schedule.sigmas = first.data();
    hso_options options;
    REQUIRE(hso_options_init(&options, sizeof options, nullptr) == HSO_OK);
    REQUIRE(hso_optimize(noise, 6, &options, workspace, &schedule, nullptr) == HSO_OK);
    schedule.sigmas = second.data();
    hso_error error;
    until_failure = 0;
    const hso_code code = hso_optimize(noise, 6, &options, workspace, &schedule, &error);
    until_failure = kNever;
    CHECK(code == HSO_OK);
    CHECK(second == first);
    hso_workspace_free(workspace);
    hso_noise_free(noise);
}

// How often the searches take memory from the heap: a program of its own, since it replaces operator new.
#include <hso/optimize.hpp>

#include <cstdlib>
#include <limits>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <hso/objective.hpp>

#include "chain_qp.hpp"
#include "exact.hpp"
#include "lower_level.hpp"
#include "newton.hpp"
#include "random_requests.hpp"
#include "support.hpp"

namespace {

long long allocations = 0;

void* counted(std::size_t size) noexcept {
    ++allocations;
    return std::malloc(size > 0 ? size : 1);
}

void* counted_or_throw(std::size_t size) {
    void* block = counted(size);
    if (!block) throw std::bad_alloc();
    return block;
}

}  // namespace

void* operator new(std::size_t size) { return counted_or_throw(size); }
void* operator new[](std::size_t size) { return counted_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { std::free(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { std::free(block); }

using namespace hso;
using namespace hso::detail;
using namespace hso::test;

namespace {

template <class Call>
long long allocations_of(Call call) {
    const long long before = allocations;
    call();
    return allocations - before;
}

/// One thread, since the count is not atomic.
Options with(Search search, double d_min, double p = 2.0) {
    Options options;
    options.search = search;
    options.limits = Limits::published;
    options.local = LocalSolver::newton;
    options.terminal = Terminal::t_min;
    options.d_min = d_min;
    options.proxy = ErrorProxy::power(p);
    options.gap = std::numeric_limits<double>::infinity();
    return options;
}

const std::vector<NoiseSchedule>& schedules() {
    static const std::vector<NoiseSchedule> all = {sd_noise(), NoiseSchedule::flow(3.0), NoiseSchedule::edm()};
    return all;
}

constexpr int kRuns = 20;

}  // namespace

TEST_CASE("the counter counts") {
    CHECK(allocations_of([] { ::operator delete(::operator new(10)); }) == 1);
    CHECK(allocations_of([] {}) == 0);
}

TEST_CASE("the objective allocates nothing, for one schedule or many") {
    constexpr std::size_t rows = 50, nodes = 11;
    const auto table = ErrorProxy::table(std::vector{-4.0, 0.0, 4.0}, std::vector{2.0, 1.0, 0.3});
    std::vector<double> lambdas(rows * nodes), values(rows), gradients(rows * nodes), diagonal(nodes), off_diagonal(nodes - 1);
    for (std::size_t i = 0; i < lambdas.size(); ++i) lambdas[i] = -3.0 + 0.6 * static_cast<double>(i % nodes);
    const std::span row = std::span(lambdas).first(nodes), gradient = std::span(gradients).first(nodes);
    for (const auto& noise : schedules())
        for (const auto& proxy : {ErrorProxy::power(2.0), ErrorProxy::power(3.3), table}) {
            CHECK(allocations_of([&] { mep(noise, row, proxy); }) == 0);
            CHECK(allocations_of([&] { mep_gradient(noise, row, proxy, gradient); }) == 0);
            CHECK(allocations_of([&] { mep_hessian(noise, row, proxy, gradient, diagonal, off_diagonal); }) == 0);
            CHECK(allocations_of([&] { mep_batch(noise, lambdas, nodes, proxy, values); }) == 0);
            CHECK(allocations_of([&] { mep_gradient_batch(noise, lambdas, nodes, proxy, values, gradients); }) == 0);
        }
}

TEST_CASE("the chain's quadratic program allocates nothing after its construction") {
    Random random(85);
    constexpr std::size_t n = 30;
    ChainQp qp(n);
    Checkpoint unasked;
    std::vector<double> diagonal(n), off_diagonal(n - 1), gradient(n), slack(n - 1), low(n), high(n), step(n);
    for (int run = 0; run < kRuns; ++run) {
        for (std::size_t i = 0; i < n; ++i) {
            diagonal[i] = random.uniform(-1.0, 4.0);
            gradient[i] = random.uniform(-1.0, 1.0);
            low[i] = random.below(4) ? -random.uniform() : 0.0;
            high[i] = random.below(4) ? random.uniform() : 0.0;
            if (i + 1 == n) break;
            off_diagonal[i] = random.uniform(-1.0, 1.0);
            slack[i] = random.below(3) ? random.uniform(0.0, 0.5) : 0.0;
        }
        CHECK(allocations_of([&] { qp.solve({diagonal, off_diagonal, gradient, slack, low, high}, step, unasked); }) == 0);
    }
}

TEST_CASE("Newton and the lower level with it allocate nothing after their construction") {
    for (const auto& noise : schedules())
        for (double p : {2.0, 4.0})
            for (double d_min : {0.0, 0.05}) {
                const Problem problem = make_problem(noise, 10, with(Search::bilevel, d_min, p));
                Checkpoint unasked;
                Newton newton(problem, unasked);
                LowerLevel level(problem, LocalSolver::newton, 80, unasked);
                std::vector<double> t(problem.nodes()), lambdas(problem.nodes());
                for (int run = 0; run < kRuns; ++run) {
                    const double share = static_cast<double>(run) / kRuns;
                    const Psi psi{3.0 + 10.0 * share, problem.t_min.first, problem.t_max.second};
                    CHECK(allocations_of([&] { level.solve_spaced(psi, t); }) == 0);
                    CHECK(allocations_of([&] { level.polish(t); }) == 0);
                    CHECK(allocations_of([&] { level.solve_free(psi, lambdas); }) == 0);
                    problem.t(lambdas, t);
                    keep_spacing(t, problem.spacing, problem.t_min, problem.t_max);
                    CHECK(allocations_of([&] { newton.minimize(t, problem.t_max, problem.t_min, 1000, true); }) == 0);
                    CHECK(allocations_of([&] { newton.minimize_lambdas(lambdas, 1e-6, 1000); }) == 0);
                }
            }
}

TEST_CASE("the bi-level searches allocate as often for 40 generations as for one" * doctest::test_suite("nlopt")) {
    for (Search search : {Search::bilevel, Search::paper})
        for (const auto& noise : schedules())
            for (double d_min : {0.0, 0.05, 0.095}) {
                auto options = with(search, d_min);
                options.evolution.tolerance = 0.0;
                std::vector<long long> counts, evaluations;
                for (int generations : {1, 40}) {
                    options.evolution.max_generations = generations;
                    counts.push_back(allocations_of([&] { evaluations.push_back(optimize(noise, 10, options).evaluations); }));
                }
                CAPTURE(to_string(search));
                CAPTURE(d_min);
                CHECK(counts[1] == counts[0]);
                CHECK(evaluations[1] > evaluations[0]);
            }
}

TEST_CASE("exact without a certificate allocates as often for a hard problem as for an easy one") {
    for (int nfe : {5, 10, 20}) {
        std::vector<long long> counts;
        for (const auto& noise : schedules())
            for (double share : {0.1, 0.5, 0.95, 1.0}) {
                const auto options = with(Search::exact, share * 0.95 / nfe);
                counts.push_back(allocations_of([&] { optimize(noise, nfe, options); }));
            }
        CAPTURE(nfe);
        for (long long count : counts) CHECK(count == counts[0]);
    }
    // and for many nodes as for few, as long as the lattice is the same
    const auto ten = allocations_of([] { optimize(sd_noise(), 10, with(Search::exact, 0.01)); });
    CHECK(allocations_of([] { optimize(sd_noise(), 12, with(Search::exact, 0.01)); }) == ten);
    CHECK(ten < 100);
}

TEST_CASE("exact for a steep proxy allocates as often for a hard problem as for an easy one, unless nodes gather") {
    for (int nfe : {5, 10, 20}) {
        std::vector<long long> counts;
        for (double p : {2.5, 3.0, 4.0})
            for (const auto& noise : schedules())
                for (double share : {0.1, 0.5, 0.95})
                    counts.push_back(allocations_of([&] { optimize(noise, nfe, with(Search::exact, share * 0.95 / nfe, p)); }));
        CAPTURE(nfe);
        for (long long count : counts) CHECK(count == counts[0]);
        // each move of gathered nodes takes a few vectors, and there are few of them
        for (const auto& noise : schedules())
            CHECK(allocations_of([&] { optimize(noise, nfe, with(Search::exact, 0.0, 4.0)); }) <= counts[0] + 40);
    }
}

// Starting a std::thread takes memory: where nothing is allocated, none was started.

TEST_CASE("a call that a workspace has served allocates nothing when it is repeated at once") {
    Random random(12);
    for (int i = 0; i < 150; ++i) {
        const int nfe = 1 + static_cast<int>(random.below(20));
        const Request request = i % 4 ? random_exact_request(random, nfe) : random_bilevel_request(random, nfe);
        Workspace workspace;
        Schedule out;
        CHECK(allocations_of([&] { request.run(workspace, out); }) > 0);
        CAPTURE(i);
        CAPTURE(nfe);
        CHECK(allocations_of([&] { request.run(workspace, out); }) == 0);
    }
}

TEST_CASE("a workspace that has served some calls allocates nothing for them in any order") {
    Random random(13);
    std::vector<Request> requests;
    for (int nfe = 4; nfe <= 12; ++nfe)
        for (int i = 0; i < 20; ++i)
            requests.push_back(i % 5 ? random_exact_request(random, nfe) : random_bilevel_request(random, nfe));
    for (int nfe : {1, 2, 3, 20, 50, 100})
        for (int i = 0; i < 3; ++i) requests.push_back(random_exact_request(random, nfe));
    Workspace workspace;
    Schedule out;
    for (const Request& request : requests) request.run(workspace, out);
    for (std::size_t run = 0; run < 2 * requests.size(); ++run) {
        const std::size_t at = random.below(requests.size());
        CAPTURE(at);
        CHECK(allocations_of([&] { requests[at].run(workspace, out); }) == 0);
    }
}

TEST_CASE("the default request of every family, terminal and proxy allocates nothing when it is repeated") {
    const auto table = ErrorProxy::table(std::vector{-4.0, 0.0, 4.0}, std::vector{2.0, 1.0, 0.3});
    for (const Named& named : every_schedule())
        for (Terminal terminal : {Terminal::zero, Terminal::t_min, Terminal::skip})
            for (const auto& proxy : {std::optional<ErrorProxy>(), std::optional(table)}) {
                CAPTURE(named.name);
                CAPTURE(to_string(terminal));
                const Options options{.terminal = terminal, .proxy = proxy, .gap = 1e-4};
                Workspace workspace;
                Schedule out;
                const auto run = [&] {
                    for (int nfe : {4, 12, 7}) optimize(named.noise, nfe, options, workspace, out);
                };
                run();
                CHECK(allocations_of(run) == 0);
            }
}

TEST_CASE("without a certificate a workspace allocates nothing for what it has not seen, if it has seen as many nodes") {
    Workspace workspace;
    Schedule out;
    for (int nfe : {3, 12}) optimize(sd_noise(), nfe, with(Search::exact, 0.0), workspace, out);
    for (const auto& noise : schedules())
        for (int nfe = 1; nfe <= 12; ++nfe)
            for (double share : {0.0, 0.5, 0.99}) {
                const auto options = with(Search::exact, share * 0.95 / nfe);
                CHECK(allocations_of([&] { optimize(noise, nfe, options, workspace, out); }) == 0);
            }
}

TEST_CASE("a server's workspace stops allocating, though no two requests are the same") {
    // flow models whose shift depends on the image's size, with a certificate
    Random random(14);
    Workspace workspace;
    Schedule out;
    const auto request = [&] {
        const Request next{NoiseSchedule::flow(random.uniform(1.0, 10.0)), 4 + static_cast<int>(random.below(9))};
        return allocations_of([&] { next.run(workspace, out); });
    };
    for (int i = 0; i < 100; ++i) request();
    long long later = 0;
    for (int i = 0; i < 500; ++i) later += request() > 0;
    CHECK(later <= 5);
}

TEST_CASE("an exception costs a workspace none of its memory") {
    Workspace workspace;
    Schedule out;
    Options interrupted;
    const auto good = [&] { optimize(sd_noise(), 10, {}, workspace, out); };
    good();
    interrupted.should_stop = []() -> bool { throw std::domain_error("enough"); };
    CHECK_THROWS_AS(optimize(sd_noise(), 10, interrupted, workspace, out), std::domain_error);
    CHECK_THROWS_AS(optimize(sd_noise(), 10, {.gap = 0.0}, workspace, out), std::invalid_argument);
    const NoiseSchedule noise = sd_noise();
    CHECK(allocations_of([&] { optimize(noise, 10, {}, workspace, out); }) == 0);
}

TEST_CASE("a workspace allocates nothing before its first call, moves with its memory, and gives it back") {
    const NoiseSchedule noise = sd_noise();
    Schedule out;
    long long first = 0, again = 0;
    CHECK(allocations_of([] { Workspace unused; }) == 0);
    Workspace workspace;
    const auto call = [&](Workspace& with_memory) { return allocations_of([&] { optimize(noise, 8, {}, with_memory, out); }); };
    CHECK((first = call(workspace)) > 0);
    Workspace moved;
    CHECK(allocations_of([&] { moved = std::move(workspace); }) == 0);
    CHECK(call(moved) == 0);
    CHECK((again = call(workspace)) > 0);
    moved.release();
    CHECK(call(moved) == again);
    CHECK(first - again == 4);  // the result's vectors
}

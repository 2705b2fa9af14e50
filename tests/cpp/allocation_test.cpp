// How often the searches take memory from the heap: a program of its own, since it replaces operator new.
#include <hso/optimize.hpp>

#include <cstdlib>
#include <new>
#include <vector>

#include <doctest/doctest.h>

#include <hso/objective.hpp>

#include "chain_qp.hpp"
#include "exact.hpp"
#include "lower_level.hpp"
#include "newton.hpp"
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
        CHECK(allocations_of([&] { qp.solve({diagonal, off_diagonal, gradient, slack, low, high}, step); }) == 0);
    }
}

TEST_CASE("Newton and the lower level with it allocate nothing after their construction") {
    for (const auto& noise : schedules())
        for (double p : {2.0, 4.0})
            for (double d_min : {0.0, 0.05}) {
                const Problem problem = make_problem(noise, 10, with(Search::bilevel, d_min, p));
                Newton newton(problem);
                LowerLevel level(problem, LocalSolver::newton, 80);
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

TEST_CASE("the bi-level searches allocate as often for 40 generations as for one") {
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

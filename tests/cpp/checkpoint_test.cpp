// Whoever waits for a search can stop it: at any checkpoint, on its own thread, soon, and nothing is left half done.
#include "checkpoint.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <functional>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <hso/chain.hpp>
#include <hso/error_model.hpp>
#include <hso/optimize.hpp>

#include "exact.hpp"
#include "parallel.hpp"
#include "problem.hpp"
#include "random_requests.hpp"
#include "same_schedule.hpp"
#include "search.hpp"
#include "support.hpp"

using namespace hso;
using namespace hso::detail;
using namespace hso::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Checkpoint::Pace kAlways{.work = 0, .interval = {}};  ///< asks at every pass

struct Long {
    std::string name;
    Request request;
};

/// A request for every way through the searches.
std::vector<Long> without_nlopt() {
    const NoiseSchedule sd = sd_noise();
    return {
        {"exact", {sd, 10, {.gap = kInfinity}}},
        {"certified", {sd, 10}},
        {"certified, many nodes", {sd, 40, {.gap = 0.1}}},
        {"certified, soft", {sd, 8, {.gamma = 100.0, .d_min = 0.12}}},
        {"several minima", {sd, 12, {.proxy = ErrorProxy::power(4.0), .gap = kInfinity, .d_min = 0.0}}},
        {"a table's kinks", {every_schedule()[0].noise, 12, {.terminal = Terminal::t_min, .gap = 1e-2}}},
        {"bilevel", {sd, 6, {.search = Search::bilevel, .evolution = {.population_factor = 3, .max_generations = 4}}}},
    };
}

std::vector<Long> with_nlopt() {
    const NoiseSchedule sd = sd_noise();
    const EvolutionOptions few{.population_factor = 2, .max_generations = 2};
    return {
        {"bilevel slsqp", {sd, 6, {.search = Search::bilevel, .local = LocalSolver::slsqp, .evolution = few}}},
        {"paper newton", {sd, 5, {.search = Search::paper, .evolution = few}}},
        {"paper slsqp", {sd, 5, {.search = Search::paper, .local = LocalSolver::slsqp, .evolution = few}}},
        {"dm_nonuni", {sd, 6, {.objective = LowerObjective::dm_nonuni, .evolution = few}}},
    };
}

/// Searches that may be stopped and used again, as a workspace holds them.
class Stoppable {
  public:
    SearchResult run(const Request& request, Checkpoint& checkpoint) {
        const Problem problem = make_problem(request.noise, request.nfe, request.options);
        SearchResult result;
        switch (choose_search(request.options)) {
            case Search::exact: exact_.run(problem, request.options, checkpoint, result); break;
            case Search::bilevel: psi_.run_bilevel(problem, request.options, checkpoint, result); break;
            case Search::paper: psi_.run_paper(problem, request.options, checkpoint, result); break;
        }
        return result;
    }

  private:
    ExactSearch exact_;
    PsiSearch psi_;
};

bool same(const SearchResult& a, const SearchResult& b) {
    return bits_of(a.t) == bits_of(b.t) && bits_of({a.rho, a.lower_bound}) == bits_of({b.rho, b.lower_bound}) &&
           a.evaluations == b.evaluations && a.generations == b.generations && a.status == b.status;
}

/// Stops `request` at its first, second, ... checkpoint, at ever larger distances, and at its last.
void check_stops_anywhere(const Long& search) {
    CAPTURE(search.name);
    const Request& request = search.request;
    Stoppable searches;
    Checkpoint unasked;
    const SearchResult expected = searches.run(request, unasked);
    long long asked = 0, last = 0;
    const ShouldStop stop = [&] {
        if (++asked == last) throw std::domain_error("enough");
        return false;
    };
    Checkpoint counted(stop, kAlways);
    REQUIRE(same(searches.run(request, counted), expected));
    const long long all = asked;
    CHECK(all > 5);
    for (last = 2;; last = std::min(all, last + 1 + last / 3)) {  // the first is asked before the search
        CAPTURE(last);
        asked = 0;
        Checkpoint stopped(stop, kAlways);
        REQUIRE_THROWS_WITH_AS(searches.run(request, stopped), "enough", std::domain_error);
        REQUIRE(asked == last);
        REQUIRE(stopped.has_ended());
        REQUIRE(same(searches.run(request, unasked), expected));
        if (last == all) break;
    }
}

/// Seconds of this process on a processor: other processes do not count.
double processor_time() { return static_cast<double>(std::clock()) / static_cast<double>(CLOCKS_PER_SEC); }

/// The most processor time between two questions while `work` lasts, or in its first second.
double longest_silence(const std::function<void(const ShouldStop&)>& work) {
    const double begin = processor_time();
    double last = begin, longest = 0.0;
    const ShouldStop ask = [&] {
        const double now = processor_time();
        longest = std::max(longest, now - last);
        last = now;
        return now - begin > 1.0;
    };
    try {
        work(ask);
    } catch (const Stopped&) {
    }
    return std::max(longest, processor_time() - last);
}

void check_silence(const std::string& name, const std::function<void(const ShouldStop&)>& work) {
    const double silence = longest_silence(work);
    MESSAGE(name << ": at most " << std::round(1e4 * silence) / 10.0 << " ms without a question");
    CHECK(silence < 0.5);  // 10 ms, but for sanitizers and slow processors
}

Measurements random_measurements(Random& random, std::size_t rank, std::size_t levels) {
    const auto rows = [&](std::size_t count) {
        std::vector<double> values(count * rank);
        for (double& value : values) value = random.uniform(-1.0, 1.0);
        return values;
    };
    Measurements m;
    m.rank = rank;
    m.lambdas = random_increasing(random, levels, -2.6, 3.0);
    m.x0 = rows(levels), m.states = rows(levels), m.eps = rows(1);
    m.probe_lambdas = random_increasing(random, levels, -2.6, 3.0);
    for (double& lambda : m.probe_lambdas) lambda = std::clamp(lambda, m.lambdas.front(), m.lambdas.back());
    m.probe_errors = rows(levels), m.probe_responses = rows(levels);
    return m;
}

}  // namespace

TEST_CASE("a checkpoint asks at once, then only when it is time and work is done") {
    int asked = 0;
    const ShouldStop count = [&] { return ++asked, false; };
    Checkpoint never;
    never.pass(std::numeric_limits<std::int64_t>::max());
    never.pass(1000);
    CHECK_FALSE(never.asks());
    CHECK_FALSE(Checkpoint(ShouldStop()).asks());

    Checkpoint patient(count, {.work = 1000, .interval = std::chrono::hours(1)});
    CHECK(asked == 1);
    for (int i = 0; i < 1000; ++i) patient.pass(1000);
    CHECK(asked == 1);
    patient.ask();
    CHECK(asked == 2);

    Checkpoint by_work(count, {.work = 1000, .interval = {}});
    for (int i = 0; i < 30; ++i) by_work.pass(100);  // asks where more than 1000 is done
    CHECK(asked == 5);

    CHECK_THROWS_WITH_AS(Checkpoint([] { return true; }), "stopped by the caller", Stopped);
    CHECK_FALSE(by_work.has_ended());
}

TEST_CASE("a worker's checkpoint ends its work when it is told") {
    std::atomic<bool> stopped = false;
    Checkpoint checkpoint(stopped);
    CHECK_FALSE(checkpoint.asks());
    for (int i = 0; i < 10; ++i) checkpoint.pass(1'000'000);
    stopped = true;
    CHECK_THROWS_AS(checkpoint.pass(1'000'000), WorkerStopped);
}

TEST_CASE("every search stops at every checkpoint, and its memory serves again") {
    for (const Long& search : without_nlopt()) check_stops_anywhere(search);
}

TEST_CASE("every search of NLopt's stops at every checkpoint, and its memory serves again" * doctest::test_suite("nlopt")) {
    for (const Long& search : with_nlopt()) check_stops_anywhere(search);
}

TEST_CASE("only the calling thread is asked, and stops the others") {
    for (int threads : {2, 3, 8}) {
        Request request{sd_noise(), 6, {.search = Search::bilevel, .local = LocalSolver::newton, .threads = threads}};
        request.options.evolution = {.population_factor = 5, .max_generations = 20, .tolerance = 0.0};
        Stoppable searches;
        Checkpoint unasked;
        const SearchResult expected = searches.run(request, unasked);
        const auto caller = std::this_thread::get_id();
        std::atomic<bool> elsewhere = false;
        int asked = 0, last = 0;
        const ShouldStop stop = [&] {
            if (std::this_thread::get_id() != caller) elsewhere = true;
            if (++asked == last) throw std::domain_error("enough");
            return false;
        };
        Checkpoint counted(stop, kAlways);
        REQUIRE(same(searches.run(request, counted), expected));
        for (last = 2; last < 200; last += 37) {
            asked = 0;
            Checkpoint stopped(stop, kAlways);
            REQUIRE_THROWS_WITH_AS(searches.run(request, stopped), "enough", std::domain_error);
            REQUIRE(same(searches.run(request, unasked), expected));
        }
        CHECK_FALSE(elsewhere);
    }
}

TEST_CASE("a caller that waits for the others is asked, and ends their work") {
    ThreadTeam team(2);
    const auto caller = std::this_thread::get_id();
    int asked = 0;
    const ShouldStop stop = [&] { return ++asked == 5; };
    Checkpoint checkpoint(stop), worker(team.stopped());
    std::atomic<int> begun = 0;
    const auto task = [&](std::size_t, std::size_t) {
        ++begun;
        while (begun < 2) std::this_thread::yield();  // one task each
        if (std::this_thread::get_id() == caller) return;
        for (;;) worker.pass(1000);  // until it is stopped
    };
    CHECK_THROWS_AS(team.run(2, task, checkpoint), Stopped);
    CHECK(asked == 5);
    CHECK(team.stopped());
}

TEST_CASE("optimize: bad arguments are refused before anything is asked, and an end leaves everything as it was") {
    Workspace workspace;
    Schedule out;
    optimize(sd_noise(), 6, {}, workspace, out);
    const Schedule before = out;
    int asked = 0;
    Options options;
    options.should_stop = [&] { return ++asked, true; };
    CHECK_THROWS_AS(optimize(sd_noise(), 0, options, workspace, out), std::invalid_argument);
    CHECK(asked == 0);
    CHECK_THROWS_AS(optimize(sd_noise(), 9, options, workspace, out), Stopped);
    CHECK_THROWS_AS(optimize(sd_noise(), 1, options), Stopped);
    const std::vector several = {4, 5, 6};
    CHECK_THROWS_AS(optimize(sd_noise(), several, options), Stopped);
    CHECK(asked == 3);
    CHECK(same(out, before));
    // short searches are asked about once in all
    options.should_stop = [&] { return ++asked, false; };
    asked = 0;
    options.gap = kInfinity;
    CHECK(same(optimize(sd_noise(), several, options)[2], optimize(sd_noise(), 6, {.gap = kInfinity})));
    CHECK(asked >= 1);
    // and a long one again and again, until it is enough
    options.should_stop = [&] { return ++asked == 4; };
    asked = 0;
    CHECK_THROWS_AS(optimize(sd_noise(), 10000, options, workspace, out), Stopped);
    CHECK(asked == 4);
    CHECK(same(out, before));
    optimize(sd_noise(), 6, {}, workspace, out);
    CHECK(same(out, before));
}

TEST_CASE("long searches ask often enough") {
    const auto check = [](const std::string& name, Request request) {
        check_silence(name, [&](const ShouldStop& ask) {
            request.options.should_stop = ask;
            request.fresh();
        });
    };
    const NoiseSchedule sd = sd_noise();
    check("exact, nfe 10,000", {sd, 10000, {.gap = kInfinity}});
    check("certified, nfe 200", {sd, 200, {.gap = 1e-9}});
    check("certified, nfe 3000", {sd, 3000});
    check("soft, nfe 10,000", {sd, 10000, {.gamma = 1e6, .gap = kInfinity, .d_min = 1e-3}});
    check("several minima, nfe 2000", {sd, 2000, {.proxy = ErrorProxy::power(4.0), .gap = kInfinity, .d_min = 0.0}});
    check("bilevel, nfe 10,000", {sd, 10000, {.search = Search::bilevel}});
}

TEST_CASE("long searches of NLopt's ask often enough" * doctest::test_suite("nlopt")) {
    const auto check = [](const std::string& name, Request request) {
        check_silence(name, [&](const ShouldStop& ask) {
            request.options.should_stop = ask;
            request.fresh();
        });
    };
    const NoiseSchedule sd = sd_noise();
    check("bilevel slsqp, nfe 60", {sd, 60, {.search = Search::bilevel, .local = LocalSolver::slsqp}});
    check("paper slsqp, nfe 60", {sd, 60, {.search = Search::paper, .local = LocalSolver::slsqp, .d_min = 0.0}});
    check("paper newton, nfe 10,000", {sd, 10000, {.search = Search::paper, .d_min = 0.0}});
    check("dm_nonuni, nfe 60", {sd, 60, {.objective = LowerObjective::dm_nonuni, .d_min = 0.0}});
}

TEST_CASE("large tables ask often enough") {
    constexpr std::size_t n = 3'000'000;
    std::vector<double> t(n), alpha(n), sigma(n), betas(n, 1e-5), lambda(n), value(n);
    for (std::size_t i = 0; i < n; ++i) {
        t[i] = static_cast<double>(i + 1) / n;
        sigma[i] = 0.1 + 0.8 * t[i];
        alpha[i] = 1.3 - t[i];
        lambda[i] = t[i];
        value[i] = 1.0 + t[i];
    }
    check_silence("from_table", [&](const ShouldStop& ask) { NoiseSchedule::from_table(t, alpha, sigma, 1000.0, ask); });
    check_silence("from_betas", [&](const ShouldStop& ask) { NoiseSchedule::from_betas(betas, ask); });
    check_silence("ErrorProxy::table", [&](const ShouldStop& ask) { ErrorProxy::table(lambda, value, ask); });
    const NoiseSchedule large = NoiseSchedule::from_table(t, alpha, sigma);
    check_silence("certified on a large table", [&](const ShouldStop& ask) { optimize(large, 10, {.should_stop = ask}); });
    CHECK_THROWS_AS(NoiseSchedule::from_table(t, alpha, sigma, 1000.0, [] { return true; }), Stopped);
    CHECK_THROWS_AS(NoiseSchedule::from_alphas_cumprod(value, [] { return true; }), Stopped);
    CHECK_THROWS_AS(ErrorProxy::table(lambda, value, [] { return true; }), Stopped);
}

TEST_CASE("chains and error models ask often enough") {
    Random random(3);
    constexpr std::size_t points = 2000, few = 250;
    std::vector<double> cost(points * points), first(few * few);
    for (auto* costs : {&cost, &first})
        for (double& entry : *costs) entry = random.uniform();
    const ChainPoints many{.count = points}, some{.count = few};
    check_silence("shortest_chains", [&](const ShouldStop& ask) { shortest_chains(many, cost, 2000, 1.0, ask); });
    const CostWithMemory with_memory = [](std::size_t i, std::size_t j, std::span<double> out) {
        for (std::size_t k = 0; k < out.size(); ++k) out[k] = static_cast<double>((i + 7 * j + 11 * k) % 101);
    };
    check_silence("shortest_chains_with_memory",
                  [&](const ShouldStop& ask) { shortest_chains_with_memory(some, first, with_memory, 200, 1.0, ask); });

    Measurements measurements = random_measurements(random, 400, 60);
    std::optional<ErrorModel> model;
    check_silence("ErrorModel", [&](const ShouldStop& ask) { model.emplace(sd_noise(), measurements, ask); });
    if (!model) model.emplace(sd_noise(), measurements);
    const auto nodes = random_increasing(random, 80, -2.6, 3.0);
    for (const auto carried : {ErrorModel::Carried::no, ErrorModel::Carried::to_zero})
        check_silence("jumps", [&](const ShouldStop& ask) { model->jumps(nodes, carried, ask); });
    check_silence("late_starts", [&](const ShouldStop& ask) { model->late_starts(nodes, ErrorModel::Carried::to_zero, ask); });
    check_silence("improve", [&](const ShouldStop& ask) {
        model->improve(nodes, {.solver = {Solver::Kind::unipc, 3},
                               .first = {-2.6, -2.0},
                               .last = {2.0, 3.0},
                               .least_gap = 1e-3,
                               .should_stop = ask});
    });
}

// A workspace changes nothing but where the memory comes from.
#include <hso/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <hso/optimize.hpp>

#include "random_requests.hpp"
#include "same_schedule.hpp"
#include "support.hpp"

using namespace hso;
using namespace hso::test;

namespace {

struct Answered {
    Request request;
    Schedule schedule;
};

/// Requests with the answers of fresh searches.
std::vector<Answered> answered_requests() {
    Random random(8);
    std::vector<Answered> all;
    const auto add = [&all](const Request& request) { all.push_back({request, request.fresh()}); };
    for (int nfe : {1, 2, 5, 20})
        for (int i = 0; i < 30; ++i) add(random_exact_request(random, nfe));
    for (int i = 0; i < 6; ++i) add(random_exact_request(random, 100));
    for (int nfe : {1, 2, 5, 20})
        for (int i = 0; i < 6; ++i) {
            Request request = random_bilevel_request(random, nfe);
            add(request);
            request.options.search = Search::paper;
            add(request);
            request.options.local = LocalSolver::slsqp;
            add(request);
            request.options.objective = LowerObjective::dm_nonuni;
            request.options.search = Search::bilevel;
            add(request);
        }
    return all;
}

const Request& certified() {
    static const Request request{
        sd_noise(), 10, {.terminal = Terminal::t_min, .search = Search::exact, .gap = 1e-9, .d_min = 0.01}};
    return request;
}

const Request& evolved() {
    static const Request request{
        NoiseSchedule::flow(3.0),
        6,
        {.search = Search::bilevel, .limits = Limits::published, .evolution = {.max_generations = 5, .tolerance = 0.0}}};
    return request;
}

}  // namespace

TEST_CASE("a workspace gives bitwise the results of fresh searches, whatever was searched before" *
          doctest::test_suite("nlopt")) {
    const std::vector<Answered> all = answered_requests();
    Random random(9);
    Workspace workspace;
    Schedule out;
    std::size_t certificates = 0, evolutions = 0, different = 0;
    for (std::size_t run = 0; run < 2 * all.size(); ++run) {
        const auto& [request, expected] = all[random.below(all.size())];
        request.run(workspace, out);
        certificates += !std::isnan(out.lower_bound);
        evolutions += out.generations > 0;
        if (same(out, expected)) continue;
        ++different;
        CAPTURE(run);
        CAPTURE(request.nfe);
        FAIL_CHECK(to_string(*request.options.search));
    }
    CHECK(different == 0);
    CHECK(certificates > all.size() / 4);
    CHECK(evolutions > all.size() / 4);
}

TEST_CASE("the difference of two schedules is seen") {
    const Schedule a = certified().fresh();
    Schedule b = a;
    CHECK(same(a, b));
    b.t[3] = std::nextafter(b.t[3], 0.0);
    CHECK(!same(a, b));
    b = a;
    b.gap = std::numeric_limits<double>::quiet_NaN();
    CHECK(!same(a, b));
}

TEST_CASE("what the result held before does not matter") {
    const Schedule expected = certified().fresh();
    Workspace workspace;
    Schedule out = evolved().fresh();
    certified().run(workspace, out);
    CHECK(same(out, expected));
    out.t.assign(1000, 7.0);
    out.timesteps.clear();
    out.lambdas.clear();
    certified().run(workspace, out);
    CHECK(same(out, expected));
}

TEST_CASE("several nfe at once are as one after the other in a workspace") {
    const std::vector<int> nfe = {10, 4, 10, 12, 1, 20};
    for (const Request& request : {certified(), evolved()}) {
        const auto together = optimize(request.noise, nfe, request.options);
        Workspace workspace;
        Schedule out;
        for (std::size_t i = 0; i < nfe.size(); ++i) {
            optimize(request.noise, nfe[i], request.options, workspace, out);
            CHECK(same(out, together[i]));
        }
    }
}

TEST_CASE("a noise schedule or proxy that is gone is never taken for the one that has its place in memory") {
    Workspace workspace;
    Schedule out;
    const Options options{.terminal = Terminal::t_min, .search = Search::exact, .limits = Limits::published};
    for (int i = 0; i < 30; ++i) {
        const double shift = 1.0 + 0.1 * (i % 7);
        optimize(NoiseSchedule::flow(shift), 5, options, workspace, out);
        CHECK(same(out, optimize(NoiseSchedule::flow(shift), 5, options)));
    }
    const NoiseSchedule noise = sd_noise();
    for (int i = 0; i < 30; ++i) {
        const double middle = 0.5 + 0.3 * (i % 7);
        const auto with_table = [&] {
            Options other = options;
            other.proxy = ErrorProxy::table(std::vector{-4.0, 0.0, 4.0}, std::vector{2.0, middle, 0.3});
            return other;
        };
        optimize(noise, 5, with_table(), workspace, out);
        CHECK(same(out, optimize(noise, 5, with_table())));
    }
}

TEST_CASE("an exception leaves the workspace usable and the result as it was") {
    const Schedule expected = certified().fresh(), expected_evolved = evolved().fresh();
    Workspace workspace;
    Schedule out;
    const auto check_after = [&] {
        Schedule after;
        certified().run(workspace, after);
        CHECK(same(after, expected));
        evolved().run(workspace, after);
        CHECK(same(after, expected_evolved));
    };
    certified().run(workspace, out);
    for (int nfe : {0, -1, 10001}) CHECK_THROWS_AS(optimize(sd_noise(), nfe, {}, workspace, out), std::invalid_argument);
    CHECK_THROWS_AS(optimize(sd_noise(), 10, {.d_min = 0.5}, workspace, out), std::invalid_argument);
    CHECK(same(out, expected));
    check_after();
    for (const Request& request : {certified(), evolved()}) {  // checkpoint_test.cpp stops them in their middle
        Request interrupted = request;
        interrupted.options.should_stop = []() -> bool { throw std::domain_error("enough"); };
        Schedule unharmed = expected;
        CHECK_THROWS_AS(interrupted.run(workspace, unharmed), std::domain_error);
        CHECK(same(unharmed, expected));
        interrupted.options.should_stop = [] { return true; };
        CHECK_THROWS_AS(interrupted.run(workspace, unharmed), Stopped);
        CHECK(same(unharmed, expected));
        check_after();
    }
}

TEST_CASE("a workspace moves, and what was moved from or released is as good as new") {
    static_assert(std::is_nothrow_default_constructible_v<Workspace>);
    static_assert(std::is_nothrow_move_constructible_v<Workspace> && std::is_nothrow_move_assignable_v<Workspace>);
    static_assert(!std::is_copy_constructible_v<Workspace> && !std::is_copy_assignable_v<Workspace>);
    const Schedule expected = certified().fresh();
    const auto check = [&](Workspace& workspace) {
        Schedule out;
        certified().run(workspace, out);
        CHECK(same(out, expected));
    };
    Workspace first;
    check(first);
    Workspace second = std::move(first);
    check(second);
    check(first);
    first = std::move(second);
    check(first);
    check(second);
    second = Workspace();
    check(second);
    second.release();
    check(second);
    std::vector<Workspace> many(5);
    for (Workspace& workspace : many) check(workspace);
}

TEST_CASE("two threads with a workspace each do not meet") {
    Random random(10);
    std::vector<Answered> all;
    for (int i = 0; i < 30; ++i) {
        const Request request = random_exact_request(random, 4 + i % 9);
        all.push_back({request, request.fresh()});
    }
    std::vector<int> right(2);
    std::vector<std::thread> threads;
    for (std::size_t thread = 0; thread < right.size(); ++thread)
        threads.emplace_back([&, thread] {
            Workspace workspace;
            Schedule out;
            for (std::size_t run = 0; run < 3 * all.size(); ++run) {
                const auto& [request, expected] = all[(7 * run + 13 * thread) % all.size()];
                request.run(workspace, out);
                right[thread] += same(out, expected);
            }
        });
    for (std::thread& thread : threads) thread.join();
    for (int count : right) CHECK(count == static_cast<int>(3 * all.size()));
}

TEST_CASE("a workspace refuses a call while it is at work in another") {
    Workspace workspace, other;
    Schedule out, inner;
    const Schedule expected = certified().fresh();
    for (const Request& request : {certified(), evolved()}) {
        Request nested = request;
        int refused = 0;
        nested.options.should_stop = [&] {
            try {
                certified().run(workspace, inner);
            } catch (const std::invalid_argument&) {
                throw;
            } catch (const std::logic_error&) {
                ++refused;
            }
            certified().run(other, inner);  // a second one is fine
            CHECK(same(inner, expected));
            return false;
        };
        nested.run(workspace, out);
        CHECK(refused >= 1);
        CHECK(same(out, request.fresh()));
    }
}

#ifdef __linux__
namespace {

/// The most threads that this process has at the pauses of a search.
std::ptrdiff_t most_threads(Request request, int threads, Workspace& workspace) {
    const auto now = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); };
    std::ptrdiff_t most = 0;
    request.options.threads = threads;
    request.options.should_stop = [&] {
        most = std::max(most, now());
        return false;
    };
    Schedule out;
    request.run(workspace, out);
    CHECK(most >= 1);
    return most;
}

}  // namespace

TEST_CASE("no thread is started unless asked for" * doctest::test_suite("nlopt")) {
    Workspace workspace;
    for (Search search : {Search::bilevel, Search::paper, Search::exact}) {
        Request request = search == Search::exact ? certified() : evolved();
        request.options.search = search;
        if (search != Search::exact) {  // long enough to be asked on the way
            request.nfe = 100;
            request.options.d_min = 0.0;
            request.options.evolution = {.population_factor = 20, .max_generations = 10, .tolerance = 0.0};
        }
        CAPTURE(to_string(search));
        const auto alone = std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
        CHECK(most_threads(request, 1, workspace) <= alone);
        if (search != Search::exact) CHECK(most_threads(request, 3, workspace) >= 3);  // they are seen
    }
}
#endif

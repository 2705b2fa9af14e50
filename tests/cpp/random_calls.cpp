// Makes random calls, valid and invalid ones, and checks what comes of them.
//     hso_random_calls [--calls N] [--seed S]
// N of each; prints the counts, the longest call and the memory held; fails if one call breaks a promise or takes over a second
// of processor time (what else runs on the machine must not decide).

#include "random_calls.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kMostSeconds = 20.0;  // a sanitizer costs that factor
#else
constexpr double kMostSeconds = 1.0;
#endif

namespace {

using hso::test::Caller;
using hso::test::CallKind;

/// Resident memory now, in MB.
double resident() {
    std::ifstream file("/proc/self/statm");
    double total = 0.0, pages = 0.0;
    file >> total >> pages;
    return pages * 4096.0 / 1e6;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Each call is drawn from (seed, number) alone, so that one can be made again.
std::uint64_t stream(std::uint64_t seed, std::uint64_t call, bool valid) {
    return (seed * 2 + (valid ? 1 : 0)) * 0x9e3779b97f4a7c15u + call * 0xd1b54a32d192ed03u;
}

/// Makes `calls` calls; how many failed.
std::uint64_t make_calls(const char* title, std::span<const CallKind> kinds, std::uint64_t calls, std::uint64_t seed,
                         bool valid) {
    struct Tally {
        std::uint64_t calls = 0;
        double seconds = 0.0, longest = 0.0;
    };
    std::vector<Tally> tallies(kinds.size());
    unsigned total = 0;
    for (const CallKind& kind : kinds) total += kind.weight;
    std::uint64_t failed = 0;
    const auto start = std::chrono::steady_clock::now();
    const double before = resident();
    double settled = before;
    Caller caller{hso::fuzz::Source(seed)};
    for (std::uint64_t i = 0; i < calls; ++i) {
        if (i == calls / 10) settled = resident();
        caller.source = hso::fuzz::Source(stream(seed, i, valid));
        std::size_t k = 0;
        for (std::size_t at = caller.source.below(total); at >= kinds[k].weight; ++k) at -= kinds[k].weight;
        const std::clock_t begun = std::clock();
        std::string fault;
        try {
            kinds[k].make(caller);
        } catch (const std::exception& error) {
            fault = error.what();
        }
        const double seconds = static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC;
        if (seconds > kMostSeconds) fault += " took " + std::to_string(seconds) + " s";
        tallies[k].calls += 1;
        tallies[k].seconds += seconds;
        tallies[k].longest = std::max(tallies[k].longest, seconds);
        if (!fault.empty() && ++failed <= 20)
            std::printf("FAILED: %s call %llu (%s): %s\n", title, static_cast<unsigned long long>(i), kinds[k].name,
                        fault.c_str());
    }
    double longest = 0.0;
    for (const Tally& tally : tallies) longest = std::max(longest, tally.longest);
    std::printf(
        "%s: %llu calls in %.1f s, %llu failed, longest %.1f ms, resident %.1f MB before, %.1f after a tenth, %.1f after all\n",
        title, static_cast<unsigned long long>(calls), seconds_since(start), static_cast<unsigned long long>(failed),
        longest * 1e3, before, settled, resident());
    for (std::size_t k = 0; k < kinds.size(); ++k)
        std::printf(
            "  %-28s %9llu  mean %8.1f us  longest %7.1f ms\n", kinds[k].name, static_cast<unsigned long long>(tallies[k].calls),
            tallies[k].calls ? 1e6 * tallies[k].seconds / static_cast<double>(tallies[k].calls) : 0.0, 1e3 * tallies[k].longest);
    return failed;
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t calls = 10000, seed = 0;
    for (int i = 1; i < argc; i += 2) {
        const bool is_calls = std::strcmp(argv[i], "--calls") == 0;
        if ((!is_calls && std::strcmp(argv[i], "--seed") != 0) || i + 1 == argc) {
            std::fprintf(stderr, "usage: %s [--calls N] [--seed S]\n", argv[0]);
            return 2;
        }
        (is_calls ? calls : seed) = std::stoull(argv[i + 1]);
    }
    std::uint64_t failed = make_calls("valid", hso::test::valid_calls(), calls, seed, true);
    failed += make_calls("invalid", hso::test::invalid_calls(), calls, seed, false);
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    std::printf("peak resident memory %.1f MB\n", static_cast<double>(usage.ru_maxrss) * 1024.0 / 1e6);
    return failed == 0 ? 0 : 1;
}
